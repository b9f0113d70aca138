"""Checks that compare settings with each other: unknown names, nested locations, grants beyond the limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import TYPE_CHECKING

from etltctl.errors import guess_text
from etltctl.settings.governance import Governance
from etltctl.settings.layers import KeyPath
from etltctl.settings.project_names import DEFAULT_PROJECT
from etltctl.settings.sources import HttpSource
from etltctl.values import TableName, layer_of

if TYPE_CHECKING:
    from etltctl.settings.checks import TableRules
    from etltctl.settings.model import Settings

Problems = Iterator[tuple[KeyPath, str]]
FILTERS_PER_TABLE = 100  # of one principal; this and the next are Lake Formation's own limits
VALUES_PER_TAG = 1000
WORKERS_FOR_FILTERS = 4  # the fewest with which a Glue job may read through row or column filters


def cross_checks(settings: Settings) -> Problems:
    """Yield each problem with the path of its setting.

    Args:
        settings: The settings, each value of which is valid by itself.
    """
    yield from _unnamed(settings)
    yield from _overlaps(settings)
    yield from _written_twice(settings)
    yield from _unknown_tables(settings)
    yield from _incremental_jobs(settings)
    yield from _sql_tables(settings)
    yield from _unknown_pipelines(settings)
    yield from _repeated_steps(settings)
    yield from _out_of_place(settings.tables)
    yield from _shared_databases(settings)
    for name, source in settings.sources.items():
        if isinstance(source, HttpSource) and source.seasons == "all" and source.base_url != "sample:":
            text = (
                f'sources.{name}.seasons = "all" is for the sample only: name the seasons, like [2023, 2024]'
            )
            yield ("sources", name, "base_url"), text
    yield from _governance(settings)


def _unnamed(settings: Settings) -> Problems:
    """Yield a problem if an environment on AWS has no project: names in an account should never come by default."""
    if settings.environment.has_stack and "project" not in settings.model_fields_set:
        text = (
            f"project is missing, and environment {settings.env} names its buckets, roles and stack after it: write "
            f'project = "{DEFAULT_PROJECT}", or another name, at the top of the file'
        )
        yield ("project",), text


def _shared_databases(settings: Settings) -> Problems:
    layers: dict[str, str] = {}
    for layer, database in settings.athena.databases.items():
        other = layers.setdefault(database, layer)
        if other != layer:
            text = f"the layers {other} and {layer} cannot share the database {database}: name another for one of them"
            yield ("athena", "databases"), text


def folders(settings: Settings) -> dict[str, str]:
    """Return every folder that belongs to one thing alone, by what it is for."""
    places = settings.stream_tables()
    for table in settings.versioned_tables():
        name = TableName.parse(table)
        places[table] = f"{settings.lake.root(name.layer)}/{name.name}/"
    places |= {table: rules.location for table, rules in settings.tables.items() if rules.location}
    places["the results of queries"] = settings.athena.output_location
    places["the scripts of the jobs"] = f"{settings.lake.scripts}/glue_jobs/"
    return places


def _overlaps(settings: Settings) -> Problems:
    """Yield each folder inside another: deleting the outer one would delete it too.

    A folder's name ends with `/`: `orders` is not inside `orders_old`.
    """
    by_place = sorted((location, what) for what, location in folders(settings).items())
    for (outer, owner), (inner, what) in pairwise(by_place):
        if inner.startswith(outer):
            text = f"{what} at {inner} lies inside {owner} at {outer}: give one of them another place"
            yield ("lake",), text


def _written_twice(settings: Settings) -> Problems:
    """Yield each table with two writers, because the later would undo the earlier."""
    writers: dict[str, str] = {}
    written: list[tuple[KeyPath, str, str]] = [
        (("glue", "jobs", name, "writes"), f"job {name}", table)
        for name, job in settings.glue.jobs.items()
        for table in job.writes
    ]
    written += [(("sql", name, "writes"), f"sql.{name}", each.writes) for name, each in settings.sql.items()]
    for path, writer, table in written:
        if table in writers:
            yield path, f"table {table} is written by {writers[table]} already: a table has one writer"
        writers.setdefault(table, writer)


def _incremental_jobs(settings: Settings) -> Problems:
    """Yield each incremental job that reads what it writes, or that writes nothing which could be added to."""
    for name, job in settings.glue.jobs.items():
        if not job.incremental:
            continue
        if own := [table for table in job.reads if table in job.writes]:
            text = (
                f"incremental job {name} reads {own[0]}, which it writes itself: what is new would depend on every "
                "run before; leave incremental out"
            )
            yield ("glue", "jobs", name, "incremental"), text
        if not job.reads or not job.writes:
            text = f"incremental job {name} needs tables in reads and in writes"
            yield ("glue", "jobs", name, "incremental"), text


def _sql_tables(settings: Settings) -> Problems:
    """Yield each table that a query reads and nothing makes, and each check that a query cannot fulfil."""
    known = [*folders(settings)]
    for name, sql in settings.sql.items():
        for table in sql.reads:
            if table not in known:
                guess = guess_text(table, known)
                yield ("sql", name, "reads"), f"sql.{name} reads {table}, which nothing writes{guess}"
        if settings.rules(sql.writes).conserve_rows:
            text = f"conserve_rows needs a job that counts its rows, and sql.{name} writes {sql.writes}"
            yield ("tables", sql.writes, "conserve_rows"), text


def _unknown_tables(settings: Settings) -> Problems:
    """Yield each table with checks that no job, query or source writes, and that has no location."""
    known = [*folders(settings)]
    for table in settings.tables:
        if table not in known:
            guess = guess_text(table, known) or ", set its location if another program writes it"
            yield ("tables", table), f"no job, query or source writes table {table}{guess}"


def plots_of_unknown_tables(settings: Settings) -> Problems:
    """Yield each plot of a table that no job, query or source writes, and that has no location."""
    known = [*folders(settings)]
    for name, plot in settings.plots.items():
        if plot.table not in known:
            guess = guess_text(plot.table, known)
            yield (
                ("plots", name, "table"),
                f"plots.{name}: no job, query or source writes table {plot.table}{guess}",
            )


def _unknown_pipelines(settings: Settings) -> Problems:
    """Yield each receiver of notifications about a pipeline that does not exist."""
    for name, receiver in settings.notify.items():
        for pipeline in receiver.pipelines:
            if pipeline not in settings.pipelines:
                guess = guess_text(pipeline, settings.pipelines)
                yield ("notify", name, "pipelines"), f"notify.{name}: no pipeline is called {pipeline}{guess}"


def _repeated_steps(settings: Settings) -> Problems:
    """Yield each pipeline with a step twice: events and retries know a step of a run by its name."""
    for name, pipeline in settings.pipelines.items():
        for step in dict.fromkeys(pipeline.steps):
            if pipeline.steps.count(step) > 1:
                text = f"the step {step} is in pipeline {name} more than once: remove the others"
                yield ("pipelines", name, "steps"), text


def _out_of_place(tables: Mapping[str, TableRules]) -> Problems:
    """Yield each table whose files cannot be set aside: a version is published whole or not at all."""
    for table, rules in tables.items():
        for name in ("columns", "types"):
            if getattr(rules, name) == "quarantine" and not table.startswith("bronze."):
                text = f'tables."{table}".{name} = "quarantine" is for files of bronze: write "freeze" or "evolve"'
                yield ("tables", table, name), text


def _governance(settings: Settings) -> Problems:
    """Yield tags, filters and layers that nothing defines, and grants beyond the service's limits."""
    governance = settings.governance
    if governance == Governance():
        return
    if not governance.zones:
        yield ("governance",), "governance needs zones: which layers it is about"
        return
    yield from _zones(governance)
    yield from _tags(governance)
    yield from _grants(governance)
    yield from _limits(governance)
    yield from _filtered_jobs(settings)


