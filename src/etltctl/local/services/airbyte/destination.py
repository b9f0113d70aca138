"""Airbyte's S3 destination (V2): Parquet files per stream and sync; where they overwrite, old generations go last.

During a sync old and new files stand side by side. Only after all streams succeeded are the files of other
generations deleted, so a failed sync leaves what was readable before, and the next success cleans up after it.
"""

from __future__ import annotations

import io
import re
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from etltctl.local.services.airbyte.columns import Sync, parquet_schema, to_line, to_table
from etltctl.local.services.airbyte.records import Record, Stream

if TYPE_CHECKING:
    from etltctl.local.services.s3.directory import S3Directory

# The object metadata by which Airbyte's destination too knows which sync wrote a file.
GENERATION = "ab-generation-id"
UNCOMPRESSED = "UNCOMPRESSED"
# A batch is held as text, a row group as columns, and a part as bytes: each bounds the memory of its stage.
BATCH_ROWS = 5_000
BATCH_BYTES = 32 * 2**20
ROW_GROUP_BYTES = 64 * 2**20
PART_BYTES = 200 * 2**20
FILE_NAME = r"\d{4}_\d{2}_\d{2}_\d+_\d+\.parquet"

OnRows = Callable[[int, int], None]  # rows and bytes written since the last call


class S3Destination:
    """The bucket and path of one connection, for one sync."""

    def __init__(
        self,
        directory: S3Directory,
        bucket: str,
        path: str,
        *,
        codec: str = UNCOMPRESSED,
        part_bytes: int = PART_BYTES,
    ) -> None:
        self._directory = directory
        self._bucket = bucket
        self._path = path
        self._codec = "none" if codec == UNCOMPRESSED else codec.lower()
        self._part_bytes = part_bytes

    def newest_generation(self, streams: Iterable[Stream]) -> int:
        """Return the highest generation whose files are here; 0 if there are none."""
        return max((self._generation(key) for stream in streams for key in self._keys(stream)), default=0)

    def write(self, stream: Stream, records: Iterable[Record], sync: Sync, on_rows: OnRows) -> None:
        """Write the records as one part or more; memory is bounded by one part."""
        batches = _batches(records, stream, sync, on_rows)
        # `_fill_part` draws from the same iterator, so each round of the loop begins a new part.
        for part, first in enumerate(batches):
            body = self._fill_part(stream, first, batches)
            # The start is in the name, so a sync that is repeated never writes over a file of the one before.
            key = f"{self._prefix(stream)}{_stamp(sync.started_ms)}_{part}.parquet"
            metadata = {GENERATION: str(sync.generation)}
            self._directory.put_object(self._bucket, key, body, metadata=metadata)
            on_rows(0, len(body))

    def retire_other_generations(self, streams: Iterable[Stream], generation: int) -> None:
        """Delete the streams' files of every other generation; files not named as a sync names them stay."""
        for stream in streams:
            for key in self._keys(stream):
                if self._generation(key) != generation:
                    self._directory.delete_object(self._bucket, key)

    def _fill_part(self, stream: Stream, first: pa.Table, others: Iterator[pa.Table]) -> bytes:
        sink = io.BytesIO()
        schema = parquet_schema(stream)
        with pq.ParquetWriter(sink, schema, compression=self._codec, store_schema=False) as writer:
            group, size = [first], first.nbytes
            for batch in others:
                group.append(batch)
                size += batch.nbytes
                if size >= min(ROW_GROUP_BYTES, self._part_bytes):
                    writer.write_table(pa.concat_tables(group))
                    group, size = [], 0
                    # Compared between row groups only, so a part may be larger by one group.
                    if sink.tell() >= self._part_bytes:
                        break
            if group:
                writer.write_table(pa.concat_tables(group))
        return sink.getvalue()

    def _prefix(self, stream: Stream) -> str:
        folders = (self._path, _safe(stream.namespace), _safe(stream.name))
        return "".join(f"{folder.strip('/')}/" for folder in folders if folder)

    def _keys(self, stream: Stream) -> list[str]:
        prefix = self._prefix(stream)
        # Other programs may keep files next to these. Only a name that a sync gives is ever read as one, or deleted.
        objects = self._directory.list_objects(self._bucket, prefix)
        return [each.key for each in objects if re.fullmatch(re.escape(prefix) + FILE_NAME, each.key)]

    def _generation(self, key: str) -> int:
        # A file without the metadata is older than every generation, and goes with the next sync that succeeds.
        text = self._directory.head_object(self._bucket, key).metadata.get(GENERATION, "0")
        return int(text) if text.isdigit() else 0


def _batches(records: Iterable[Record], stream: Stream, sync: Sync, on_rows: OnRows) -> Iterator[pa.Table]:
    """Yield the records as tables of bounded size."""
    schema = parquet_schema(stream)
    lines: list[bytes] = []
    size = 0
    for record in records:
        lines.append(to_line(record, stream, sync, int(time.time() * 1000)))
        size += len(lines[-1])
        if len(lines) == BATCH_ROWS or size >= BATCH_BYTES:
            yield to_table(lines, schema)
            on_rows(len(lines), 0)
            lines, size = [], 0
    if lines:
        yield to_table(lines, schema)
        on_rows(len(lines), 0)


def _stamp(started_ms: int) -> str:
    """`YYYY_MM_DD_EPOCHMS` of the sync's start, in UTC; the same for all parts."""
    day = datetime.fromtimestamp(started_ms / 1000, UTC)
    return f"{day:%Y_%m_%d}_{started_ms}"


def _safe(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9!_.*')(-]", "_", unicodedata.normalize("NFKD", name))
