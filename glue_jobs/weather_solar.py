"""Position of the sun and the radiation that follows from it and from cloud cover: a proxy, nothing is measured."""

from pyspark.sql import Column
from pyspark.sql import functions as F

_J2000_UNIX_S = 946_728_000  # 2000-01-01 12:00 UTC
_DAY_S = 86_400


def sine_of_elevation(unix_s: Column, lat_deg: Column, lon_deg: Column) -> Column:
    """Return the sine of the sun's elevation, to 0.01 degrees in 1950-2050; Michalsky (1988), Astronomical Almanac."""
    days = (unix_s - _J2000_UNIX_S) / _DAY_S
    anomaly = F.radians(357.528 + 0.9856003 * days)
    longitude = F.radians(280.460 + 0.9856474 * days + 1.915 * F.sin(anomaly) + 0.020 * F.sin(2 * anomaly))
    obliquity = F.radians(23.439 - 0.0000004 * days)
    ascension = F.atan2(F.cos(obliquity) * F.sin(longitude), F.cos(longitude))
    declination = F.asin(F.sin(obliquity) * F.sin(longitude))
    hour = F.pmod(unix_s / 3600, F.lit(24.0))
    sidereal = F.radians(15 * (6.697375 + 0.0657098242 * days + hour) + lon_deg)
    lat = F.radians(lat_deg)
    level = F.cos(declination) * F.cos(lat) * F.cos(sidereal - ascension)
    return F.sin(declination) * F.sin(lat) + level


def clear_sky(sine: Column, model: str) -> Column:
    """Return global irradiance without clouds, W/m2, 0 below the horizon; `haurwitz` (1945) or `kasten_czeplak`."""
    if model == "haurwitz":
        return F.when(sine > 0, 1098 * sine * F.exp(-0.059 / sine)).when(sine <= 0, 0.0)
    if model == "kasten_czeplak":
        return F.greatest(910 * sine - 30, F.lit(0.0) * sine)
    raise ValueError(f"clear_sky must be haurwitz or kasten_czeplak, not {model!r}")


def below_clouds(clear_wm2: Column, clouds_pct: Column) -> Column:
    """Return global irradiance under clouds, W/m2; Kasten and Czeplak (1980), N/8 taken as the cover's share."""
    return clear_wm2 * (1 - 0.75 * F.pow(clouds_pct / 100, F.lit(3.4)))
