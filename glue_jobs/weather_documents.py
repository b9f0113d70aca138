"""Bronze weather documents as flat columns: JSON parsed once with an explicit schema, numbers read in any spelling."""

import operator
from collections.abc import Iterable, Mapping
from functools import reduce

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import ArrayType, DataType, DoubleType, StringType, StructType

from lake import GENERATION
from weather_shapes import FLAT, nest_flat_documents

# Airbyte finds these to be double where every document holds a plain number: text would only be read back.
NUMBERS = ("dt", "timezone", "lat", "lon", "visibility")
TEXTS = ("dt_iso", "city_name")
OBJECTS: Mapping[str, tuple[str, ...]] = {
    "main": (
        "temp", "feels_like", "temp_min", "temp_max", "dew_point", "pressure", "sea_level", "grnd_level", "humidity",
    ),
    "wind": ("speed", "gust", "deg"),
    "clouds": ("all",),
    "rain": ("1h", "3h"),
    "snow": ("1h", "3h"),
}  # fmt: skip
NESTED = (*OBJECTS, "weather")
_PATHS = (*NUMBERS, *(f"{name}.{field}" for name, fields in OBJECTS.items() for field in fields))
_UNREADABLE = "_corrupt_record"  # where from_json puts a document that is not to the schema
_TEXT, _NUMBER = StringType(), DoubleType()


def _struct(fields: Iterable[tuple[str, DataType]]) -> StructType:
    return reduce(lambda struct, field: struct.add(*field), fields, StructType())


def _nested(name: str, number: DataType) -> DataType:
    if name == "weather":
        return ArrayType(_struct([("id", number), ("main", _TEXT), ("description", _TEXT)]))
    return _struct((field, number) for field in OBJECTS[name])


BRONZE = _struct((name, _TEXT) for name in (*NUMBERS, *TEXTS, *NESTED, "_id"))
BRONZE.add("_airbyte_extracted_at", "long")
SCHEMALESS = "data"  # the column of whole documents; other streams have none
OPTIONAL = _struct((name, _TEXT) for name in (SCHEMALESS, *FLAT))
OPTIONAL.add(GENERATION, "long")
_SCALARS = [*((name, _NUMBER) for name in NUMBERS), *((name, _TEXT) for name in TEXTS)]
_OBJECTS = [*((name, _nested(name, _NUMBER)) for name in NESTED), (_UNREADABLE, _TEXT)]
_WRAPPED_NUMBER = r'^\{\s*"\$number\w+"\s*:\s*"?([^"}]+?)"?\s*\}$'
_WRAPPED_DATE = r'^\{\s*"\$date"\s*:\s*(?:\{\s*"\$numberLong"\s*:\s*)?"?([^"}]+?)"?\s*\}'

# Severest first: thunderstorm, snow, rain, drizzle, fog and dust, clouds and clear sky.
_GROUPS = (2, 6, 5, 3, 7, 8)
# How severe these are; from drizzle on it is wet.
DRIZZLE, SNOW = (len(_GROUPS) - _GROUPS.index(group) for group in (3, 6))

# Temperatures as the source gives them: degrees Celsius or, with `units = "standard"`, Kelvin.
TEMPERATURES = ("temp", "feels_like", "temp_min", "temp_max", "dew_point")
SOURCE_UNIT = "_source_unit"
# What two documents of the same place and time are compared by.
MEASURES = (
    "city_name", "dt_iso", "timezone", "lat", "lon", *(f"{name}{SOURCE_UNIT}" for name in TEMPERATURES),
    "pressure_msl_hpa", "pressure_station_hpa", "humidity_pct", "wind_speed_ms", "wind_gust_ms",
    "wind_dir_deg", "clouds_pct", "rain_1h_mm", "snow_1h_mm", "precip_from_3h", "visibility_m",
)  # fmt: skip
# A member with a value. The text is searched, not the columns made of it: Spark pushes a filter down to the file and
# would parse the document again for each column that the filter names.
_ANY_MEASURE = (
    rf'"(?:{"|".join(sorted({"visibility"}.union(*OBJECTS.values())))})"\s*:\s*+(?!null\b|"")'
)  # fmt: skip


def number(text: Column) -> Column:
    """Return the number of a text, plain or in MongoDB's extended JSON; null if the text is not a number."""
    return F.coalesce(text.cast("double"), F.regexp_extract(text, _WRAPPED_NUMBER, 1).cast("double"))


def unix_seconds(text: Column) -> Column:
    """Return seconds since 1970 from a number, or from MongoDB's `$date` in milliseconds or as ISO text; else null."""
    date = F.regexp_extract(text, _WRAPPED_DATE, 1)
    return F.coalesce(number(text), date.cast("double") / 1000, date.cast("timestamp").cast("double"))


def flatten_documents(bronze: DataFrame) -> DataFrame:
    """Return one row per document with `MEASURES`, `dt`, `weather` (array of entries) and the bronze lineage columns.

    `is_unreadable` is true if a part is not JSON, or not a number where one belongs; the value of that part is null.
    `is_bare` is true if the document has no measure at all. `document` is the document as it arrived.
    """
    columns = [name for name in bronze.columns if name in {*NUMBERS, *TEXTS, *NESTED, *FLAT}]
    came = bronze.withColumn("document", _or_data(F.to_json(F.struct(*columns)), bronze))
    return _measure(_parse(nest_flat_documents(came)))


def _or_data(text: Column, bronze: DataFrame) -> Column:
    return F.coalesce(SCHEMALESS, text) if SCHEMALESS in bronze.columns else text


