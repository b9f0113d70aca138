"""The physics of weather and wind as pure functions of columns; no input is read and no unit is guessed."""

import unicodedata

from pyspark.sql import Column
from pyspark.sql import functions as F

KELVIN = 273.15
GAS_CONSTANT_DRY = 287.058  # J/(kg K)
GAS_CONSTANT_VAPOUR = 461.495  # J/(kg K)
STANDARD_PRESSURE_HPA = 1013.25
REFERENCE_DENSITY = 1.225  # kg/m3, ISO 2533 at sea level and 15 degC
MEASURED_AT_M = 10.0
CALM_MS = 0.5
SECTOR_DEG = 22.5

# Lanczos approximation of the gamma function, g = 5, six terms (Lanczos 1964); relative error below 2e-10.
_LANCZOS = (
    76.18009172947146,
    -86.50532032941677,
    24.01409824083091,
    -1.231739572450155,
    0.1208650973866179e-2,
    -0.5395239384953e-5,
)

# Latin letters with accents: Latin-1 to Latin Extended-B, and Latin Extended Additional, which Vietnamese needs.
_LETTERS = "".join(map(chr, (*range(0x00C0, 0x0250), *range(0x1E00, 0x1F00))))
_WITHOUT_PARTS = {
    "ø": "o",
    "Ø": "O",
    "ł": "l",
    "Ł": "L",
    "đ": "d",
    "Đ": "D",
    "ı": "i",
    "ß": "s",
    "æ": "a",
    "Æ": "A",
}
_ACCENTED = {
    letter: base
    for letter in _LETTERS
    if (base := _WITHOUT_PARTS.get(letter) or unicodedata.normalize("NFKD", letter)[0]).isascii()
}


_COMBINING = r"[\u0300-\u036F]"  # accents that are separate characters
_NAMING = r"\p{L}\p{N}\p{M}\p{So}"  # places differ by letters, digits, marks and symbols, not by punctuation
_FORGOTTEN = rf"[{_NAMING}&&[^a-z0-9]]"
LONGEST_KEY = 100  # a key names a folder, and a file system takes 255 bytes


def city_key(name: Column) -> Column:
    """Return the key of a place: lower-case ASCII words joined by `_`.

    Names that differ only in case, accents or punctuation have one key. Where the words leave out a letter, digit
    or symbol of the name, as of `東京 Airport`, or are too long, ten hex digits of the name's digest follow. A name
    without any Latin letter or digit is its digest alone. Null and blank names have no key.
    """
    trimmed = F.trim(name)
    # Names in ASCII, which most are, need none of the work on accents: that work took longer than all the rest.
    is_ascii = F.octet_length(trimmed) == F.char_length(trimmed)
    accents = F.translate(trimmed, "".join(_ACCENTED), "".join(_ACCENTED.values()))
    without = F.regexp_replace(accents, f"(?<=[A-Za-z]){_COMBINING}+", "")
    plain = F.lower(F.when(is_ascii, trimmed).otherwise(without))
    key = F.replace(F.trim(F.regexp_replace(plain, "[^a-z0-9]+", " ")), F.lit(" "), F.lit("_"))
    # Taken from an array, the key is made once; as the condition and the value of a case it would be made twice.
    latin = F.get(F.array_remove(F.array(key), ""), 0)
    short = F.coalesce(latin, F.when(trimmed != "", F.concat(F.lit("city_"), _digest(trimmed))))
    is_long = (F.length(trimmed) > LONGEST_KEY) & (F.length(key) > LONGEST_KEY)
    is_cut = (~is_ascii & plain.rlike(_FORGOTTEN)) | is_long
    of_name = F.trim(F.regexp_replace(plain, f"[^{_NAMING}]+", " "))
    told_apart = F.concat(F.substring(key, 1, LONGEST_KEY - 11), F.lit("_"), _digest(of_name))
    return F.when(is_cut & (key != ""), told_apart).otherwise(short)


def _digest(text: Column) -> Column:
    return F.substring(F.sha2(text, 256), 1, 10)


