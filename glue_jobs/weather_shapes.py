"""Shapes of weather documents: OpenWeather's flat export and One Call, read as its nested bulk documents."""

from collections.abc import Callable, Mapping

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

_FIELDS: Mapping[str, Mapping[str, str]] = {
    "main": {
        name: name
        for name in (
            "temp", "feels_like", "temp_min", "temp_max", "dew_point", "pressure", "sea_level", "grnd_level",
            "humidity",
        )
    },
    "wind": {"speed": "wind_speed", "gust": "wind_gust", "deg": "wind_deg"},
    "clouds": {"all": "clouds_all"},
    "rain": {"1h": "rain_1h", "3h": "rain_3h"},
    "snow": {"1h": "snow_1h", "3h": "snow_3h"},
}  # fmt: skip
_ENTRY = {"id": "weather_id", "main": "weather_main", "description": "weather_description"}
_OFFSET = "timezone_offset"  # One Call's: its `timezone` is a name such as America/Bogota
# Columns that a stream has only if its documents are flat.
FLAT = (*(flat for fields in _FIELDS.values() for flat in fields.values()), *_ENTRY.values(), _OFFSET)
EXPECTED = (
    "OpenWeather's bulk documents (main.temp, main.pressure, main.humidity, wind.speed) or, in a stream that is not "
    "schemaless, its flat export (temp, pressure, humidity, wind_speed)"
)

ValueOf = Callable[[str], Column]


def nest_flat_documents(bronze: DataFrame) -> DataFrame:
    """Fill the nested columns of documents whose measures are separate columns.

    A stream without any flat column keeps its query plan: nested documents pay nothing for the other shapes.

    Args:
        bronze: Documents with the columns of `BRONZE`, and those of `FLAT` that the stream has, as double or text.

    Returns:
        The same documents; a nested column that a document has is left as it is.
    """
    kinds = dict(bronze.dtypes)
    if not set(FLAT) & set(kinds):
        return bronze

    def value_of(name: str) -> Column:
        if name not in kinds:
            return F.lit(None).cast("string")
        return _not_empty(name) if kinds[name] == "string" else F.col(name)

    filled = {name: F.coalesce(_not_empty(name), _object(name, value_of)) for name in _FIELDS}
    cover = _unless(F.to_json(F.struct(F.col("clouds").cast("double").alias("all"))), "{}")
    filled["clouds"] = F.coalesce(cover, filled["clouds"])  # One Call's clouds are a number
    filled["weather"] = F.coalesce(_not_empty("weather"), _entries(value_of))
    zones = (F.col("timezone").cast("double"), value_of(_OFFSET).cast("double"))
    offset = F.coalesce(*(zone.cast(kinds["timezone"]) for zone in zones), "timezone")
    return bronze.withColumns({**filled, "timezone": offset})


def _not_empty(name: str) -> Column:
    return _unless(F.col(name), "")


def _unless(value: Column, empty: str) -> Column:
    return F.when(value != empty, value)


def _object(name: str, value_of: ValueOf) -> Column:
    """Return the JSON object of a nested column."""
    members = (value_of(flat).alias(key) for key, flat in _FIELDS[name].items())
    return _unless(F.to_json(F.struct(*members)), "{}")


def _entries(value_of: ValueOf) -> Column:
    members = (value_of(flat).alias(key) for key, flat in _ENTRY.items())
    return _unless(F.to_json(F.array(F.struct(*members))), "[{}]")
