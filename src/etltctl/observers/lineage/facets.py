"""Facets of runs, jobs and datasets, as OpenLineage's own client has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from openlineage.client.facet_v2 import (
    DatasetFacet,
    JobFacet,
    RunFacet,
    catalog_dataset,
    column_lineage_dataset,
    data_quality_assertions_dataset,
    data_quality_metrics_dataset,
    dataset_type_dataset,
    dataset_version_dataset,
    error_message_run,
    external_query_run,
    job_type_job,
    lifecycle_state_change_dataset,
    output_statistics_output_dataset,
    parent_run,
    processing_engine_run,
    schema_dataset,
    sql_job,
    symlinks_dataset,
    tags_run,
)

from etltctl.ledger import REMOTE_KNOWN
from etltctl.observers.lineage.datasets import DatasetName, Datasets
from etltctl.observers.lineage.origin import NamedRun, Origin
from etltctl.observers.lineage.tries import Change, Transition
from etltctl.settings.column_lineage import column_lineage

if TYPE_CHECKING:
    from etltctl.ledger import Event

PRODUCER = f"urn:etltctl:{version('etltctl')}"
INTEGRATION = "ETLTCTL"
PARTITIONS = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}  # of ARNs, by the beginning of the region
CATALOG = "AwsDataCatalog"  # Athena's name of the account's Glue catalog
CREATED_OR_REPLACED = {
    "created": lifecycle_state_change_dataset.LifecycleStateChange.CREATE,
    "updated": lifecycle_state_change_dataset.LifecycleStateChange.OVERWRITE,
}


def parent_facet(parent: NamedRun, root: NamedRun | None) -> RunFacet:
    """Return the facet that names the run above, and the run at the top."""
    top = root or parent
    return parent_run.ParentRunFacet(
        run=parent_run.Run(parent.run_id),
        job=parent_run.Job(parent.namespace, parent.job),
        root=parent_run.Root(
            run=parent_run.RootRun(top.run_id), job=parent_run.RootJob(top.namespace, top.job)
        ),
        producer=PRODUCER,
    )


def run_facets(transition: Transition) -> dict[str, RunFacet]:
    """Return what is known of a try: the engine, the remote run, what its start did, and the error that ended it."""
    facets: dict[str, RunFacet] = {
        "processing_engine": processing_engine_run.ProcessingEngineRunFacet(
            version("etltctl"), "etltctl", version("openlineage-python"), producer=PRODUCER
        )
    }
    end = transition.end
    tags = {"etltctl_run": str(transition.at["run_id"]), "etltctl_try": str(transition.of.number)}
    tags |= {f"etltctl_{name}": str(end[name]) for name in ("outcome", "verb", "cause") if end.get(name)}
    facets["tags"] = tags_run.TagsRunFacet(
        [tags_run.TagsRunFacetFields(key, value, INTEGRATION) for key, value in tags.items()],
        producer=PRODUCER,
    )
    if remote := transition.newest(*REMOTE_KNOWN):
        facets["externalQuery"] = external_query_run.ExternalQueryRunFacet(
            str(remote["remote_id"]), str(remote.get("service", "")).lower(), producer=PRODUCER
        )
    if transition.change in (Change.FAIL, Change.ABORT):
        facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(
            _error_text(transition), "Python", producer=PRODUCER
        )
    return facets


def _error_text(transition: Transition) -> str:
    """Return what ended a try badly, after the code of its cause; the ledger masks secrets before it keeps them."""
    end = transition.end or (transition.at if transition.at["type"] == "run.finished" else {})
    if end.get("error"):
        text = str(end["error"])
    elif end and not transition.of.step and end.get("outcome") != "interrupted":
        text = f"{end.get('outcome')}: the event of a step has the error"
    else:
        text = str(end.get("outcome") or "the process that drove the run ended without a word")
    explanation = str(end.get("explanation") or "")
    text = f"{text}\n{explanation}" if explanation and explanation not in text else text
    return f"{end['cause']}: {text}" if end.get("cause") else text


def job_facets(kind: str, transition: Transition) -> dict[str, JobFacet]:
    """Return the type of a job, and the statement that a query ran.

    Args:
        kind: The kind of the step; `pipeline` for the run itself.
        transition: The start or end of the try.
    """
    facets: dict[str, JobFacet] = {
        "jobType": job_type_job.JobTypeJobFacet("BATCH", INTEGRATION, kind.upper(), producer=PRODUCER)
    }
    intended = transition.newest("remote.intended")
    if intended and intended.get("sql"):
        facets["sql"] = sql_job.SQLJobFacet(str(intended["sql"]), "athena", producer=PRODUCER)
    return facets


def table_facets(name: DatasetName, in_catalog: tuple[str, str], origin: Origin) -> dict[str, DatasetFacet]:
    """Return what is known of any table: its type, and its names in the catalog.

    Args:
        name: The dataset.
        in_catalog: Its database, and its name there.
        origin: The account and region of the catalog, as far as they are known.
    """
    facets: dict[str, DatasetFacet] = {
        "datasetType": dataset_type_dataset.DatasetTypeDatasetFacet("TABLE", producer=PRODUCER)
    }
    if identifiers := _in_catalogs(*in_catalog, origin):
        facets["symlinks"] = symlinks_dataset.SymlinksDatasetFacet(identifiers, producer=PRODUCER)
    if origin.region and origin.account:
        facets["catalog"] = catalog_dataset.CatalogDatasetFacet(
            framework="hive",
            type="glue",
            name=CATALOG,
            metadataUri=_catalog_arn(origin),
            warehouseUri=name.namespace,
            source="athena",
            producer=PRODUCER,
        )
    return facets


def schema_facet(columns: Mapping[str, str]) -> DatasetFacet | None:
    """Return the columns of a table with their Hive types; None if they are not known."""
    if not columns:
        return None
    fields = [
        schema_dataset.SchemaDatasetFacetFields(column, kind, ordinal_position=place)
        for place, (column, kind) in enumerate(columns.items(), start=1)
    ]
    return schema_dataset.SchemaDatasetFacet(fields, producer=PRODUCER)


def _catalog_arn(origin: Origin) -> str:
    partition = next((name for start, name in PARTITIONS.items() if origin.region.startswith(start)), "aws")
    return f"arn:{partition}:glue:{origin.region}:{origin.account}"


def _in_catalogs(database: str, table: str, origin: Origin) -> list[symlinks_dataset.Identifier]:
    identifiers = []
    if origin.region and origin.account:
        # Spark's integration names tables of Glue so, which joins the lineage of both.
        name = f"table/{database}/{table}"
        identifiers.append(symlinks_dataset.Identifier(_catalog_arn(origin), name, "TABLE"))
    if origin.region:
        namespace = f"awsathena://athena.{origin.region}.amazonaws.com"
        identifiers.append(symlinks_dataset.Identifier(namespace, f"{CATALOG}.{database}.{table}", "TABLE"))
    return identifiers


def version_facets(published: Mapping[str, Any]) -> dict[str, DatasetFacet]:
    """Return what a publish says of its table: the version, whether it is the first, and its counts."""
    facets: dict[str, DatasetFacet] = {}
    if published.get("version"):
        facets["version"] = dataset_version_dataset.DatasetVersionDatasetFacet(
            str(published["version"]), producer=PRODUCER
        )
    if change := CREATED_OR_REPLACED.get(str(published.get("change"))):
        facets["lifecycleStateChange"] = lifecycle_state_change_dataset.LifecycleStateChangeDatasetFacet(
            change, producer=PRODUCER
        )
    if "rows" in published:
        facets["dataQualityMetrics"] = data_quality_metrics_dataset.DataQualityMetricsDatasetFacet(
            columnMetrics={},
            rowCount=published["rows"],
            bytes=published.get("bytes"),
            fileCount=published.get("files"),
            producer=PRODUCER,
        )
    return facets


def statistics(
    published: Mapping[str, Any],
) -> output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet:
    """Return how much was written, as far as it is on record."""
    return output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(
        published.get("rows"), published.get("bytes"), published.get("files"), producer=PRODUCER
    )


def column_lineage_facet(datasets: Datasets, table: str) -> DatasetFacet | None:
    """Return the columns that each column of a table is made of; None if nothing is declared.

    A column of an input that the input does not have, such as an optional field of a source, is left out.
    """
    declared = column_lineage(datasets.settings, table)
    if not declared:
        return None
    columns: dict[str, Mapping[str, str]] = {}
    fields = {}
    for column, inputs in declared.items():
        input_fields = []
        for name in inputs:
            source, _, field = name.rpartition(".")
            known = columns.setdefault(source, datasets.columns(source))
            # Column names of the catalog are in lower case, and so are those of contracts.
            if not known or field.lower() in known:
                place = datasets.table(source)
                input_fields.append(
                    column_lineage_dataset.InputField(place.namespace, place.name, field.lower())
                )
        fields[column] = column_lineage_dataset.Fields(input_fields)
    return column_lineage_dataset.ColumnLineageDatasetFacet(fields, producer=PRODUCER)


def assertions_facet(
    rules: Sequence[str], broken: Sequence[Event]
) -> data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet:
    """Return the result of every rule of a table.

    Args:
        rules: The names of the rules that were evaluated.
        broken: The events of the rules that the version breaks.
    """
    failed = {str(event.get("name") or event["rule"]): event for event in broken}
    assertions = [_assertion(name, failed.get(name)) for name in dict.fromkeys([*rules, *failed])]
    return data_quality_assertions_dataset.DataQualityAssertionsDatasetFacet(assertions, producer=PRODUCER)


def _assertion(name: str, broken: Event | None) -> data_quality_assertions_dataset.Assertion:
    if broken is None:
        return data_quality_assertions_dataset.Assertion(name, success=True, severity="error", name=name)
    return data_quality_assertions_dataset.Assertion(
        name,
        success=False,
        severity="warn" if broken.get("reaction") == "evolve" else "error",
        name=name,
        description=str(broken["rule"]),
        actual=str(broken.get("count", "")),
    )
