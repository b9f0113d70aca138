"""The silver table of weather: what becomes of a document, rule by rule."""

import json
import math
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F
from weather_rows import HOUR, NOON, document, observe

from lake import JobArguments, QualityError, read_stream
from weather_quality import EARLIEST_DT

pytestmark = pytest.mark.spark

Silver = Callable[..., list[Row]]
WriteBronze = Callable[..., str]


@pytest.fixture
def silver(spark: SparkSession, write_weather_bronze: WriteBronze) -> Silver:
    """Turns documents into rows of silver, in order of place and time."""

    def make(*documents: Mapping[str, Any], **config: Any) -> list[Row]:
        return observe(spark, write_weather_bronze(documents), **config)

    return make


def test_a_faultless_document_becomes_one_row_without_flags(silver: Silver) -> None:
    (row,) = silver(document())
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
    """The rows of all `BROKEN` documents, made in one job, in their order."""
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
    assert [found for found in row.dq_flags if found == code] == [code]
    assert [name for name in nulled if row[name] is not None] == []


def test_limits_themselves_are_possible(silver: Silver) -> None:
    (row,) = silver(
        document(
            main={"temp": 60, "humidity": 100, "pressure": 870, "grnd_level": 300, "dew_point": 60.5},
            wind={"speed": 75, "gust": 110, "deg": 0},
            clouds={"all": 100},
            rain={"1h": 0},
            visibility=0,
        )
    )
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
    from weather_quality import DAY_S

    clock = SimpleNamespace(time=lambda: NOON)  # long ago: Spark's own clock would find nothing to reject
    monkeypatch.setattr(weather_quality, "time", clock)
    bronze = read_stream(spark, write_weather_bronze([document(dt=str(NOON + DAY_S + 1))]), BRONZE)
    screened = screen_documents(bronze, read_config(WEATHER, {}))
    assert [row.reason for row in screened.collect()] == ["DT_MISSING"]
    clock.time = lambda: NOON + 100
    assert [row.reason for row in screened.collect()] == ["DT_MISSING"]


def test_a_default_city_takes_the_documents_without_one(silver: Silver) -> None:
    (row,) = silver(document(city_name=None), default_city="Riohacha")
    assert (row.city_key, "CITY_DEFAULT" in row.dq_flags) == ("riohacha", True)


def test_documents_equal_but_for_weather_merge(silver: Silver) -> None:
    rain = {"id": 501, "main": "Rain", "description": "moderate rain"}
    mist = {"id": 701, "main": "Mist", "description": "mist"}
    (row,) = silver(document(weather=[mist]), document(weather=[rain], _id="65929f400000000000000002"))
    assert (row.source_rows, row.dq_flags) == (2, [])
    assert (row.weather_id, row.weather_main, row.weather_ids) == (501, "Rain", [501, 701])


def test_the_last_of_conflicting_documents_wins(silver: Silver) -> None:
    late = document(_id="65929f410000000000000000", wind={"speed": 6, "deg": 90}, weather=[{"id": 800}])
    early = document(_id="65929f400000000000000009", weather=[{"id": 500}])
    (row,) = silver(late, early)
    assert (row.wind_speed_ms, row.source_rows, row.dq_flags) == (6.0, 2, ["DUP_CONFLICT"])
    assert row.weather_ids == [800]


def test_without_object_ids_the_file_order_decides(silver: Silver) -> None:
    (row,) = silver(document(_id="b"), document(_id="a", wind={"speed": 7, "deg": 90}))
    assert row.wind_speed_ms == 7.0


def test_the_severest_condition_is_the_weather(silver: Silver) -> None:
    severest = {(800, 741, 300): 300, (511, 600): 600, (622, 200): 200, (500, 522): 522, (804, 701): 701}
    documents = [
        document(dt=NOON + index * HOUR, weather=[{"id": identifier} for identifier in ids])
        for index, ids in enumerate(severest)
    ]
    rows = silver(*documents)
    assert [row.weather_id for row in rows] == list(severest.values())
    assert [row.weather_ids for row in rows] == [sorted(ids) for ids in severest]


def test_three_hour_precipitation_is_spread_and_marked(silver: Silver) -> None:
    spread, hourly = silver(document(rain={"3h": 6}), document(dt=NOON + HOUR, rain={"1h": 1, "3h": 6}))
    assert (spread.rain_1h_mm, spread.precip_from_3h) == (2.0, True)
    assert (hourly.rain_1h_mm, hourly.precip_from_3h) == (1.0, False)


def test_a_calm_has_no_direction_and_360_is_north(silver: Silver) -> None:
    calm, north = silver(
        document(wind={"speed": 0.49, "deg": 90}),
        document(dt=NOON + HOUR, dt_iso=None, wind={"speed": 0.5, "deg": 360}),
    )
    assert (calm.wind_dir_deg, north.wind_dir_deg) == (None, 0.0)


def test_station_pressure_says_where_it_comes_from(silver: Silver) -> None:
    at_station = (1 - 0.0065 * 5.49 / 288.15) ** 5.25588
    mains = [{"temp": 15, "grnd_level": 900, "pressure": 1000}, {"temp": 15, "pressure": 1000}, {"temp": 15}]
    rows = silver(*(document(dt=NOON + index * HOUR, main=main) for index, main in enumerate(mains)))
    assert [row.pressure_source for row in rows] == ["measured", "reduced", "standard"]
    expected = [900, 1000 * at_station, 1013.25 * at_station]
    assert [row.pressure_station_hpa for row in rows] == pytest.approx(expected)


