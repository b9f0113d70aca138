"""A whole run of the job that writes silver weather: its tables, its counts, and its checks."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from lake import JobArguments, QualityError
from support.audits import counts_of
from support.weather_rows import HOUR, NOON, document

pytestmark = pytest.mark.spark
WriteBronze = Callable[..., str]


def test_more_than_one_percent_of_rejections_fail_the_run() -> None:
    from bronze_to_silver import check_counts

    check_counts({"rows_in": 200, "rows_out": 198, "merged": 0, "rejected": 2}, 0.01)
    with pytest.raises(QualityError, match="3 of 200 documents rejected"):
        check_counts({"rows_in": 200, "rows_out": 197, "merged": 0, "rejected": 3}, 0.01)
    with pytest.raises(QualityError, match="rows in are not rows out"):
        check_counts({"rows_in": 200, "rows_out": 199, "merged": 0, "rejected": 0}, 0.01)


def test_a_run_writes_the_requested_tables_and_their_counts(
    spark: SparkSession, write_weather_bronze: WriteBronze, tmp_path: Path
) -> None:
    """One wrong reading does not make the others Kelvin."""
    from bronze_to_silver import REJECTS, SOURCE, TABLE, run

    hot = document(dt=NOON + HOUR, dt_iso=None, main={"temp": 288.15})
    location = write_weather_bronze([document(), document(), hot, document(dt=None, _id="x")])
    outputs = {TABLE: str(tmp_path / "silver"), REJECTS: str(tmp_path / "rejects")}
    run(spark, JobArguments("run-1", {SOURCE: location}, outputs, {"max_reject_share": 0.5}))
    counts = {"rows_in": 4, "rows_out": 2, "merged": 1, "rejected": 1, "flags": {"TEMP_RANGE": 1}}
    assert counts_of(tmp_path / "silver") == {"table": TABLE, **counts}
    rows = spark.read.parquet(outputs[TABLE]).orderBy("observed_at").collect()
    assert [row.temp_c for row in rows] == [15.0, None]
    assert [row.reason for row in spark.read.parquet(outputs[REJECTS]).collect()] == ["DT_MISSING"]
    assert counts_of(tmp_path / "rejects") == {"table": REJECTS, "rows_out": 1}


def test_a_run_that_keeps_no_row_ends_and_fails(
    spark: SparkSession, write_weather_bronze: WriteBronze, tmp_path: Path
) -> None:
    from bronze_to_silver import SOURCE, TABLE, run

    location = write_weather_bronze([document(dt=None)])
    with pytest.raises(QualityError, match="DT_MISSING 1 times, as in"):
        run(spark, JobArguments("run-1", {SOURCE: location}, {TABLE: str(tmp_path / "silver")}, {}))
    assert counts_of(tmp_path / "silver")["rows_out"] == 0


def test_temperatures_of_other_units_fail_the_run(
    spark: SparkSession, write_weather_bronze: WriteBronze, tmp_path: Path
) -> None:
    from bronze_to_silver import SOURCE, TABLE, run

    documents = [document(dt=NOON + index * HOUR, main={"temp": 288.15}) for index in range(3)]
    inputs, outputs = {SOURCE: write_weather_bronze(documents)}, {TABLE: str(tmp_path / "silver")}
    with pytest.raises(QualityError, match=r'units.*"metric"'):
        run(spark, JobArguments("run-1", inputs, outputs, {"units": "metric"}))


def test_the_units_are_checked_by_the_median_temperature() -> None:
    from weather_units import check_units

    check_units({"temperatures": 3, "hot": 1}, "metric")
    check_units({"temperatures": 3, "hot": 2}, "standard")
    with pytest.raises(QualityError, match=r'units.*"standard"'):
        check_units({"temperatures": 3, "hot": 0}, "standard")


def test_a_place_whose_every_document_is_rejected_fails_the_run(
    spark: SparkSession, write_weather_bronze: WriteBronze, tmp_path: Path
) -> None:
    from bronze_to_silver import SOURCE, TABLE, run

    location = write_weather_bronze([document(), document(city_name="Riohacha", dt=None)])
    job = JobArguments("r", {SOURCE: location}, {TABLE: str(tmp_path / "silver")}, {"max_reject_share": 0.5})
    with pytest.raises(QualityError, match="rejected of: riohacha"):
        run(spark, job)


def test_an_unknown_setting_is_named() -> None:
    from job_config import WEATHER, read_config

    with pytest.raises(KeyError, match="hub_hight_m"):
        read_config(WEATHER, {"hub_hight_m": 90})


@pytest.mark.pack
def test_the_pack_gives_its_known_rows(spark: SparkSession, pack_lake: dict[str, str]) -> None:
    from bronze_to_silver import TABLE

    location = Path(pack_lake[TABLE])
    flags = {
        "WIND_RANGE": 1,
        "GUST_LT_SPEED": 1,
        "DUP_CONFLICT": 15,
        "NO_CLOUDS": 26_250,
        "NO_WIND": 2,
        "COORD_PLACE": 3,
    }
    counts = {"rows_in": 31_779, "rows_out": 31_524, "merged": 255, "rejected": 0}
    assert counts_of(location) == {"table": TABLE, **counts, "flags": flags}
    rows = spark.read.parquet(str(location))
    assert rows.select("city_key", "observed_at").distinct().count() == 31_524
    assert not math.isnan(rows.agg(F.avg("air_density_kgm3")).first()[0])
