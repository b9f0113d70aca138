"""Airbyte's S3 destination (V2): Parquet files per stream and sync; where they overwrite, old generations go last.

During a sync old and new files stand side by side. Only after all streams succeeded are the files of other
generations deleted, so a failed sync leaves what was readable before, and the next success cleans up after it.

Of an incremental stream a state is passed on only after the file with the records before it is there and on the disk.
A sync that is killed in between leaves records without their state: the next one writes them again. The other order
would leave a state without its records, and those would never be read again. What was read before the source failed
is written, too, and the next sync resumes from there.
"""

from __future__ import annotations

import io
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from etltctl.local.services.airbyte.columns import Sync, parquet_schema, to_line, to_table
from etltctl.local.services.airbyte.records import Checkpoint, Record, Stream, SyncCancelledError, SyncError
from etltctl.settings.stream_names import folder_of_stream

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
# A part ends at the first checkpoint after this time: what a killed sync repeats is bounded by time, for a source of a
# few records a minute as for one of thousands a second.
COMMIT_S = 60.0
FILE_NAME = r"\d{4}_\d{2}_\d{2}_\d+_\d+\.parquet"

OnRows = Callable[[int, int], None]  # rows and bytes written since the last call
OnState = Callable[[Checkpoint, int], None]  # a state, and the rows written since the last one


@dataclass(frozen=True)
class _Batch:
    """Some rows, the newest checkpoint among or behind them, and whether a part has to end with them."""

    table: pa.Table | None
    checkpoint: Checkpoint | None
    is_due: bool = False


@dataclass(frozen=True)
class _Failure:
    """The error by which the source ended, in the place of a record."""

    error: SyncError | SyncCancelledError


def _ignore(checkpoint: Checkpoint, rows: int) -> None:
    """Keep no state."""


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

    def write(
        self,
        stream: Stream,
        records: Iterable[Record | Checkpoint],
        sync: Sync,
        on_rows: OnRows,
        on_state: OnState = _ignore,
    ) -> int:
        """Write the records as one part or more; memory is bounded by one part.

        Args:
            stream: The stream.
            records: Its records, with checkpoints among them if it is incremental.
            sync: What every row carries.
            on_rows: Called with the rows and bytes that were written.
            on_state: Called with a state once all records before it are in the bucket and on the disk.

        Returns:
            The rows after the last state. With `on_state` these are on the disk, too: a later state may be about them.
        """
        # Without states, the part in progress of a sync that fails must not be seen.
        ending = records if on_state is _ignore else _with_failure(records)
        batches = self._batches(ending, stream, sync, on_rows)
        unforced: list[Path] = []
        part, unkept = 0, 0
        # `_fill_part` draws from the same iterator, so each round of the loop begins a new part.
        for first in batches:
            body, rows, checkpoint = self._fill_part(stream, first, batches)
            if rows:
                # The start is in the name, so a sync that is repeated never writes over a file of the one before.
                key = f"{self._prefix(stream)}{_stamp(sync.started_ms)}_{part}.parquet"
                metadata = {GENERATION: str(sync.generation)}
                self._directory.put_object(self._bucket, key, body, metadata=metadata)
                on_rows(0, len(body))
                unforced.append(self._directory.path(self._bucket, key))
                part, unkept = part + 1, unkept + rows
            if checkpoint:
                _force_to_disk(unforced)
                on_state(checkpoint, unkept)
                unforced, unkept = [], 0
        if on_state is not _ignore:
            _force_to_disk(unforced)
        return unkept

    def delete(self, stream: Stream) -> None:
        """Delete the stream's files; files not named as a sync names them stay."""
        for key in self._keys(stream):
            self._directory.delete_object(self._bucket, key)

    def retire_other_generations(self, streams: Iterable[Stream], generation: int) -> None:
        """Delete the streams' files of every other generation; files not named as a sync names them stay."""
        for stream in streams:
            for key in self._keys(stream):
                if self._generation(key) != generation:
                    self._directory.delete_object(self._bucket, key)

    def _fill_part(
        self, stream: Stream, first: _Batch, others: Iterator[_Batch]
    ) -> tuple[bytes, int, Checkpoint | None]:
        """Return the file of a part, its rows, and the newest checkpoint whose records all lie in it or before."""
        sink = io.BytesIO()
        rows, checkpoint = 0, None
        with pq.ParquetWriter(
            sink, parquet_schema(stream), compression=self._codec, store_schema=False
        ) as writer:
            group: list[pa.Table] = []
            for batch in chain((first,), others):
                checkpoint = batch.checkpoint or checkpoint
                if batch.table is not None:
                    group.append(batch.table)
                    rows += batch.table.num_rows
                if batch.is_due:
                    break
                if sum(table.nbytes for table in group) >= min(ROW_GROUP_BYTES, self._part_bytes):
                    writer.write_table(pa.concat_tables(group))
                    group = []
                    # Compared between row groups only, so a part may be larger by one group.
                    if sink.tell() >= self._part_bytes:
                        break
            if group:
                writer.write_table(pa.concat_tables(group))
        return sink.getvalue(), rows, checkpoint

    def _batches(
        self, records: Iterable[Record | Checkpoint | _Failure], stream: Stream, sync: Sync, on_rows: OnRows
    ) -> Iterator[_Batch]:
        """Yield the records as tables of bounded size."""
        schema = parquet_schema(stream)
        lines: list[bytes] = []
        size, checkpoint, committed = 0, None, time.monotonic()
        for record in records:
            is_due = isinstance(record, _Failure)
            if isinstance(record, Checkpoint):
                checkpoint = record
                is_due = time.monotonic() - committed >= COMMIT_S
            elif not isinstance(record, _Failure):
                lines.append(to_line(record, stream, sync, int(time.time() * 1000)))
                size += len(lines[-1])
            if is_due or len(lines) == BATCH_ROWS or size >= BATCH_BYTES:
                yield _Batch(_table(lines, schema), checkpoint, is_due)
                on_rows(len(lines), 0)
                lines, size, checkpoint = [], 0, None
                committed = time.monotonic() if is_due else committed
            if isinstance(record, _Failure):
                raise record.error
        if lines or checkpoint:
            yield _Batch(_table(lines, schema), checkpoint)
            on_rows(len(lines), 0)

    def _prefix(self, stream: Stream) -> str:
        folders = (self._path, folder_of_stream(stream.namespace), folder_of_stream(stream.name))
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


def _with_failure(records: Iterable[Record | Checkpoint]) -> Iterator[Record | Checkpoint | _Failure]:
    """Yield the records, and behind them the error of a source that failed or was cancelled."""
    try:
        yield from records
    except (SyncError, SyncCancelledError) as error:
        yield _Failure(error)


def _table(lines: list[bytes], schema: pa.Schema) -> pa.Table | None:
    return to_table(lines, schema) if lines else None


def _force_to_disk(files: Sequence[Path]) -> None:
    """Wait until the files and their names survive a loss of power, as the state that is kept next does."""
    for file in files:
        _force(file)
    for folder in {file.parent for file in files}:
        with suppress(OSError):  # some file systems cannot; the name itself is there
            _force(folder)


def _force(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _stamp(started_ms: int) -> str:
    """`YYYY_MM_DD_EPOCHMS` of the sync's start, in UTC; the same for all parts."""
    day = datetime.fromtimestamp(started_ms / 1000, UTC)
    return f"{day:%Y_%m_%d}_{started_ms}"
