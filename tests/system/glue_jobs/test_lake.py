"""Shared code of the Spark scripts: arguments, the newest generation of a stream, tables written once."""

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pyspark.errors import AnalysisException
from pyspark.sql import SparkSession
from pyspark.sql.types import StructType

import f1_changes
import weather_places
from changes import Changes, FullRunNeeded, read_changes, read_state
from lake import JobArguments, arguments, read_stream, spark_session, write_audit, write_table
from weather_state import SilverState


@pytest.fixture
def _glue_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in for Glue's module: `--name value` pairs, of which the named ones are required."""

    def get_resolved_options(argv: list[str], names: list[str]) -> dict[str, str]:
        pairs = dict(zip(argv[1::2], argv[2::2], strict=True))
        return {name: pairs[f"--{name}"] for name in names}

    utils: Any = ModuleType("awsglue.utils")
    utils.getResolvedOptions = get_resolved_options
    monkeypatch.setitem(sys.modules, "awsglue", ModuleType("awsglue"))
    monkeypatch.setitem(sys.modules, "awsglue.utils", utils)


ARGV = ["job.py", "--run_id", "r1", "--inputs", '{"a.b": "s3://x/"}', "--outputs", '{"c.d": "s3://y/"}']


@pytest.mark.usefixtures("_glue_arguments")
def test_the_config_argument_may_be_absent() -> None:
    job = arguments(ARGV)
    assert (job.run_id, job.inputs, job.outputs) == ("r1", {"a.b": "s3://x/"}, {"c.d": "s3://y/"})
    assert job.config == {}
    assert arguments([*ARGV, "--config", '{"hub_height_m": 80}']).config == {"hub_height_m": 80}


@pytest.mark.usefixtures("_glue_arguments")
def test_only_an_incremental_job_has_changes() -> None:
    assert arguments(ARGV).changes is None
    assert arguments([*ARGV, "--changes", "s3://x/changes.json"]).changes == "s3://x/changes.json"


@pytest.mark.spark
def test_changes_name_what_is_missing_and_may_say_more_than_is_known(
    spark: SparkSession, tmp_path: Path
) -> None:
    place = tmp_path / "changes.json"
    with pytest.raises(FileNotFoundError, match=r"changes\.json, named by --changes, does not exist"):
        read_changes(spark, str(place))
    place.write_text('{"format": "x/1", "files": {"a.b": ["s3://x/f.parquet"]}, "base": {}}', "utf-8")
    changes = read_changes(spark, str(place))
    assert changes == Changes(files={"a.b": ["s3://x/f.parquet"]})
    with pytest.raises(FullRunNeeded, match=r"the earlier run left no state of a\.b"):
        read_state(spark, changes, "a.b", dict)


@pytest.mark.spark
@pytest.mark.parametrize(
    "content", ['{"sea', "null", "[1]", "{}", '{"seasons": null}', '{"seasons": ["2024"]}']
)
@pytest.mark.parametrize("parse", [f1_changes.seasons_in, weather_places.counts_in, SilverState.of])
def test_a_damaged_state_makes_a_full_run(
    spark: SparkSession, tmp_path: Path, content: str, parse: Callable[[Mapping[str, Any]], object]
) -> None:
    (tmp_path / "state.json").write_text(content)
    changes = Changes(base_states={"a.b": f"{tmp_path}/"})
    with pytest.raises(FullRunNeeded, match=r"the state that the earlier run left of a\.b is damaged"):
        read_state(spark, changes, "a.b", parse)


@pytest.mark.spark
def test_absent_columns_are_null_and_others_cast(spark: SparkSession, tmp_path: Path) -> None:
    spark.sql("select 1.5 as dt, 'x' as extra").write.parquet(str(tmp_path / "stream"))
    schema = StructType().add("dt", "string").add("lat", "double")
    (row,) = read_stream(spark, str(tmp_path / "stream"), schema).collect()
    assert (row.dt, row.lat, row.source_row) == ("1.5", None, 0)
    assert row.source_file.startswith("file:")


@pytest.mark.spark
def test_a_table_is_never_written_twice(spark: SparkSession, tmp_path: Path) -> None:
    rows = spark.sql("select 1 as id, 'x' as part")
    write_table(rows, str(tmp_path / "table"), ("part",))
    assert list((tmp_path / "table" / "part=x").glob("*.snappy.parquet"))
    with pytest.raises(AnalysisException, match="PATH_ALREADY_EXISTS"):
        write_table(rows, str(tmp_path / "table"))


@pytest.mark.spark
def test_the_audit_is_one_line_next_to_the_table_which_holds_parquet_alone(
    spark: SparkSession, tmp_path: Path
) -> None:
    location, audits = str(tmp_path / "table"), {"gold.thing": str(tmp_path / "audit")}
    job = JobArguments("run-1", {}, {"gold.thing": location}, {}, audits)
    write_table(spark.sql("select 1 as id"), location)
    write_audit(spark, job.audit_location("gold.thing"), {"table": 'it\'s "quoted"', "rows_out": 1})
    (line,) = "".join(path.read_text() for path in Path(tmp_path, "audit").glob("part-*")).splitlines()
    assert json.loads(line) == {"table": 'it\'s "quoted"', "rows_out": 1}
    names = [path.name for path in Path(location).rglob("*") if not path.name.endswith(".crc")]
    assert [name.endswith(".parquet") for name in names] == [True]


@pytest.mark.spark
def test_an_audit_is_written_once(spark: SparkSession, tmp_path: Path) -> None:
    location = str(tmp_path / "audit")
    write_audit(spark, location, {"rows_out": 1})
    with pytest.raises(FileExistsError, match="written once"):
        write_audit(spark, location, {"rows_out": 2})
    assert [path.read_text() for path in Path(location).glob("part-*")] == ['{"rows_out": 1}\n']


@pytest.mark.spark
@pytest.mark.parametrize(("is_small", "adaptive", "partitions"), [(False, "true", "2"), (True, "false", "1")])
def test_a_job_of_small_tables_shuffles_into_one_partition_and_is_planned_once(
    spark: SparkSession, is_small: bool, adaptive: str, partitions: str
) -> None:
    try:
        spark_session("job", is_small)
        assert spark.conf.get("spark.sql.adaptive.enabled") == adaptive
        assert spark.conf.get("spark.sql.shuffle.partitions") == partitions
    finally:
        spark.conf.unset("spark.sql.shuffle.partitions")
        spark_session("tests")