def test_kelvin_becomes_celsius(silver: Silver) -> None:
    (row,) = silver(document(main={"temp": 288.15, "humidity": 50}), units="standard")
    assert row.temp_c == pytest.approx(15.0)


def test_numbers_may_be_text_or_wrapped(silver: Silver) -> None:
    (row,) = silver(
        document(
            dt=str(NOON),
            main={"temp": "15.5", "humidity": {"$numberInt": "50"}},
            wind={"speed": {"$numberDouble": "5.5"}},
        )
    )
    assert (row.temp_c, row.humidity_pct, row.wind_speed_ms) == (15.5, 50.0, 5.5)


def test_a_schemaless_stream_gives_the_same_row(silver: Silver) -> None:
    whole = document(weather=[{"id": 800, "main": "Clear", "description": "clear sky"}])
    (expected,) = silver(whole)
    (row,) = silver({"_id": whole["_id"], "data": json.dumps(whole)})
    assert {**row.asDict(), "source_file": None} == {**expected.asDict(), "source_file": None}


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


def test_a_city_key_is_plain_ascii(spark: SparkSession) -> None:
    from weather_formulas import city_key

    names = ["San Carlos de Bariloche", " São Tomé/Łódź ", "", "東京", "大阪"]
    cities = spark.createDataFrame([(name,) for name in names], "name string")
    keys = [row.key for row in cities.select(city_key(F.col("name")).alias("key")).collect()]
    assert keys[:3] == ["san_carlos_de_bariloche", "sao_tome_lodz", None]
    assert len(set(keys[3:])) == 2, "names without a Latin letter have keys of their own"
    assert all(key.startswith("city_") for key in keys[3:])


def test_more_than_one_percent_of_rejections_fail_the_run() -> None:
    from bronze_to_silver import check_counts

    check_counts({"rows_in": 200, "rows_out": 198, "merged": 0, "rejected": 2}, 0.01)
    with pytest.raises(QualityError, match="3 of 200 documents rejected"):
        check_counts({"rows_in": 200, "rows_out": 197, "merged": 0, "rejected": 3}, 0.01)
    with pytest.raises(QualityError, match="rows in are not rows out"):
        check_counts({"rows_in": 200, "rows_out": 199, "merged": 0, "rejected": 0}, 0.01)


def test_a_run_writes_the_asked_tables_and_their_counts(
    spark: SparkSession, write_weather_bronze: WriteBronze, tmp_path: Path
) -> None:
    from bronze_to_silver import REJECTS, SOURCE, TABLE, run

    location = write_weather_bronze([document(), document(), document(dt=None, _id="x")])
    outputs = {TABLE: str(tmp_path / "silver"), REJECTS: str(tmp_path / "rejects")}
    run(spark, JobArguments("run-1", {SOURCE: location}, outputs, {"max_reject_share": 0.5}))
    (line,) = "".join(
        path.read_text() for path in (tmp_path / "silver" / "_audit").glob("part-*")
    ).splitlines()
    counts = {"rows_in": 3, "rows_out": 1, "merged": 1, "rejected": 1, "flags": {}}
    assert json.loads(line) == {"table": TABLE, **counts}
    assert [row.reason for row in spark.read.parquet(outputs[REJECTS]).collect()] == ["DT_MISSING"]
    (line,) = "".join(
        path.read_text() for path in (tmp_path / "rejects" / "_audit").glob("part-*")
    ).splitlines()
    assert json.loads(line) == {"table": REJECTS, "rows_out": 1}


def test_a_run_without_a_single_kept_row_ends_and_fails(
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


@pytest.mark.parametrize(("units", "temp"), [("metric", 288.15), ("standard", 15.0)])
def test_temperatures_of_other_units_fail_the_run(
    spark: SparkSession, write_weather_bronze: WriteBronze, tmp_path: Path, units: str, temp: float
) -> None:
    from bronze_to_silver import SOURCE, TABLE, run

    documents = [document(dt=NOON + index * HOUR, main={"temp": temp}) for index in range(3)]
    inputs, outputs = {SOURCE: write_weather_bronze(documents)}, {TABLE: str(tmp_path / "silver")}
    with pytest.raises(QualityError, match=rf'units.*"{units}"'):
        run(spark, JobArguments("run-1", inputs, outputs, {"units": units}))


def test_a_single_wrong_reading_does_not_make_the_rest_kelvin(
    spark: SparkSession, write_weather_bronze: WriteBronze, tmp_path: Path
) -> None:
    from bronze_to_silver import SOURCE, TABLE, run

    documents = [
        document(dt=NOON + index * HOUR, dt_iso=None, main={"temp": temp})
        for index, temp in enumerate([15.0, 14.0, 288.15])
    ]
    outputs = {TABLE: str(tmp_path / "silver")}
    run(spark, JobArguments("run-1", {SOURCE: write_weather_bronze(documents)}, outputs, {}))
    rows = spark.read.parquet(outputs[TABLE]).orderBy("observed_at").collect()
    assert [row.temp_c for row in rows] == [15.0, 14.0, None]


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
def test_the_pack_becomes_its_known_rows(spark: SparkSession, weather_pack: str, tmp_path: Path) -> None:
    from bronze_to_silver import SOURCE, TABLE, run

    location = tmp_path / "silver"
    run(spark, JobArguments("run-1", {SOURCE: weather_pack}, {TABLE: str(location)}, {}))
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
