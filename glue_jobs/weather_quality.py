"""The data quality rules of weather observations, as data: which values are impossible and what happens to them."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

EARLIEST_DT = 283_996_800  # 1979-01-01 UTC, the first hour of ERA5
DAY_S = 86_400
MOVED_DEG = 0.1


@dataclass(frozen=True)
class Flag:
    """A row for which `broken` (SQL over its columns) is true carries `code`; the row stays as it is."""

    code: str
    broken: str


@dataclass(frozen=True)
class Range:
    """A value outside `low`..`high` (inclusive; None is open) is nulled and its row carries `code`."""

    code: str
    column: str
    low: float
    high: float | None = None

    def broken(self) -> Column:
        """Return true for an impossible value; NaN, which Spark sorts last, counts as one."""
        value = F.col(self.column)
        high = float("inf") if self.high is None else self.high
        return value.isNotNull() & ~value.between(self.low, high)


RANGES = (
    Range("TEMP_RANGE", "temp_c", -90, 60),
    Range("HUM_RANGE", "humidity_pct", 0, 100),
    Range("WIND_RANGE", "wind_speed_ms", 0, 75),
    Range("WIND_RANGE", "wind_gust_ms", 0, 110),
    Range("DIR_RANGE", "wind_dir_deg", 0, 360),
    Range("P_MSL_RANGE", "pressure_msl_hpa", 870, 1085),
    Range("P_STN_RANGE", "pressure_station_hpa", 300, 1100),
    Range("CLOUD_RANGE", "clouds_pct", 0, 100),
    Range("PRECIP_NEG", "rain_1h_mm", 0),
    Range("PRECIP_NEG", "snow_1h_mm", 0),
    Range("VIS_NEG", "visibility_m", 0),
    Range("COORD_RANGE", "lat", -90, 90),
    Range("COORD_RANGE", "lon", -180, 180),
)

# Evaluated on the values the ranges have left; a null never breaks a rule that does not ask for null.
FLAGS = (
    Flag("TEXT_UNREADABLE", "is_unreadable"),
    Flag("DT_ISO_MISMATCH", "is_other_in_iso"),
    Flag("GUST_LT_SPEED", "wind_gust_ms < wind_speed_ms"),
    Flag("DEW_GT_TEMP", "dew_point_c > temp_c + 0.5"),
    Flag("COORD_MOVED", f"abs(lat - place.lat) > {MOVED_DEG} or abs(lon - place.lon) > {MOVED_DEG}"),
    Flag("NO_WIND", "wind_speed_ms is null"),
    Flag("NO_CLOUDS", "clouds_pct is null"),
    Flag("RHO_DRY", "humidity_pct is null and temp_c is not null"),
    Flag("DUP_CONFLICT", "in_conflict"),
    Flag("COORD_PLACE", "(lat is null and place.lat is not null) or (lon is null and place.lon is not null)"),
    Flag("OFFSET_UTC", "timezone is null"),
    Flag("CITY_DEFAULT", "city_is_default"),
)

CODES = tuple(dict.fromkeys(rule.code for rule in (*RANGES, *FLAGS)))


def latest_dt() -> int:
    """Return the latest time of an observation that a run accepts now, in seconds since 1970."""
    return int(time.time()) + DAY_S


def rejections(latest: int | None = None) -> tuple[Flag, ...]:
    """Return the reasons for a rejection, so that every query with these rules agrees.

    Args:
        latest: The latest time that is accepted, in seconds since 1970; `latest_dt()` unless it is given.
    """
    latest = latest_dt() if latest is None else latest
    return (
        Flag("DT_MISSING", f"dt is null or not (dt between {EARLIEST_DT} and {latest})"),
        Flag("CITY_MISSING", "city_key is null"),
        Flag("MEASURES_MISSING", "is_bare"),
    )


def rejection_reason(rules: Sequence[Flag]) -> Column:
    """Return the code of the first rule that rejects a row; null for a row to keep."""
    return F.coalesce(*(F.when(F.expr(rule.broken), rule.code) for rule in rules))


def null_impossible(rows: DataFrame, rules: Sequence[Range] = RANGES) -> DataFrame:
    """Null every value outside its range; `broken_ranges` holds for each rule whether it was broken."""
    cleaned = {rule.column: F.when(~rule.broken(), F.col(rule.column)) for rule in rules}
    return rows.withColumns({**cleaned, "broken_ranges": F.struct(*(rule.broken() for rule in rules))})


def flags(ranges: Sequence[Range] = RANGES, rules: Sequence[Flag] = FLAGS) -> Column:
    """Return all codes of a row in the order of the rules, each once.

    Cut from one text: functions of arrays that leave nulls out are not compiled and several times slower.
    """
    broken: dict[str, Column] = {}
    for at, rule in enumerate(ranges, start=1):
        is_broken = F.col(f"broken_ranges.col{at}")
        broken[rule.code] = broken[rule.code] | is_broken if rule.code in broken else is_broken
    broken |= {rule.code: F.expr(rule.broken) for rule in rules}
    codes = F.concat_ws(" ", *(F.when(is_broken, code) for code, is_broken in broken.items()))
    return F.when(codes == "", F.array().cast("array<string>")).otherwise(F.split(codes, " "))
