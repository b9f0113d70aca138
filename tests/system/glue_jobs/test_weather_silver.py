"""The silver table of weather: the row that each document becomes, rule by rule."""

import json
import math
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F

from lake import JobArguments, QualityError, read_stream
from support.weather_rows import HOUR, NOON, document, observe
from weather_quality import DAY_S, EARLIEST_DT

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


BROKEN = [
    ("DT_ISO_MISMATCH", {"dt_iso": "2024-01-01 13:00:00 +0000 UTC"}, ()),
    ("TEMP_RANGE", {"main": {"temp": 61, "humidity": 50}}, ("temp_c", "air_density_kgm3")),
    ("HUM_RANGE", {"main": {"temp": 15, "humidity": 101}}, ("humidity_pct",)),
    ("WIND_RANGE", {"wind": {"speed": 468.66}}, ("wind_speed_ms",)),
    ("WIND_RANGE", {"wind": {"speed": 5, "gust": 111}}, ("wind_gust_ms",)),
    ("DIR_RANGE", {"wind": {"speed": 5, "deg": 361}}, ("wind_dir_deg",)),
    ("GUST_LT_SPEED", {"wind": {"speed": 5, "gust": 4}}, ()),
    ("DEW_GT_TEMP", {"main": {"temp": 15, "humidity": 50, "dew_point": 15.6}}, ()),
    ("P_MSL_RANGE", {"main": {"temp": 15, "humidity": 50, "pressure": 869}}, ("pressure_msl_hpa",)),
    ("P_STN_RANGE", {"main": {"temp": 15, "humidity": 50, "grnd_level": 1101}}, ()),
    ("CLOUD_RANGE", {"clouds": {"all": -1}}, ("clouds_pct",)),
    ("PRECIP_NEG", {"rain": {"1h": -0.1}}, ("rain_1h_mm",)),
    ("PRECIP_NEG", {"snow": {"1h": -0.1}}, ("snow_1h_mm",)),
    ("VIS_NEG", {"visibility": -1}, ("visibility_m",)),
    ("COORD_RANGE", {"lat": 91, "city_name": "Nowhere"}, ("lat",)),
    ("COORD_MOVED", {"lat": 41.0}, ()),
    ("COORD_PLACE", {"lat": None, "lon": None}, ()),
    ("NO_WIND", {"wind": None}, ("wind_speed_ms", "wind_gust_ms", "wind_dir_deg")),
    ("NO_CLOUDS", {"clouds": None}, ("clouds_pct",)),
    ("RHO_DRY", {"main": {"temp": 15}}, ("humidity_pct",)),
    ("OFFSET_UTC", {"timezone": None}, ()),
]


@pytest.fixture(scope="module")
def broken_rows(spark: SparkSession, write_weather_bronze: WriteBronze) -> list[Row]:
    """Return the rows of all `BROKEN` documents, made in one job, in their order."""
    documents = [
        document(**{"dt": NOON + index * HOUR, "dt_iso": None, "_id": f"{index}", **change})
        for index, (_, change, _) in enumerate(BROKEN)
    ]
    rows = observe(spark, write_weather_bronze(documents))
    return sorted(rows, key=lambda row: row.observed_at)


@pytest.mark.parametrize("index", range(len(BROKEN)), ids=[code for code, _, _ in BROKEN])
def test_an_impossible_value_is_flagged(broken_rows: list[Row], index: int) -> None:
    code, _, nulled = BROKEN[index]
    row = broken_rows[index]
    assert [flag for flag in row.dq_flags if flag == code] == [code]
    assert [name for name in nulled if row[name] is not None] == []


def test_values_at_the_limits_are_possible(rows: Rows) -> None:
    (row,) = rows["limits"]
    assert row.dq_flags == []


def test_documents_without_time_or_place_are_rejected(
    spark: SparkSession, write_weather_bronze: WriteBronze
) -> None:
    from bronze_to_silver import screen_documents
    from job_config import WEATHER, read_config
    from weather_documents import BRONZE

    timeless = [{"dt": None}, {"dt": "noon"}, {"dt": str(EARLIEST_DT - 1)}, {"dt": "4102444800"}]
    nameless = [{"city_name": None}, {"city_name": "  "}]
    kept = [{"dt": str(EARLIEST_DT)}]
    documents = [document(**{"dt": str(NOON), **change}) for change in (*timeless, *nameless, *kept)]
    bronze = read_stream(spark, write_weather_bronze(documents), BRONZE)
    reasons = [row.reason for row in screen_documents(bronze, read_config(WEATHER, {})).collect()]
    assert reasons == ["DT_MISSING"] * 4 + ["CITY_MISSING"] * 2 + [None]