def _zones(governance: Governance) -> Problems:
    layers = [layer for zone in governance.zones.values() for layer in zone.layers]
    for name, zone in governance.zones.items():
        if twice := [layer for layer in zone.layers if layers.count(layer) > 1]:
            yield ("governance", "zones", name), f"zone {name} shares the layer {twice[0]} with another"
    for number, opt_in in enumerate(governance.opt_ins):
        layer = opt_in.layer or layer_of(str(opt_in.table))
        zone_of = governance.zones.get(governance.layers.get(layer, ""))
        if zone_of is None or not zone_of.hybrid:
            yield (
                ("governance", "opt_ins", str(number)),
                f"an opt-in needs a hybrid zone, and {layer} is in none",
            )


def _tags(governance: Governance) -> Problems:
    for key, values in governance.tags.items():
        if len(values) > VALUES_PER_TAG:
            yield (
                ("governance", "tags", key),
                f"LF-tag {key} has {len(values)} values; {VALUES_PER_TAG} are allowed",
            )
    used: list[tuple[KeyPath, list[tuple[str, str]]]] = [
        (("governance", "assign", place), list(pairs.items())) for place, pairs in governance.assign.items()
    ]
    used += [
        (("governance", "grants", str(number), "tags"), [(k, v) for k, vs in grant.tags.items() for v in vs])
        for number, grant in enumerate(governance.grants)
    ]
    for path, pairs in used:
        for key, value in pairs:
            if value not in governance.all_tags.get(key, ()):
                yield path, f"LF-tag {key} = {value} is not among governance.tags or the zones"
    for place in governance.assign:
        if layer_of(place) not in governance.layers:
            yield ("governance", "assign", place), f"{place} is in no zone"


