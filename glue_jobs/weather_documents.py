"""Bronze weather documents as flat columns: JSON strings parsed with explicit schemas, numbers read in any spelling."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DataType, StringType, StructField, StructType


def _strings(*names: str) -> StructType:
    return StructType([StructField(name, StringType()) for name in names])


_DOCUMENT = _strings(
    "dt",
    "dt_iso",
    "timezone",
    "city_name",
    "lat",
    "lon",
    "main",
    "wind",
    "clouds",
    "rain",
    "snow",
    "weather",
    "visibility",
)
BRONZE = StructType([*_DOCUMENT.fields, *_strings("_id", "data").fields]).add("_airbyte_extracted_at", "long")

# Airbyte finds these to be double where every document holds a plain number: text would only be read back.
NUMBERS = ("dt", "timezone", "lat", "lon", "visibility")

# Leaves are text: one reader takes 5, 5.0, "5" and {"$numberDouble": "5.0"} alike.
_NESTED: dict[str, DataType] = {
    "main": _strings(
        "temp",
        "feels_like",
        "temp_min",
        "temp_max",
        "dew_point",
        "pressure",
        "sea_level",
        "grnd_level",
        "humidity",
    ),
    "wind": _strings("speed", "gust", "deg"),
    "clouds": _strings("all"),
    "rain": _strings("1h", "3h"),
    "snow": _strings("1h", "3h"),
    "weather": ArrayType(_strings("id", "main", "description")),
}
_WRAPPED_NUMBER = r'^\{\s*"\$number\w+"\s*:\s*"?([^"}]+?)"?\s*\}$'

# Severest first: thunderstorm, snow, rain, drizzle, fog and dust, clouds and clear sky.
_GROUPS = (2, 6, 5, 3, 7, 8)

# What two documents of the same place and time are compared by.
MEASURES = (
    "city_name", "dt_iso", "timezone", "lat", "lon", "temp_c", "feels_like_c", "temp_min_c", "temp_max_c",
    "dew_point_c", "pressure_msl_hpa", "pressure_station_hpa", "humidity_pct", "wind_speed_ms", "wind_gust_ms",
    "wind_dir_deg", "clouds_pct", "rain_1h_mm", "snow_1h_mm", "precip_from_3h", "visibility_m",
)  # fmt: skip


def number(text: Column) -> Column:
    """A number from its text, in MongoDB's extended JSON or plain; null when it is none."""
    return F.coalesce(text.cast("double"), F.regexp_extract(text, _WRAPPED_NUMBER, 1).cast("double"))


def flatten_documents(bronze: DataFrame) -> DataFrame:
    """One row per document with `MEASURES`, `dt`, `weather` (array of entries) and the bronze columns of lineage."""
    return _measure(_parse(_unpack(bronze)))


def _unpack(bronze: DataFrame) -> DataFrame:
    """Take each field from its column, else from `data`, where a schemaless stream keeps the whole document."""
    unpacked = bronze.withColumn("document", F.from_json("data", _DOCUMENT))
    kinds = dict(bronze.dtypes)
    fields = {
        name: F.coalesce(name, number(F.col("document")[name]))
        if kinds[name] == "double"
        else F.coalesce(F.col(name), F.col("document")[name])
        for name in _DOCUMENT.names
    }
    return unpacked.withColumns(fields).drop("document", "data")


def _parse(documents: DataFrame) -> DataFrame:
    return documents.withColumns({name: F.from_json(name, schema) for name, schema in _NESTED.items()})


def _measure(parsed: DataFrame) -> DataFrame:
    doubles = {name for name, kind in parsed.dtypes if kind == "double"}

    def value(path: str) -> Column:
        return F.col(path) if path in doubles else number(F.col(path))

    rain_3h, snow_3h = value("rain.`3h`"), value("snow.`3h`")
    rain_1h, snow_1h = value("rain.`1h`"), value("snow.`1h`")
    return parsed.select(
        "_id", "_airbyte_extracted_at", "source_file", "source_row", "dt_iso", "city_name",
        *(value(name).alias(name) for name in ("dt", "lat", "lon")),
        value("timezone").cast("int").alias("timezone"),
        value("main.temp").alias("temp_c"),
        value("main.feels_like").alias("feels_like_c"),
        value("main.temp_min").alias("temp_min_c"),
        value("main.temp_max").alias("temp_max_c"),
        value("main.dew_point").alias("dew_point_c"),
        F.coalesce(value("main.sea_level"), value("main.pressure")).alias("pressure_msl_hpa"),
        value("main.grnd_level").alias("pressure_station_hpa"),
        value("main.humidity").alias("humidity_pct"),
        value("wind.speed").alias("wind_speed_ms"),
        value("wind.gust").alias("wind_gust_ms"),
        value("wind.deg").alias("wind_dir_deg"),
        value("clouds.all").alias("clouds_pct"),
        F.coalesce(rain_1h, rain_3h / 3).alias("rain_1h_mm"),
        F.coalesce(snow_1h, snow_3h / 3).alias("snow_1h_mm"),
        F.coalesce(
            (rain_1h.isNull() & rain_3h.isNotNull()) | (snow_1h.isNull() & snow_3h.isNotNull()), F.lit(False)
        ).alias("precip_from_3h"),
        value("visibility").alias("visibility_m"),
        F.transform("weather", _ranked).alias("weather"),
    )  # fmt: skip


def _ranked(entry: Column) -> Column:
    """An entry that sorts by the severity of its group, then by its id."""
    identifier = number(entry["id"]).cast("int")
    severity = F.lit(0)
    for rank, group in enumerate(reversed(_GROUPS), start=1):
        severity = F.when(F.floor(identifier / 100) == group, rank).otherwise(severity)
    return F.struct(
        severity.alias("severity"),
        identifier.alias("id"),
        entry["main"].alias("main"),
        entry["description"].alias("description"),
    )
