"""Bronze of many weather documents: the data pack repeated under new names, in files as Airbyte writes them."""

import gzip
import json
import os
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROWS_A_FILE = 500_000
NESTED = ("main", "wind", "clouds", "rain", "snow", "weather")


def make_bronze(documents: int, folder: Path) -> str:
    """Write Parquet files as Airbyte's S3 destination does: numbers double, nested values JSON text.

    Each row has a unique id and what a sync says of it, which are most of such a file's bytes.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    bronze = folder / f"bronze_{documents}"
    if (bronze / "_SUCCESS").exists():
        return str(bronze)
    bronze.mkdir(parents=True, exist_ok=True)
    pack = pa.Table.from_pylist(list(_pack()), schema=_bronze_schema())
    left, copy, number = documents, 0, 0
    while left:
        parts: list[Any] = []
        while left and sum(part.num_rows for part in parts) < ROWS_A_FILE:
            part = _under_new_names(pack.slice(0, left), copy)
            left, copy = left - part.num_rows, copy + 1
            parts.append(part)
        pq.write_table(
            pa.concat_tables(parts), bronze / f"2026_01_02_1_{number}.parquet", compression="snappy"
        )
        number += 1
    (bronze / "_SUCCESS").touch()
    return str(bronze)


def _bronze_schema() -> Any:
    import pyarrow as pa

    from etltctl.local.services.airbyte.columns import META

    kinds = {
        "_id": pa.string(),
        "dt": pa.float64(),
        "timezone": pa.float64(),
        "lat": pa.float64(),
        "lon": pa.float64(),
    }
    texts = dict.fromkeys(("dt_iso", "city_name", *NESTED), pa.string())
    meta = {
        "_airbyte_raw_id": pa.string(),
        "_airbyte_extracted_at": pa.int64(),
        "_airbyte_meta": META,
        "_airbyte_generation_id": pa.int64(),
    }
    return pa.schema({**meta, **kinds, "visibility": pa.float64(), **texts})


def pack_documents() -> Iterator[dict[str, Any]]:
    """Yield the documents of the data pack as MongoDB has them."""
    pack = os.environ.get("ETLTCTL_DATA_PACK")
    if not pack:
        sys.exit("set ETLTCTL_DATA_PACK to the data pack, whose documents this benchmark repeats")
    for file in sorted(Path(pack, "weather").glob("*.jsonl.gz")):
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            yield from map(json.loads, lines)


def _pack() -> Iterator[dict[str, Any]]:
    for index, document in enumerate(pack_documents(), start=1):
        nested = {name: json.dumps(document[name]) for name in NESTED if document.get(name) is not None}
        yield {
            **document, **dict.fromkeys(NESTED), **nested, "_id": f"{0x67748580 + index:08x}{0:016x}",
            "_airbyte_raw_id": "", "_airbyte_extracted_at": 1_767_323_045_000,
            "_airbyte_meta": {"sync_id": 1, "changes": []}, "_airbyte_generation_id": 1,
        }  # fmt: skip


def _under_new_names(pack: Any, copy: int) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    names = pc.binary_join_element_wise(pack["city_name"], pa.scalar(str(copy)), " ")
    ids = pa.array([str(uuid.uuid4()) for _ in range(pack.num_rows)])
    columns = {"city_name": names, "_airbyte_raw_id": ids}
    for name, values in columns.items():
        pack = pack.set_column(pack.schema.get_field_index(name), name, values)
    return pack
