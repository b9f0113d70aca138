"""Weather documents written by hand, and the rows of silver that they become."""

from typing import Any

from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F

from lake import read_stream

NOON = 1_704_110_400  # 2024-01-01 12:00 UTC
HOUR = 3600
PLACE = {"lat": 40.6925, "lon": -74.168667}


def document(**fields: Any) -> dict[str, Any]:
    """Return a faultless document of Newark, with fields replaced, or removed by None."""
    whole = {
        "_id": "65929f400000000000000001",
        "dt": NOON,
        "dt_iso": "2024-01-01 12:00:00 +0000 UTC",
        "timezone": -18000,
        "city_name": "Newark Liberty Intl",
        **PLACE,
        "main": {"temp": 15, "pressure": 1013.25, "grnd_level": 1013.25, "humidity": 50, "dew_point": 4.7},
        "wind": {"speed": 5, "gust": 8, "deg": 270},
        "clouds": {"all": 40},
        "visibility": 10000,
    }
    return {name: value for name, value in {**whole, **fields}.items() if value is not None}


def observe(spark: SparkSession, location: str, **config: Any) -> list[Row]:
    """Return the rows of silver made from a bronze stream, in order of place and time."""
    from bronze_to_silver import observe_weather, screen_documents
    from job_config import WEATHER, config_hash, read_config
    from weather_documents import BRONZE, OPTIONAL
    from weather_shapes import FLAT

    settings = read_config(WEATHER, config)
    screened = screen_documents(read_stream(spark, location, BRONZE, FLAT, OPTIONAL), settings)
    lineage = {"run_id": F.lit("run-1"), "config_hash": F.lit(config_hash(settings))}
    rows = observe_weather(screened, settings, lineage).collect()
    return sorted(rows, key=lambda row: (row.city_key, row.observed_at))
