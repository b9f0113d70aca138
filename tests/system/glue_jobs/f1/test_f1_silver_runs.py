"""A whole run of the job that writes silver Formula 1: its counts, its checks, and the same bytes every time."""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from lake import JobArguments, QualityError
from support.audits import counts_of
from support.f1_records import qualifying, race, result

pytestmark = pytest.mark.spark
Write = Callable[..., str]


def season(**changes: Any) -> dict[str, list[dict[str, Any]]]:
    """Return a consistent season of one race, stream by stream."""
    streams = {
        "races": [{"season": "2024", "round": "1", "date": "2024-03-02", "Circuit": {"circuitId": "spa"}}],
        "circuits": [{"circuitId": "spa", "circuitName": "Spa"}],
        "drivers": [{"driverId": "senna"}, {"driverId": "prost"}],
        "constructors": [{"constructorId": "lotus"}],
        "results": [race(result(1, "senna"), result(2, "prost"))],
    }  # fmt: skip
    return {**streams, **changes}


@pytest.fixture
def run_job(spark: SparkSession, write_stream: Write, tmp_path: Path) -> Callable[..., dict[str, str]]:
    """Return a function that runs the job on streams and returns the locations of its tables."""

    def run_job(
        streams: Mapping[str, Any], *more: str, folder: str = "lake", **config: Any
    ) -> dict[str, str]:
        from bronze_to_silver_api import run

        inputs = {f"bronze.api_{name}": write_stream(name, records) for name, records in streams.items()}
        tables = (
            "silver.f1_race",
            "silver.f1_circuit",
            "silver.f1_driver",
            "silver.f1_constructor",
            "silver.f1_result",
        )
        outputs = {table: str(tmp_path / folder / table) for table in (*tables, *more)}
        run(spark, JobArguments("run-1", inputs, outputs, config))
        return outputs

    return run_job


def test_a_run_counts_what_it_read_kept_merged_and_rejected(
    run_job: Callable[..., dict[str, str]], spark: SparkSession
) -> None:
    nameless = {**result(3, "x"), "Driver": {}}
    records = [race(result(1, "senna"), result(2, "prost"), nameless), race(result(2, "prost"))]
    rejects = "silver_rejects.f1_row"
    written = run_job(season(results=records), rejects, max_reject_share=0.5)
    counts = {"rows_in": 4, "rows_out": 2, "merged": 1, "rejected": 1, "flags": {}}
    assert counts_of(written["silver.f1_result"]) == {"table": "silver.f1_result", **counts}
    (rejected,) = spark.read.parquet(written[rejects]).collect()
    assert (rejected.table_name, rejected.reason) == ("silver.f1_result", "KEY_MISSING")
    assert json.loads(rejected.row)["position"] == "3"
    assert counts_of(written[rejects]) == {"table": rejects, "rows_out": 1}


def test_too_many_rejections_fail_the_run_and_are_reported(run_job: Callable[..., dict[str, str]]) -> None:
    records = [race(result(1, "senna")), {"season": "2024", "round": "2", "Results": '[{"position": "1"'}]
    with pytest.raises(QualityError, match=r"1 of 2 rows rejected.*JSON_INVALID 1 times"):
        run_job(season(results=records))


def test_every_reference_without_a_target_fails_the_run(run_job: Callable[..., dict[str, str]]) -> None:
    orphans = season(
        drivers=[{"driverId": "senna"}],
        constructors=[{"constructorId": "ferrari"}],
        circuits=[{"circuitId": "monza"}],
        results=[race(result(1, "senna"), result(2, "prost"), round_=9)],
    )
    with pytest.raises(QualityError, match="references without a target") as raised:
        run_job(orphans)
    assert str(raised.value).count(" names ") == 4
    for name, dimension in (
        ("prost", "driver"), ("lotus", "constructor"), ("spa", "circuit"), ("2024/9", "race"),
    ):  # fmt: skip
        assert f"names {name}, not in silver.f1_{dimension}" in str(raised.value)


def test_a_rule_can_be_set_to_fail_the_run(run_job: Callable[..., dict[str, str]]) -> None:
    gap = season(results=[race(result(1, "senna"), result(3, "prost"))])
    with pytest.raises(QualityError, match="POSITION_GAP"):
        run_job(gap, rule_actions={"POSITION_GAP": "fail"})


def test_streams_that_were_never_written_are_empty_tables(
    run_job: Callable[..., dict[str, str]], spark: SparkSession
) -> None:
    written = run_job(season(), "silver.f1_pit_stop", "silver.f1_lap", "silver_rejects.f1_row")
    assert counts_of(written["silver.f1_pit_stop"])["rows_out"] == 0
    assert spark.read.parquet(written["silver_rejects.f1_row"]).count() == 0


@pytest.mark.parametrize(
    ("config", "message"),
    [({"rule_action": {}}, "rule_action"), ({"rule_actions": {"NO_RULE": "flag"}}, "NO_RULE")],
)
def test_an_unknown_setting_is_named(
    run_job: Callable[..., dict[str, str]], config: dict[str, Any], message: str
) -> None:
    with pytest.raises((KeyError, ValueError), match=message):
        run_job({}, **config)


def test_the_same_bronze_gives_the_same_bytes(
    run_job: Callable[..., dict[str, str]], spark: SparkSession, tmp_path: Path
) -> None:
    """Both jobs, twice: every Parquet file of silver and gold is the same to the byte."""
    import silver_to_gold_api

    more = (
        "silver.f1_qualifying",
        "silver.f1_pit_stop",
        "silver.f1_driver_standing",
        "silver.f1_constructor_standing",
    )
    entries = [qualifying("senna", 1, "1:20.0"), qualifying("prost", 2, "1:20.5")]
    streams = season(qualifying=[{"season": "2024", "round": "1", "QualifyingResults": entries}])

    def digests(folder: str) -> dict[str, str]:
        silver = run_job(streams, *more, folder=folder)
        gold = {table: str(tmp_path / folder / table) for table in silver_to_gold_api.TABLES}
        silver_to_gold_api.run(spark, JobArguments("run-1", silver, gold, {}))
        files = sorted((tmp_path / folder).rglob("*.parquet"))
        return {file.parent.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}

    first = digests("first")
    assert first == digests("again")
    assert set(silver_to_gold_api.TABLES) | set(more) <= set(first), "one file a table"


def test_an_incremental_run_reads_the_files_that_are_listed(
    spark: SparkSession, write_stream: Write, tmp_path: Path
) -> None:
    """A file that lands meanwhile belongs to the next run; a stream without files has no records."""
    from bronze_to_silver_api import run

    circuits = write_stream("circuits", [{"circuitId": "spa", "circuitName": "Spa"}], synced_at=1)
    write_stream("circuits", [{"circuitId": "monza", "circuitName": "Monza"}], circuits, synced_at=2)
    drivers = write_stream("drivers", [{"driverId": "senna"}])
    changes = tmp_path / "changes.json"
    files = {"bronze.api_circuits": [f"{circuits}2026_01_02_1_0.parquet"], "bronze.api_drivers": []}
    changes.write_text(json.dumps({"files": files, "states": {}}), "utf-8")
    outputs = {table: str(tmp_path / table) for table in ("silver.f1_circuit", "silver.f1_driver")}
    inputs = {"bronze.api_circuits": circuits, "bronze.api_drivers": drivers}
    run(spark, JobArguments("run-1", inputs, outputs, {}, changes=str(changes)))
    assert {table: counts_of(place)["rows_in"] for table, place in outputs.items()} == {
        "silver.f1_circuit": 1, "silver.f1_driver": 0,
    }  # fmt: skip
