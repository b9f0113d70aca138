"""Shapes of weather documents: OpenWeather's flat export and One Call are read, and any other shape stops the run."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import Row, SparkSession

from lake import JobArguments, QualityError
from support.weather_rows import HOUR, NOON, document, observe

pytestmark = pytest.mark.spark

WriteBronze = Callable[..., str]
PLACE = {"city_name": "Puerto Prueba", "lat": -42.77, "lon": -65.04, "timezone": -10800}
FLAT = {
    **PLACE, "temp": 15.5, "feels_like": 15, "pressure": 1013, "humidity": 60, "wind_speed": 5.5, "wind_deg": 270,
    "clouds_all": 40, "rain_1h": 0.5, "weather_id": 802, "weather_main": "Clouds",
    "weather_description": 'so-called "scattered" clouds', "weather_icon": "03d",
}  # fmt: skip
ONE_CALL = {
    **PLACE, "timezone": "America/Argentina/Catamarca", "timezone_offset": -10800, "temp": 15.5, "pressure": 1013,
    "humidity": 60, "clouds": 40, "wind_speed": 5.5, "wind_deg": 270, "rain": {"1h": 0.5}, "pop": 0.87,
    "weather": [{"id": 802, "main": "Clouds", "description": "scattered clouds"}],
}  # fmt: skip
READ = {
    "city_key": "puerto_prueba", "utc_offset_s": -10800, "temp_c": 15.5, "pressure_msl_hpa": 1013.0,
    "humidity_pct": 60.0, "wind_speed_ms": 5.5, "wind_dir_deg": 270.0, "clouds_pct": 40.0, "rain_1h_mm": 0.5,
    "weather_id": 802, "weather_main": "Clouds", "dq_flags": [],
}  # fmt: skip


def written_by_airbyte(write: WriteBronze, *documents: dict[str, Any]) -> str:
    """Write bronze in which a number is a column of numbers, as discovery finds it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    location = write(documents)
    file = next(Path(location).glob("*.parquet"))
    table = pq.read_table(file)
    for name in table.column_names:
        values = [document.get(name) for document in documents]
        if values and all(isinstance(value, (int, float)) for value in values):
            at = table.column_names.index(name)
            table = table.set_column(at, name, pa.array(map(float, values), pa.float64()))
    pq.write_table(table, file)
    return location


@pytest.mark.parametrize("shape", [FLAT, ONE_CALL], ids=["flat export", "One Call"])
def test_other_shapes_of_openweather_are_read(
    spark: SparkSession, write_weather_bronze: WriteBronze, shape: dict[str, Any]
) -> None:
    location = written_by_airbyte(write_weather_bronze, {"dt": NOON, **shape})
    (row,) = observe(spark, location)
    assert {name: row[name] for name in READ} == READ


def test_an_empty_or_odd_text_of_a_flat_export_loses_only_its_value(
    spark: SparkSession, write_weather_bronze: WriteBronze
) -> None:
    odd = [{"wind_gust": "", "rain_1h": ""}, {"temp": "cold", "wind_gust": "9"}]
    documents = [{"dt": NOON + at * HOUR, **FLAT, **changes} for at, changes in enumerate(odd)]
    empty, cold = observe(spark, write_weather_bronze(documents))
    assert (empty.temp_c, empty.wind_gust_ms, empty.rain_1h_mm, empty.dq_flags) == (15.5, None, 0.0, [])
    assert (cold.temp_c, cold.wind_gust_ms, cold.wind_speed_ms) == (None, 9.0, 5.5)
    assert cold.dq_flags == ["TEXT_UNREADABLE"]


def test_one_stream_may_mix_flat_and_nested_documents(
    spark: SparkSession, write_weather_bronze: WriteBronze
) -> None:
    flat, nested = {"dt": NOON, **FLAT}, document(dt=NOON + HOUR, dt_iso=None, temp=99)
    rows = observe(spark, write_weather_bronze([flat, nested]))
    assert sorted((row.city_key, row.temp_c) for row in rows) == [
        ("newark_liberty_intl", 15.0), ("puerto_prueba", 15.5),
    ]  # fmt: skip


def run_on(
    spark: SparkSession, tmp_path: Path, location: str, **config: Any
) -> tuple[list[Row], dict[str, Any]]:
    """Run the job and return the rejected rows and the audit of silver."""
    from bronze_to_silver import REJECTS, SOURCE, TABLE, run

    outputs = {TABLE: str(tmp_path / "silver"), REJECTS: str(tmp_path / "rejects")}
    run(spark, JobArguments("run-1", {SOURCE: location}, outputs, config))
    (audit,) = (tmp_path / "silver" / "_audit").glob("part-*")
    return spark.read.parquet(outputs[REJECTS]).collect(), json.loads(audit.read_text())


@pytest.mark.parametrize("schemaless", [False, True])
def test_an_unknown_shape_stops_the_run(
    spark: SparkSession, write_weather_bronze: WriteBronze, tmp_path: Path, schemaless: bool
) -> None:
    unknown = {"dt": NOON, **PLACE, "temperature": 15.5, "barometer": 1013, "visibility": 9000}
    documents = [{"_id": "1", "data": json.dumps(unknown)}] if schemaless else [unknown]
    with pytest.raises(QualityError, match="none of 1 documents has a temperature") as raised:
        run_on(spark, tmp_path, write_weather_bronze(documents), max_reject_share=1.0)
    assert "expected OpenWeather's bulk documents (main.temp" in str(raised.value)
    fields = "barometer, city_name, dt, lat, lon, temperature, timezone, visibility"
    assert str(raised.value).endswith(f"the documents have the fields {fields}")


def test_a_document_without_any_measure_is_rejected_by_name(
    spark: SparkSession, write_weather_bronze: WriteBronze, tmp_path: Path
) -> None:
    bare = {"dt": NOON, **PLACE, "temperature": 15.5, "main": {"temp": None}, "wind": {}, "rain": {"1h": ""}}
    location = write_weather_bronze(
        [document(dt=NOON, dt_iso=None), bare, document(dt=NOON + HOUR, dt_iso=None)]
    )
    located = write_weather_bronze([{"dt": NOON, **PLACE, "main": {"temp": 1}}], location=location, file="b")
    rejected, audit = run_on(spark, tmp_path, located, max_reject_share=0.5)
    assert [row.reason for row in rejected] == ["MEASURES_MISSING"]
    assert (audit["rows_in"], audit["rows_out"], audit["rejected"]) == (4, 3, 1)