def _parse(bronze: DataFrame) -> DataFrame:
    """Parse each document as one struct, `whole`; if it breaks the schema, read its texts one by one, `corrected`.

    A schemaless stream keeps the document in `data`, another one its objects in columns. Either way it is parsed
    once as a whole: that costs far less than once a column, and numbers need no detour through text. The parser
    copies every field of the schema for every document, so it is not given those that are columns.
    """
    members = [F.concat(F.lit(f'"{name}":'), name) for name in NESTED]
    text = F.concat(F.lit("{"), F.concat_ws(",", *members), F.lit("}"))
    texts = bronze.withColumn("text", _or_data(text, bronze))
    fields = [*_SCALARS, *_OBJECTS] if SCHEMALESS in bronze.columns else _OBJECTS
    # With a mode stated Spark does not prune the schema, which would parse every document again for one field.
    whole = F.from_json("text", _struct(fields), {"mode": "PERMISSIVE"})
    corrected = F.when(whole[_UNREADABLE].isNotNull(), _read_one_by_one(bronze))
    # The search is made here, so that the text itself is not copied into the parsed row.
    has_measure = F.col("text").rlike(_ANY_MEASURE)
    parsed = texts.withColumns({"whole": whole, "corrected": corrected, "has_measure": has_measure})
    return parsed.drop("text")


def _read_one_by_one(bronze: DataFrame) -> Column:
    """Read every value from its own text.

    The values stand in arrays, because few documents need this and its generated code is compiled for all.
    """

    def text_of(name: str) -> Column:
        text = F.col(name).cast("string")
        is_schemaless = SCHEMALESS in bronze.columns
        return F.coalesce(text, F.get_json_object(SCHEMALESS, f"$.{name}")) if is_schemaless else text

    objects = {name: F.from_json(text_of(name), _nested(name, _TEXT)) for name in OBJECTS}
    fields = [objects[name][field] for name, fields in OBJECTS.items() for field in fields]
    texts = F.array(*map(text_of, NUMBERS), *fields)
    numbers = F.transform(texts, lambda text, at: F.when(at == 0, unix_seconds(text)).otherwise(number(text)))
    odd = F.zip_with(texts, numbers, lambda text, value: text.isNotNull() & value.isNull())
    broken = F.transform(F.array(*map(text_of, OBJECTS)), _is_no_object)
    entries = F.from_json(text_of("weather"), _nested("weather", _TEXT))
    return F.struct(
        numbers.alias("numbers"),
        *(text_of(name).alias(name) for name in TEXTS),
        F.transform(entries, _with_number).alias("weather"),
        F.exists(F.concat(odd, broken), lambda is_so: is_so).alias("is_unreadable"),
    )


def _is_no_object(text: Column) -> Column:
    is_json = text.rlike(r"^\s*(\{|null)") & F.get_json_object(text, "$").isNotNull()
    return text.isNotNull() & ~is_json


def _with_number(entry: Column) -> Column:
    return entry.withField("id", number(entry["id"]))


def _measure(parsed: DataFrame) -> DataFrame:
    kinds = dict(parsed.dtypes)
    is_schemaless = SCHEMALESS in kinds
    own = {name: F.col(name) for name in NUMBERS if kinds[name] == "double"}
    own |= {name: number(F.col(name)) for name in NUMBERS if kinds[name] != "double"}
    if kinds["dt"] != "double":
        own["dt"] = unix_seconds(F.col("dt"))
    odd = [F.col(name).isNotNull() & own[name].isNull() for name in NUMBERS if kinds[name] != "double"]

    def value(path: str) -> Column:
        if path in own and not is_schemaless:
            return own[path]
        read = (F.col(f"whole.{path}"), F.get("corrected.numbers", F.lit(_PATHS.index(path))))
        return F.coalesce(own[path], *read) if path in own else F.coalesce(*read)

    def text(name: str) -> Column:
        return F.coalesce(name, f"whole.{name}", f"corrected.{name}") if is_schemaless else F.col(name)

    rain_3h, snow_3h = value("rain.3h"), value("snow.3h")
    rain_1h, snow_1h = value("rain.1h"), value("snow.1h")
    return parsed.select(
        "_id", "_airbyte_extracted_at", "source_file", "source_row", "document",
        *(name for name in (GENERATION,) if name in kinds),
        *(text(name).alias(name) for name in TEXTS),
        *(value(name).alias(name) for name in ("dt", "lat", "lon")),
        value("timezone").cast("int").alias("timezone"),
        value("main.temp").alias("temp_source_unit"),
        value("main.feels_like").alias("feels_like_source_unit"),
        value("main.temp_min").alias("temp_min_source_unit"),
        value("main.temp_max").alias("temp_max_source_unit"),
        value("main.dew_point").alias("dew_point_source_unit"),
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
        F.coalesce("corrected.weather", "whole.weather").alias("weather"),
        (~F.col("has_measure") & F.col("visibility").isNull()).alias("is_bare"),
        reduce(operator.or_, odd, F.coalesce("corrected.is_unreadable", F.lit(False))).alias("is_unreadable"),
    )  # fmt: skip


def by_severity(entries: Column) -> Column:
    """Weather entries with whole ids, by the severity of their group and then by id: the last is the severest."""
    return F.sort_array(F.transform(entries, _ranked))


def _ranked(entry: Column) -> Column:
    identifier = entry["id"].cast("int")
    severity = F.lit(0)
    for rank, group in enumerate(reversed(_GROUPS), start=1):
        severity = F.when(F.floor(identifier / 100) == group, rank).otherwise(severity)
    return F.struct(
        severity.alias("severity"),
        identifier.alias("id"),
        entry["main"].alias("main"),
        entry["description"].alias("description"),
    )
