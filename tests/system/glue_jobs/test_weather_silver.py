"""The silver table of weather: the row that each document becomes, rule by rule."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any

import pytest
from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F

from lake import read_stream
from support.weather_rows import HOUR, NOON, document, observe
from weather_quality import DAY_S

pytestmark = pytest.mark.spark
Silver = Callable[..., list[Row]]
WriteBronze = Callable[..., str]


@pytest.fixture
def silver(spark: SparkSession, write_weather_bronze: WriteBronze) -> Silver:
    """Return a function that turns documents into rows of silver, in order of place and time."""

    def make(*documents: Mapping[str, Any], **config: Any) -> list[Row]:
        return observe(spark, write_weather_bronze(documents), **config)

    return make


RAIN = {"id": 501, "main": "Rain", "description": "moderate rain"}
MIST = {"id": 701, "main": "Mist", "description": "mist"}
CLEAR = {"id": 800, "main": "Clear", "description": "clear sky"}
SEVEREST = {(800, 741, 300): 300, (511, 600): 600, (622, 200): 200, (500, 522): 522, (804, 701): 701}
# The observations of each test of a single rule: all are made in one Spark job, each on a different day.
CASES: dict[str, list[dict[str, Any]]] = {
    "faultless": [document()],
    "limits": [
        document(
            main={"temp": 60, "humidity": 100, "pressure": 870, "grnd_level": 300, "dew_point": 60.5},
            wind={"speed": 75, "gust": 110, "deg": 0},
            clouds={"all": 100},
            rain={"1h": 0},
            visibility=0,
        )
    ],
    "equal but for weather": [
        document(weather=[MIST]), document(weather=[RAIN], _id="65929f400000000000000002"),
    ],
    "in conflict": [
        document(_id="65929f410000000000000000", wind={"speed": 6, "deg": 90}, weather=[{"id": 800}]),
        document(_id="65929f400000000000000009", weather=[{"id": 500}]),
    ],
    "three in conflict": [
        document(_id="65929f400000000000000001", weather=[MIST]),
        document(_id="65929f400000000000000002", wind={"speed": 6, "deg": 90}, weather=[CLEAR]),
        document(_id="65929f400000000000000003", weather=[RAIN]),
    ],
    "without object ids": [document(_id="b"), document(_id="a", wind={"speed": 7, "deg": 90})],
    "object ids before others": [
        document(_id="65929F400000000000000001", wind={"speed": 7, "deg": 90}),
        document(_id="65929f400000000000000001"),
        document(_id="65929f40000000000000000g", wind={"speed": 9, "deg": 90}),
    ],
    "severest": [
        document(dt=NOON + hour * HOUR, weather=[{"id": identifier} for identifier in ids])
        for hour, ids in enumerate(SEVEREST)
    ],
    "three hours": [document(rain={"3h": 6}), document(dt=NOON + HOUR, rain={"1h": 1, "3h": 6})],
    "calm and north": [
        document(wind={"speed": 0.49, "deg": 90}),
        document(dt=NOON + HOUR, dt_iso=None, wind={"speed": 0.5, "deg": 360}),
    ],
    "pressures": [
        document(dt=NOON + hour * HOUR, main=main)
        for hour, main in enumerate(
            [{"temp": 15, "grnd_level": 900, "pressure": 1000}, {"temp": 15, "pressure": 1000}, {"temp": 15}]
        )
    ],
    "clear sky": [document(weather=[CLEAR])],
}  # fmt: skip


def _on_day(whole: dict[str, Any], day: int) -> dict[str, Any]:
    moved = {**whole, "dt": whole["dt"] + day * DAY_S}
    if "dt_iso" in whole:
        moved["dt_iso"] = f"{datetime.fromtimestamp(NOON + day * DAY_S, UTC):%Y-%m-%d %H:%M:%S} +0000 UTC"
    return moved


@pytest.fixture(scope="module")
def rows(spark: SparkSession, write_weather_bronze: WriteBronze) -> dict[str, list[Row]]:
    """Return the rows of silver of each of the `CASES`, in order of time."""
    documents = [_on_day(whole, day) for day, documents in enumerate(CASES.values()) for whole in documents]
    by_case: dict[str, list[Row]] = {name: [] for name in CASES}
    for row in observe(spark, write_weather_bronze(documents)):
        day = (int(row.observed_at.timestamp()) - NOON) // DAY_S
        by_case[list(CASES)[day]].append(row)
    return by_case


Rows = dict[str, list[Row]]


def test_a_faultless_document_becomes_one_row_without_flags(rows: Rows) -> None:
    (row,) = rows["faultless"]
    assert (row.city_key, row.year, row.local_date, row.local_hour) == (
        "newark_liberty_intl", 2024, date(2024, 1, 1), 7,
    )  # fmt: skip
    assert (row.dq_flags, row.source_rows, row.pressure_source) == ([], 1, "measured")
    assert (row.wind_speed_ms, row.wind_gust_ms, row.wind_dir_deg) == (5.0, 8.0, 270.0)
    assert (row.run_id, row.source_file.endswith(".parquet")) == ("run-1", True)


def test_values_at_the_limits_are_possible(rows: Rows) -> None:
    (row,) = rows["limits"]
    assert row.dq_flags == []


def test_settings_name_the_default_city_and_the_units(silver: Silver) -> None:
    nameless, kelvin = silver(
        document(city_name=None, dt_iso=None, main={"humidity": 50}),
        document(city_name="Roma", main={"temp": 288.15, "humidity": 50}),
        default_city="Riohacha",
        units="standard",
    )
    assert (nameless.city_key, "CITY_DEFAULT" in nameless.dq_flags) == ("riohacha", True)
    assert (kelvin.temp_c, "CITY_DEFAULT" in kelvin.dq_flags) == (pytest.approx(15.0), False)


def test_documents_equal_but_for_weather_merge(rows: Rows) -> None:
    (row,) = rows["equal but for weather"]
    assert (row.source_rows, row.dq_flags) == (2, [])
    assert (row.weather_id, row.weather_main, row.weather_ids) == (501, "Rain", [501, 701])


def test_the_last_of_conflicting_documents_wins(rows: Rows) -> None:
    (row,) = rows["in conflict"]
    assert (row.wind_speed_ms, row.source_rows, row.dq_flags) == (6.0, 2, ["DUP_CONFLICT"])
    assert row.weather_ids == [800]


def test_of_three_documents_the_weather_of_those_that_equal_the_last_counts(rows: Rows) -> None:
    (row,) = rows["three in conflict"]
    assert (row.wind_speed_ms, row.source_rows, row.dq_flags) == (5.0, 3, ["DUP_CONFLICT"])
    assert row.weather_ids == [501, 701]


def test_without_object_ids_the_file_order_decides(rows: Rows) -> None:
    (row,) = rows["without object ids"]
    assert row.wind_speed_ms == 7.0


def test_an_object_id_is_later_than_any_id_without_a_time(rows: Rows) -> None:
    (row,) = rows["object ids before others"]
    assert (row.wind_speed_ms, row.source_rows) == (5.0, 3)


def test_the_severest_condition_is_the_weather(rows: Rows) -> None:
    assert [row.weather_id for row in rows["severest"]] == list(SEVEREST.values())
    assert [row.weather_ids for row in rows["severest"]] == [sorted(ids) for ids in SEVEREST]


def test_three_hour_precipitation_is_spread_and_marked(rows: Rows) -> None:
    spread, hourly = rows["three hours"]
    assert (spread.rain_1h_mm, spread.precip_from_3h) == (2.0, True)
    assert (hourly.rain_1h_mm, hourly.precip_from_3h) == (1.0, False)


def test_a_calm_has_no_direction_and_360_is_north(rows: Rows) -> None:
    calm, north = rows["calm and north"]
    assert (calm.wind_dir_deg, north.wind_dir_deg) == (None, 0.0)


def test_station_pressure_says_where_it_comes_from(rows: Rows) -> None:
    at_station = (1 - 0.0065 * 5.49 / 288.15) ** 5.25588
    assert [row.pressure_source for row in rows["pressures"]] == ["measured", "reduced", "standard"]
    expected = [900, 1000 * at_station, 1013.25 * at_station]
    assert [row.pressure_station_hpa for row in rows["pressures"]] == pytest.approx(expected)


def test_one_stream_may_mix_text_wrapped_numbers_and_schemaless_documents(silver: Silver, rows: Rows) -> None:
    day = list(CASES).index("clear sky")
    whole = _on_day(document(weather=[CLEAR]), day)
    texts = document(
        dt=str(NOON - HOUR),
        main={"temp": "15.5", "humidity": {"$numberInt": "50"}},
        wind={"speed": {"$numberDouble": "5.5"}},
    )
    read, schemaless = silver(texts, {"_id": whole["_id"], "data": json.dumps(whole)})
    assert (read.temp_c, read.humidity_pct, read.wind_speed_ms) == (15.5, 50.0, 5.5)
    (expected,) = rows["clear sky"]
    assert {**schemaless.asDict(), "source_file": None} == {**expected.asDict(), "source_file": None}


def test_only_the_newest_generation_is_read(spark: SparkSession, write_weather_bronze: WriteBronze) -> None:
    from weather_documents import BRONZE

    write_weather_bronze([document(city_name="Old")], generation=3, file="2026_01_02_2_0")
    location = write_weather_bronze(
        [document(city_name="New", clouds=None)], generation=4, file="2026_01_01_1_0"
    )
    assert [row.city_name for row in read_stream(spark, location, BRONZE).collect()] == ["New"]


def test_density_of_air_has_its_known_values(spark: SparkSession) -> None:
    from weather_formulas import air_density

    states = spark.createDataFrame(
        [(15.0, 1013.25, 0.0), (30.0, 1013.25, 80.0)], "t double, p double, h double"
    )
    densities = states.select(air_density(F.col("t"), F.col("p"), F.col("h")).alias("rho")).collect()
    assert [round(row.rho, 5) for row in densities] == [1.22498, 1.14961]
