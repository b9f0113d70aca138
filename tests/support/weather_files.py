"""Bronze files of weather documents in each shape that a stream can have, as Airbyte's S3 destination writes them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

NUMBERS = ("dt", "timezone", "lat", "lon", "visibility", "temp", "pressure", "humidity", "wind_speed", "wind_deg",
           "wind_gust", "clouds_all", "rain_1h", "snow_1h", "weather_id")  # fmt: skip
NESTED = ("main", "wind", "clouds", "rain", "snow", "weather")
FLAT = {("main", "temp"): "temp", ("main", "pressure"): "pressure", ("main", "humidity"): "humidity",
        ("wind", "speed"): "wind_speed", ("wind", "deg"): "wind_deg", ("wind", "gust"): "wind_gust",
        ("clouds", "all"): "clouds_all", ("rain", "1h"): "rain_1h", ("snow", "1h"): "snow_1h"}  # fmt: skip
SHAPES = ("nested", "flat", "schemaless")
EXTRACTED_AT_MS = 1_767_323_045_000


def write_file(
    path: Path,
    documents: Sequence[Mapping[str, Any]],
    shape: str = "nested",
    generation: int = 1,
    sync: int = 0,
) -> str:
    """Write one file of a sync, and return its path."""
    count = len(documents)
    rows = [_SHAPED[shape](document) for document in documents]
    columns: dict[str, pa.Array] = {
        "_airbyte_raw_id": pa.array([str(index) for index in range(count)]),
        "_airbyte_extracted_at": pa.array([EXTRACTED_AT_MS + 1000 * sync] * count, pa.int64()),
        "_airbyte_generation_id": pa.array([generation] * count, pa.int64()),
    }
    for name in sorted({name for row in rows for name in row}):
        columns[name] = _column(name, [row.get(name) for row in rows])
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)
    return str(path)


def _nested(document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: json.dumps(value) if name in NESTED else value for name, value in document.items()}


def _flat(document: Mapping[str, Any]) -> dict[str, Any]:
    flat = {name: value for name, value in document.items() if name not in NESTED}
    for (part, field), name in FLAT.items():
        value = (document.get(part) or {}).get(field)
        if isinstance(value, int | float):
            flat[name] = value
    for entry in document.get("weather") or ():
        flat |= {"weather_id": entry["id"], "weather_main": entry.get("main")}
    return flat


def _schemaless(document: Mapping[str, Any]) -> dict[str, Any]:
    return {"_id": document.get("_id"), "data": json.dumps(document)}


def _column(name: str, values: list[Any]) -> pa.Array:
    if name in NUMBERS:
        return pa.array([None if value is None else float(value) for value in values], pa.float64())
    return pa.array([None if value is None else str(value) for value in values], pa.string())


_SHAPED = {"nested": _nested, "flat": _flat, "schemaless": _schemaless}
