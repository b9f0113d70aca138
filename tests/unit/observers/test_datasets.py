"""Datasets are named as OpenLineage's naming conventions say, and never hold a user or a password."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from etltctl.observers.lineage.datasets import Datasets
from etltctl.observers.lineage.facets import schema_facet, table_facets
from etltctl.observers.lineage.origin import NamedRun, Origin
from etltctl.settings import Settings, load_settings

PROJECT = Path(__file__).parents[3]
RUN = "01a22499-f800-705b-af76-9c816594f9ce"


def settings_with(**flags: Any) -> Settings:
    """Return the shipped settings with other values."""
    dotted = {name.replace("__", "."): value for name, value in flags.items()}
    return load_settings(config=PROJECT / "etltctl.toml", env="local", environ={}, flags=dotted)


def names(settings: Settings, *things: str) -> list[tuple[str, str]]:
    """Return namespace and name of what a step reads or writes."""
    return [tuple(name) for name, _ in Datasets(settings).named(things)]


def test_tables_are_folders_in_s3_whatever_their_version() -> None:
    assert names(settings_with(), "gold.weather_daily", "silver_rejects.f1_row", "bronze.api_races") == [
        ("s3://pi-m3-gold", "weather_daily"),
        ("s3://pi-m3-silver", "rejects/f1_row"),
        ("s3://pi-m3-bronze", "api/races"),
    ]


@pytest.mark.parametrize(
    ("uri", "namespace"),
    [
        ("sample:", "mongodb://sample"),
        ("mongodb://me:pass@db.example.com/weather", "mongodb://db.example.com:27017"),
        (
            "mongodb://me:p%40ss@a.example.com:27018,b.example.com/?replicaSet=r",
            "mongodb://a.example.com:27018",
        ),
        ("mongodb+srv://me:pass@cluster.example.net", "mongodb://cluster.example.net:27017"),
        ("mongodb://[::1]/weather", "mongodb://[::1]:27017"),
        ("env:NO_SUCH_URI", "mongodb://mongodb"),
        ("secretsmanager:weather#uri", "mongodb://mongodb"),
    ],
)
def test_a_collection_is_named_by_its_server(uri: str, namespace: str) -> None:
    named = names(settings_with(sources__mongodb__uri=uri), "source mongodb")
    assert named == [(namespace, "weather.observations")]


@pytest.mark.parametrize(
    ("url", "first"),
    [
        ("sample:", ("http://sample", "races")),
        (
            "https://me:pass@api.example.com:8443/ergast/f1/",
            ("https://api.example.com:8443", "ergast/f1/races"),
        ),
    ],
)
def test_a_stream_of_an_api_is_named_by_its_address(url: str, first: tuple[str, str]) -> None:
    settings = settings_with(sources__api__base_url=url, sources__api__seasons=[2024])
    assert names(settings, "source api")[0] == first


def test_a_data_source_is_named_by_its_site_and_project() -> None:
    tableau = {
        "server": "https://tableau.example.com",
        "datasources": {"daily": {"table": "gold.weather_daily"}},
    }
    assert names(settings_with(tableau=tableau), "data source daily") == [
        ("tableau://tableau.example.com", "default/default/daily")
    ]


@pytest.mark.parametrize(
    ("region", "partition"), [("us-east-2", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")]
)
def test_a_table_has_its_names_in_glue_and_athena_as_symlinks(region: str, partition: str) -> None:
    datasets = Datasets(settings_with())
    name, place = datasets.table("gold.weather_daily"), datasets.in_catalog("gold.weather_daily")
    facets = table_facets(name, place, Origin("123456789012", region))
    symlinks: Any = facets["symlinks"]
    assert [(each.namespace, each.name, each.type) for each in symlinks.identifiers] == [
        (f"arn:{partition}:glue:{region}:123456789012", "table/pi_m3_gold/weather_daily", "TABLE"),
        (f"awsathena://athena.{region}.amazonaws.com", "AwsDataCatalog.pi_m3_gold.weather_daily", "TABLE"),
    ]
    assert set(table_facets(name, place, Origin())) == {"datasetType"}


def test_unknown_columns_make_no_schema_facet() -> None:
    assert Datasets(settings_with(state="/nowhere")).columns("gold.weather_daily") == {}
    assert schema_facet({}) is None


@pytest.mark.parametrize("text", ["", "a/b", f"/job/{RUN}", "a/b/not-a-uuid", f"a/b/{RUN[:-1]}-", None])
def test_a_text_that_names_no_run_is_no_parent(text: object) -> None:
    assert NamedRun.parse(text) is None


def test_the_run_above_is_the_root_unless_another_is_named() -> None:
    above = NamedRun("ns", "dag/task", RUN)
    assert NamedRun.parse(f"ns/dag/task/{RUN}") == above
    assert Origin.of({"parent": f"ns/dag/task/{RUN}"}) == Origin(parent=above, root=above)
