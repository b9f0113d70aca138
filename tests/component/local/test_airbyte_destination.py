"""The S3 destination: the files of a sync, column by column and generation by generation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from etltctl.local.services.airbyte.columns import Sync, column_name
from etltctl.local.services.airbyte.destination import S3Destination
from etltctl.local.services.airbyte.records import Kind, Stream, SyncError
from etltctl.local.services.s3.directory import S3Directory

STREAM = Stream(
    "observations",
    {"_id": Kind.STRING, "dt": Kind.NUMBER, "main": Kind.JSON, "cursor": Kind.INTEGER},
    namespace="weather",
)
RECORD = {"_id": "a1", "dt": 1357020000, "main": {"temp": 3.9, "ünit": "°C"}, "cursor": 7}
STARTED_MS = 1_767_323_045_000  # 2026-01-02 03:04:05 UTC
PREFIX = "mongodb/weather/observations"


@pytest.fixture
def lake(tmp_path: Path) -> S3Directory:
    directory = S3Directory(tmp_path / "s3", tmp_path / "s3-meta")
    directory.create_bucket("bronze")
    return directory


def ignore(rows: int, size: int) -> None:
    """Ignore the counts."""


def write(lake: S3Directory, records: Any, generation: int = 1, **options: Any) -> list[str]:
    destination = S3Destination(lake, "bronze", "mongodb", **options)
    sync = Sync(job_id=42, started_ms=STARTED_MS + generation - 1, generation=generation)
    destination.write(STREAM, records, sync, ignore)
    return keys(lake)


def keys(lake: S3Directory) -> list[str]:
    return [each.key for each in lake.list_objects("bronze")]


def read(lake: S3Directory, key: str) -> pq.ParquetFile:
    return pq.ParquetFile(lake.path("bronze", key))


def test_the_key_contains_namespace_stream_day_and_start_of_the_sync(lake: S3Directory) -> None:
    assert write(lake, [RECORD]) == [f"{PREFIX}/2026_01_02_{STARTED_MS}_0.parquet"]


def test_an_empty_namespace_leaves_no_empty_folder(lake: S3Directory) -> None:
    stream = Stream("races", {"season": Kind.STRING})
    S3Destination(lake, "bronze", "api").write(stream, [{"season": "2099"}], Sync(1, STARTED_MS, 1), ignore)
    assert keys(lake) == [f"api/races/2026_01_02_{STARTED_MS}_0.parquet"]


def test_every_object_carries_its_generation(lake: S3Directory) -> None:
    (key,) = write(lake, [RECORD], generation=3)
    assert lake.head_object("bronze", key).metadata == {"ab-generation-id": "3"}


def test_columns_types_and_nulls_are_those_of_airbyte(lake: S3Directory) -> None:
    (key,) = write(lake, [RECORD])
    file = read(lake, key)
    change = pa.struct(
        [pa.field(name, pa.string(), nullable=False) for name in ("field", "change", "reason")]
    )
    changes = pa.list_(pa.field("element", change, nullable=False))
    meta = pa.struct(
        [pa.field("sync_id", pa.int64(), nullable=False), pa.field("changes", changes, nullable=False)]
    )
    expected = pa.schema(
        [
            pa.field("_airbyte_raw_id", pa.string(), nullable=False),
            pa.field("_airbyte_extracted_at", pa.int64(), nullable=False),
            pa.field("_airbyte_meta", meta, nullable=False),
            pa.field("_airbyte_generation_id", pa.int64(), nullable=False),
            pa.field("_id", pa.string()),
            pa.field("dt", pa.float64()),
            pa.field("main", pa.string()),
            pa.field("cursor", pa.int64()),
        ]
    )
    assert file.schema_arrow.equals(expected)
    assert file.metadata.row_group(0).column(0).compression == "UNCOMPRESSED"
    assert "ARROW:schema" not in (file.metadata.metadata or {})


def test_values_survive_as_airbyte_writes_them(lake: S3Directory) -> None:
    (key,) = write(lake, [RECORD, {"_id": "b2"}])
    first, second = read(lake, key).read().to_pylist()
    assert first["main"] == '{"temp":3.9,"ünit":"°C"}'
    assert (first["dt"], first["cursor"]) == (1357020000.0, 7)
    assert first["_airbyte_meta"] == {"sync_id": 42, "changes": []}
    assert first["_airbyte_generation_id"] == 1
    assert first["_airbyte_raw_id"] != second["_airbyte_raw_id"]
    assert (second["dt"], second["main"], second["cursor"]) == (None, None, None)


@pytest.mark.parametrize(
    ("field", "value"),
    [("dt", "warm"), ("dt", float("nan")), ("dt", True), ("cursor", 2**63), ("cursor", 1.5),
     ("main", {"x": float("inf")}), ("_id", "\ud800")],
)  # fmt: skip
def test_a_value_that_its_column_cannot_hold_becomes_null_and_is_named(
    lake: S3Directory, field: str, value: object
) -> None:
    (key,) = write(lake, [{**RECORD, field: value}])
    (row,) = read(lake, key).read().to_pylist()
    assert row[field] is None
    assert row["_airbyte_meta"]["changes"] == [
        {"field": field, "change": "NULLED", "reason": "DESTINATION_SERIALIZATION_ERROR"}
    ]


def test_text_that_looks_like_something_else_stays_text(lake: S3Directory) -> None:
    texts = ["2020-01-01", "12", "null", "", "line\nbreak", '"quoted"', "\u0000", "😀"]
    (key,) = write(lake, [{"_id": text} for text in texts])
    assert read(lake, key).read().column("_id").to_pylist() == texts


def test_column_names_are_made_safe() -> None:
    names = {name: column_name(name) for name in ("rain.1h", "1h", "größe", "_id")}
    assert names == {"rain.1h": "rain_1h", "1h": "_1h", "größe": "gro__e", "_id": "_id"}


def test_a_large_stream_is_split_into_parts_of_one_sync(lake: S3Directory) -> None:
    records = [{"_id": f"{number:06}", "main": {"text": f"{number:06}" * 40}} for number in range(20_000)]
    written = write(lake, records, part_bytes=1_000_000)
    assert len(written) > 1
    assert written == sorted(
        f"{PREFIX}/2026_01_02_{STARTED_MS}_{part}.parquet" for part in range(len(written))
    )
    read_back = sorted(value for key in written for value in read(lake, key).read().column("_id").to_pylist())
    assert read_back == [record["_id"] for record in records]


def test_rows_and_bytes_are_counted_as_they_are_written(lake: S3Directory) -> None:
    counted: list[tuple[int, int]] = []
    destination = S3Destination(lake, "bronze", "mongodb")
    records = [{"_id": str(number)} for number in range(12_000)]
    destination.write(
        STREAM, records, Sync(1, STARTED_MS, 1), lambda rows, size: counted.append((rows, size))
    )
    assert sum(rows for rows, _ in counted) == 12_000
    assert len([rows for rows, _ in counted if rows]) == 3
    assert sum(size for _, size in counted) == lake.list_objects("bronze")[0].size


def test_a_stream_without_records_writes_nothing(lake: S3Directory) -> None:
    assert write(lake, []) == []


def test_old_and_new_generations_exist_together_until_the_old_one_is_retired(lake: S3Directory) -> None:
    (old,) = write(lake, [RECORD], generation=1)
    both = write(lake, [RECORD], generation=2)
    assert len(both) == 2
    S3Destination(lake, "bronze", "mongodb").retire_other_generations([STREAM], 2)
    assert keys(lake) == [key for key in both if key != old]


def test_a_source_that_stops_early_leaves_the_older_generation_readable(lake: S3Directory) -> None:
    (old,) = write(lake, [RECORD])

    def breaks_off() -> Iterator[dict[str, Any]]:
        yield RECORD
        raise SyncError("gone", "transient_error")  # type: ignore[arg-type]

    with pytest.raises(SyncError):
        write(lake, breaks_off(), generation=2)
    assert read(lake, old).metadata.num_rows == 1


def test_files_of_a_failed_sync_are_retired_by_the_next_success(lake: S3Directory) -> None:
    write(lake, [RECORD], generation=1)
    write(lake, [RECORD], generation=2)  # and its sync failed later: nothing was retired
    write(lake, [RECORD], generation=3)
    S3Destination(lake, "bronze", "mongodb").retire_other_generations([STREAM], 3)
    assert [lake.head_object("bronze", key).metadata["ab-generation-id"] for key in keys(lake)] == ["3"]


def test_files_that_no_sync_wrote_stay(lake: S3Directory) -> None:
    foreign = [f"{PREFIX}/notes.txt", f"{PREFIX}/mine.parquet", "mongodb/weather/observations_2/x.parquet"]
    for key in foreign:
        lake.put_object("bronze", key, b"mine")
    S3Destination(lake, "bronze", "mongodb").retire_other_generations([STREAM], 1)
    assert keys(lake) == sorted(foreign)


def test_the_newest_generation_is_read_from_the_files_themselves(lake: S3Directory) -> None:
    destination = S3Destination(lake, "bronze", "mongodb")
    assert destination.newest_generation([STREAM]) == 0
    write(lake, [RECORD], generation=7)
    assert destination.newest_generation([STREAM]) == 7
