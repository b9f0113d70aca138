"""Malformed weather documents: nothing crashes, nothing is guessed, and every row is counted."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import Row, SparkSession

from lake import JobArguments, QualityError
from support.weather_rows import HOUR, NOON, document, observe

pytestmark = pytest.mark.spark

WriteBronze = Callable[..., str]
RAIN, CLEAR, SNOW = ({"id": number, "main": "x"} for number in (501, 800, 601))
NOON_MS = NOON * 1000

# The document's content, the resulting silver values, and the row's flags.
ODD: dict[str, tuple[dict[str, Any], dict[str, Any], list[str]]] = {
    "numbers as text": ({"wind": {"speed": "5.5", "deg": "90"}}, {"wind_speed_ms": 5.5, "wind_dir_deg": 90.0}, []),
    "a text that is not a number": (
        {"wind": {"speed": "strong", "deg": 90}}, {"wind_speed_ms": None, "wind_dir_deg": 90.0},
        ["TEXT_UNREADABLE", "NO_WIND"],
    ),
    "every number wrapped": (
        {"main": {"temp": {"$numberDouble": "15.5"}, "humidity": {"$numberInt": "50"},
                  "grnd_level": {"$numberLong": "1000"}}},
        {"temp_c": 15.5, "humidity_pct": 50.0, "pressure_station_hpa": 1000.0}, [],
    ),
    "nulls": (
        {"main": {"temp": None, "humidity": None}, "wind": {"speed": None}, "clouds": {"all": None}},
        {"temp_c": None, "air_density_kgm3": None, "wind_speed_ms": None, "clouds_pct": None},
        ["NO_WIND", "NO_CLOUDS"],
    ),
    "an unknown place without a position": (
        {"city_name": "Atlantis", "lat": None, "lon": None, "main": {"temp": 15, "humidity": 50}},
        {"city_key": "atlantis", "lat": None, "lon": None, "pressure_station_hpa": 1013.25,
         "pressure_source": "standard"}, [],
    ),
    "a single weather entry, not a list": ({"weather": RAIN}, {"weather_id": 501, "weather_ids": [501]}, []),
    "a weather entry without an id": (
        {"weather": [{"main": "Haze"}]}, {"weather_id": None, "weather_main": "Haze", "weather_ids": [],
         "rain_1h_mm": None}, [],
    ),
    "snow of three hours": (
        {"snow": {"3h": 6}, "weather": [SNOW]}, {"snow_1h_mm": 2.0, "rain_1h_mm": None, "precip_from_3h": True}, [],
    ),
    "no amount under a clear sky": ({"weather": [CLEAR]}, {"rain_1h_mm": 0.0, "snow_1h_mm": 0.0}, []),
    "no amount in the rain": ({"weather": [CLEAR, RAIN]}, {"rain_1h_mm": None, "snow_1h_mm": 0.0}, []),
    "no amount and no weather": ({}, {"rain_1h_mm": None, "snow_1h_mm": None}, []),
    "an impossible amount under a clear sky": (
        {"rain": {"1h": -1}, "weather": [CLEAR]}, {"rain_1h_mm": None, "snow_1h_mm": 0.0}, ["PRECIP_NEG"],
    ),
}  # fmt: skip


@pytest.fixture(scope="module", params=["columns", "schemaless"])
def odd_rows(
    request: pytest.FixtureRequest, spark: SparkSession, write_weather_bronze: WriteBronze
) -> dict[str, Row]:
    """Return the rows of all `ODD` documents, one an hour, in either form in which a stream can be synced."""
    documents = [
        document(**{"dt": NOON + at * HOUR, "dt_iso": None, "_id": f"{at}", **changes})
        for at, (changes, _, _) in enumerate(ODD.values())
    ]
    if request.param == "schemaless":
        documents = [{"_id": whole["_id"], "data": json.dumps(whole)} for whole in documents]
    rows = sorted(observe(spark, write_weather_bronze(documents)), key=lambda row: row.observed_at)
    return dict(zip(ODD, rows, strict=True))


@pytest.mark.parametrize("what", ODD)
def test_odd_documents_give_the_values_that_they_hold(odd_rows: dict[str, Row], what: str) -> None:
    _, expected, flagged = ODD[what]
    row = odd_rows[what]
    assert {name: row[name] for name in expected} == expected
    assert row.dq_flags == flagged


TIMES: dict[str, tuple[Any, datetime | None]] = {
    "text": (str(NOON), datetime.fromtimestamp(NOON, UTC)),
    "wrapped": ({"$numberLong": str(NOON + HOUR)}, datetime.fromtimestamp(NOON + HOUR, UTC)),
    "a date in milliseconds": (
        {"$date": {"$numberLong": str(NOON_MS + 2 * HOUR * 1000)}}, datetime.fromtimestamp(NOON + 2 * HOUR, UTC),
    ),
    "a date as text": ({"$date": "2024-01-01T15:00:00Z"}, datetime(2024, 1, 1, 15, tzinfo=UTC)),
    "words": ("noon", None),
}  # fmt: skip


@pytest.mark.parametrize("schemaless", [False, True])
def test_a_time_may_be_text_or_wrapped(
    spark: SparkSession, write_weather_bronze: WriteBronze, schemaless: bool
) -> None:
    documents: list[dict[str, Any]] = [document(dt=time, dt_iso=None) for time, _ in TIMES.values()]
    if schemaless:
        documents = [{"_id": whole["_id"], "data": json.dumps(whole)} for whole in documents]
    else:
        documents = [
            {**whole, "dt": time if isinstance(time := whole["dt"], str) else json.dumps(time)}
            for whole in documents
        ]
    rows = observe(spark, write_weather_bronze(documents))
    assert [row.observed_at.astimezone(UTC) for row in rows] == [at for _, at in TIMES.values() if at]


def test_a_column_that_is_not_json_loses_only_its_values(
    spark: SparkSession, write_weather_bronze: WriteBronze
) -> None:
    import pyarrow.parquet as pq

    location = write_weather_bronze([document(weather=[RAIN])])
    file = next(Path(location).glob("*.parquet"))
    table = pq.read_table(file)
    torn = table.set_column(table.column_names.index("main"), "main", [['{"temp": 15, "humid']])
    pq.write_table(torn, file)
    (row,) = observe(spark, location)
    assert (row.temp_c, row.wind_speed_ms, row.clouds_pct, row.weather_ids) == (None, 5.0, 40.0, [501])
    assert row.dq_flags == ["TEXT_UNREADABLE"]


def test_of_a_document_synced_twice_the_newer_state_counts_without_conflict(
    spark: SparkSession, write_weather_bronze: WriteBronze
) -> None:
    same = document(_id="65929f400000000000000001", weather=[CLEAR])
    other = document(_id="65929f400000000000000000", weather=[CLEAR])
    once = document(_id="any", dt=NOON + HOUR, dt_iso=None)
    location = write_weather_bronze([same, other, once], file="2026_01_02_1_0")
    again = [{**same, "weather": [RAIN]}, {**once, "wind": {"speed": 6, "deg": 90}}]
    write_weather_bronze(again, location=location, file="2026_01_02_2_0")
    synced, corrected = observe(spark, location)
    assert (synced.source_rows, synced.weather_ids, synced.dq_flags) == (3, [501, 800], [])
    assert (corrected.source_rows, corrected.wind_speed_ms, corrected.dq_flags) == (2, 6.0, [])


def test_rejected_documents_are_kept_unchanged(
    spark: SparkSession, write_weather_bronze: WriteBronze, tmp_path: Path
) -> None:
    from bronze_to_silver import REJECTS, SOURCE, TABLE, run

    timeless = [document(dt="noon", _id=f"{n}") for n in range(3)]
    nameless = document(city_name=None, _id="nameless")
    location = write_weather_bronze([document(dt=str(NOON)), *timeless, nameless])
    outputs = {TABLE: str(tmp_path / "silver"), REJECTS: str(tmp_path / "rejects")}
    with pytest.raises(
        QualityError,
        match=r"4 of 5 documents rejected, more than [\d.]+%: DT_MISSING 3 times.*'noon'|CITY_MISSING 1",
    ) as raised:
        run(spark, JobArguments("run-1", {SOURCE: location}, outputs, {}))
    message = str(raised.value)
    assert message.index("DT_MISSING 3 times") < message.index("CITY_MISSING 1 times")
    rejected = {row["_id"]: row for row in spark.read.parquet(outputs[REJECTS]).collect()}
    assert {name: row.reason for name, row in rejected.items()} == {
        "0": "DT_MISSING", "1": "DT_MISSING", "2": "DT_MISSING", "nameless": "CITY_MISSING",
    }  # fmt: skip
    kept = json.loads(rejected["0"].document)
    assert (kept["dt"], json.loads(kept["wind"])["speed"]) == ("noon", 5)