def _grants(governance: Governance) -> Problems:
    for table in governance.filters:
        if layer_of(table) not in governance.layers:
            yield ("governance", "filters", table), f"{table} is in no zone"
    for number, grant in enumerate(governance.grants):
        path = ("governance", "grants", str(number))
        layer = grant.layer or grant.location or layer_of(grant.table or "")
        if layer and layer not in governance.layers:
            yield path, f"a grant to {grant.principal} is about {grant.table or layer}, which is in no zone"
        for name in grant.filters:
            if name not in governance.filters.get(str(grant.table), {}):
                yield (*path, "filters"), f"{grant.table} has no filter {name} in governance.filters"


def _limits(governance: Governance) -> Problems:
    counts: dict[tuple[str, str], int] = {}
    for number, grant in enumerate(governance.grants):
        key = (grant.principal, str(grant.table))
        counts[key] = counts.get(key, 0) + len(grant.filters)
        if counts[key] > FILTERS_PER_TABLE:
            text = f"{grant.principal} has {counts[key]} filters of {grant.table}; {FILTERS_PER_TABLE} are allowed"
            yield ("governance", "grants", str(number)), text


def _filtered_jobs(settings: Settings) -> Problems:
    """Yield each filter of a Glue role whose job has too few workers to read through one."""
    small = {
        _role_name(job.role): name
        for name, job in settings.glue.jobs.items()
        if job.workers < WORKERS_FOR_FILTERS
    }
    for number, grant in enumerate(settings.governance.grants):
        job = small.get(_role_name(grant.principal.removeprefix("role:")))
        if job and grant.kind in {"filter", "columns"}:
            text = (
                f"{grant.principal} runs Glue job {job} with {settings.glue.jobs[job].workers} workers, and reading "
                f"through filters needs at least {WORKERS_FOR_FILTERS}: grant it the whole table"
            )
            yield ("governance", "grants", str(number)), text


def _role_name(role: str) -> str:
    return role.rpartition("/")[2]