def test_a_document_from_the_future_is_rejected_in_every_query_of_a_run_or_in_none(
    spark: SparkSession, write_weather_bronze: WriteBronze, monkeypatch: pytest.MonkeyPatch
) -> None:
    import weather_quality
    from bronze_to_silver import screen_documents
    from job_config import WEATHER, read_config
    from weather_documents import BRONZE

    clock = SimpleNamespace(time=lambda: NOON)  # long ago: with Spark's clock nothing would be rejected
    monkeypatch.setattr(weather_quality, "time", clock)
    bronze = read_stream(spark, write_weather_bronze([document(dt=str(NOON + DAY_S + 1))]), BRONZE)
    screened = screen_documents(bronze, read_config(WEATHER, {}))
    assert [row.reason for row in screened.collect()] == ["DT_MISSING"]
    clock.time = lambda: NOON + 100
    assert [row.reason for row in screened.collect()] == ["DT_MISSING"]


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
    (line,) = "".join(
        path.read_text() for path in (tmp_path / "silver" / "_audit").glob("part-*")
    ).splitlines()
    counts = {"rows_in": 4, "rows_out": 2, "merged": 1, "rejected": 1, "flags": {"TEMP_RANGE": 1}}
    assert json.loads(line) == {"table": TABLE, **counts}
    rows = spark.read.parquet(outputs[TABLE]).orderBy("observed_at").collect()
    assert [row.temp_c for row in rows] == [15.0, None]
    assert [row.reason for row in spark.read.parquet(outputs[REJECTS]).collect()] == ["DT_MISSING"]
    (line,) = "".join(
        path.read_text() for path in (tmp_path / "rejects" / "_audit").glob("part-*")
    ).splitlines()
    assert json.loads(line) == {"table": REJECTS, "rows_out": 1}


def test_a_run_that_keeps_no_row_ends_and_fails(
    spark: SparkSession, write_weather_bronze: WriteBronze, tmp_path: Path
) -> None:
    from bronze_to_silver import SOURCE, TABLE, run

    location = write_weather_bronze([document(dt=None)])
    with pytest.raises(QualityError, match="DT_MISSING 1 times, as in"):
        run(spark, JobArguments("run-1", {SOURCE: location}, {TABLE: str(tmp_path / "silver")}, {}))
    (line,) = "".join(
        path.read_text() for path in (tmp_path / "silver" / "_audit").glob("part-*")
    ).splitlines()
    assert json.loads(line)["rows_out"] == 0


def test_temperatures_of_other_units_fail_the_run(
    spark: SparkSession, write_weather_bronze: WriteBronze, tmp_path: Path
) -> None:
    from bronze_to_silver import SOURCE, TABLE, run

    documents = [document(dt=NOON + index * HOUR, main={"temp": 288.15}) for index in range(3)]
    inputs, outputs = {SOURCE: write_weather_bronze(documents)}, {TABLE: str(tmp_path / "silver")}
    with pytest.raises(QualityError, match=r'units.*"metric"'):
        run(spark, JobArguments("run-1", inputs, outputs, {"units": "metric"}))


def test_the_units_are_checked_by_the_median_temperature() -> None:
    from weather_counts import check_units

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
    (audit,) = "".join(path.read_text() for path in (location / "_audit").glob("part-*")).splitlines()
    flags = {
        "WIND_RANGE": 1,
        "GUST_LT_SPEED": 1,
        "DUP_CONFLICT": 15,
        "NO_CLOUDS": 26_250,
        "NO_WIND": 2,
        "COORD_PLACE": 3,
    }
    counts = {"rows_in": 31_779, "rows_out": 31_524, "merged": 255, "rejected": 0}
    assert json.loads(audit) == {"table": TABLE, **counts, "flags": flags}
    rows = spark.read.parquet(str(location))
    assert rows.select("city_key", "observed_at").distinct().count() == 31_524
    assert not math.isnan(rows.agg(F.avg("air_density_kgm3")).first()[0])
