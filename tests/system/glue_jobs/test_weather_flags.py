"""Documents of weather that break a rule: the flag and the null of each, and the documents that are rejected."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
from pyspark.sql import Row, SparkSession

from lake import read_stream
from support.weather_rows import HOUR, NOON, document, observe
from weather_quality import DAY_S, EARLIEST_DT

pytestmark = pytest.mark.spark
WriteBronze = Callable[..., str]
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