def saturation_pressure(temp_c: Column) -> Column:
    """Saturation vapour pressure over water, hPa; Buck (1981, revised 1996)."""
    return 6.1121 * F.exp((18.678 - temp_c / 234.5) * temp_c / (257.14 + temp_c))


def air_density(temp_c: Column, station_hpa: Column, humidity_pct: Column) -> Column:
    """Density of moist air, kg/m3, as a mixture of ideal gases; air of unknown humidity counts as dry."""
    vapour_hpa = F.coalesce(saturation_pressure(temp_c) * humidity_pct / 100, F.lit(0.0))
    kelvin = temp_c + KELVIN
    dry = 100 * (station_hpa - vapour_hpa) / (GAS_CONSTANT_DRY * kelvin)
    return dry + 100 * vapour_hpa / (GAS_CONSTANT_VAPOUR * kelvin)


def standard_factor(elevation_m: Column) -> Column:
    """Pressure at a height over pressure at sea level; ISO 2533 standard atmosphere."""
    return F.pow(1 - 0.0065 * elevation_m / 288.15, F.lit(5.25588))


def wind_power_density(density: Column, speed_ms: Column) -> Column:
    """Power of the wind through a square metre, W/m2. Average this, never the speed it is made of."""
    return 0.5 * density * speed_ms * speed_ms * speed_ms


def hub_speed(speed_ms: Column, hub_height_m: float, shear_alpha: float) -> Column:
    """Wind speed at hub height from the speed at 10 m, m/s; power law."""
    return speed_ms * (hub_height_m / MEASURED_AT_M) ** shear_alpha


def normalised_speed(speed_ms: Column, density: Column) -> Column:
    """Return the speed that carries the same power in air of 1.225 kg/m3, m/s; IEC 61400-12-1."""
    return speed_ms * F.cbrt(density / REFERENCE_DENSITY)


def capacity_factor(speed_ms: Column, cut_in: float, rated: float, cut_out: float) -> Column:
    """Return the share of rated power (0..1) on an idealised cubic power curve."""
    rising = (F.pow(speed_ms, F.lit(3.0)) - cut_in**3) / (rated**3 - cut_in**3)
    return (
        F.when((speed_ms < cut_in) | (speed_ms >= cut_out), 0.0)
        .when(speed_ms >= rated, 1.0)
        .when(speed_ms.isNotNull(), rising)
    )


def gamma(x: Column) -> Column:
    """Return the gamma function of x > 0."""
    base = x + 5.5
    series = F.lit(1.000000000190015)
    for step, coefficient in enumerate(_LANCZOS, start=1):
        series = series + coefficient / (x + step)
    return F.exp((x + 0.5) * F.log(base) - base + F.log(2.5066282746310005 * series / x))


def weibull_k(mean_ms: Column, deviation_ms: Column) -> Column:
    """Shape of the Weibull distribution from mean and population deviation; Justus et al. (1978)."""
    return F.when((mean_ms > 0) & (deviation_ms > 0), F.pow(deviation_ms / mean_ms, F.lit(-1.086)))


def weibull_c(mean_ms: Column, k: Column) -> Column:
    """Scale of the Weibull distribution, m/s."""
    return mean_ms / gamma(1 + 1 / k)


def sector(direction_deg: Column) -> Column:
    """Return one of 16 compass sectors, 0 = north, clockwise."""
    return F.floor(F.pmod(direction_deg + SECTOR_DEG / 2, F.lit(360.0)) / SECTOR_DEG).cast("int")


def direction_of(east: Column, north: Column) -> Column:
    """Return the compass direction 0..360 of the vector (sin, cos); never the mean of degrees."""
    return F.pmod(F.degrees(F.atan2(east, north)), F.lit(360.0))


def wind_class(density_wm2: Column) -> Column:
    """Wind power class 1..7 at 10 m; NREL."""
    limits = (100, 150, 200, 250, 300, 400)
    below = F.when(density_wm2 < limits[0], 1)
    for number, limit in enumerate(limits[1:], start=2):
        below = below.when(density_wm2 < limit, number)
    return below.when(density_wm2.isNotNull(), len(limits) + 1)
