"""What Parquet files say about themselves in their footers.

A footer takes one GET of the end of its file, and none if the file is known from before.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etltctl.atomic_files import write_atomically
from etltctl.errors import EtltctlError, UnverifiedError
from etltctl.s3.objects import S3, S3Object
from etltctl.values import S3Location

if TYPE_CHECKING:
    import pyarrow as pa

FOOTER_GUESS = 65_536  # bytes; covers the footer of nearly every file
READERS = 8
FORMAT = "etltctl.footers/1"
SPARE = 1000  # footers of files that are no longer there, kept before they are forgotten
WORTH_KEEPING = 8  # files; the footers of fewer are read as fast as the file that keeps them


@dataclass(frozen=True)
class Footer:
    """A Parquet file's schema and its number of rows, as its footer states them."""

    object: S3Object
    schema: pa.Schema
    rows: int


@dataclass(frozen=True)
class Footers:
    """Footers of the lake's files, remembered by key and ETag.

    What is remembered may be lost or damaged at any time. Then the footers are read again.

    Attributes:
        s3: Where the lake's files are.
        place: The folder of what is remembered, on disk or in S3.
    """

    s3: S3
    place: str
    _known: dict[str, dict[str, Any]] = field(default_factory=dict, repr=False)
    _recalled: set[str] = field(default_factory=set, repr=False)

    def of(self, table: str, files: Sequence[S3Object]) -> list[Footer]:
        """Return the footers of these files of a table, in their order.

        Args:
            table: The table as `layer.table`.
            files: Its files as they are listed now.

        Raises:
            UnverifiedError: A file is not a whole Parquet file.
        """
        known = self._known.get(table) or _nothing()
        # A call with a few files comes first where a sync's own files are counted before all of them.
        if len(files) >= WORTH_KEEPING and table not in self._recalled:
            self._recalled.add(table)
            known = self._recall(table)
        self._known[table] = known
        entries: dict[str, Any] = known["files"]
        _know_copies(entries, files)
        missing = [file for file in files if entries.get(file.location, [""])[0] != file.etag]
        schemas: list[str] = known["schemas"]
        for footer in read_footers(self.s3, missing):
            # A schema is kept once and named by its number: thousands of files of a table share a few.
            text = base64.b64encode(footer.schema.serialize().to_pybytes()).decode()
            if text not in schemas:
                schemas.append(text)
            entries[footer.object.location] = [footer.object.etag, footer.rows, schemas.index(text)]
        if missing and len(files) >= WORTH_KEEPING:
            self._remember(table, files, entries, schemas)
        parsed = _Parsed(schemas)
        return [_footer(file, entries[file.location], parsed) for file in files]

    def _recall(self, table: str) -> dict[str, Any]:
        try:
            file = self._file(table)
            text = self.s3.read(file).decode() if isinstance(file, S3Location) else file.read_text("utf-8")
            known = json.loads(text)
            return known if known.get("format") == FORMAT else _nothing()
        except (EtltctlError, OSError, ValueError, AttributeError):
            return _nothing()

    def _remember(
        self, table: str, files: Sequence[S3Object], entries: Mapping[str, Any], schemas: list[str]
    ) -> None:
        if len(entries) > len(files) + SPARE:
            entries = {file.location: entries[file.location] for file in files}
        text = json.dumps({"format": FORMAT, "files": entries, "schemas": schemas})
        file = self._file(table)
        with suppress(EtltctlError, OSError):  # nothing depends on it: the footers are read again next time
            if isinstance(file, S3Location):
                self.s3.write(file, text.encode())
            else:
                write_atomically(file, text)

    def _file(self, table: str) -> S3Location | Path:
        path = f"footers/{table}.json"
        return (
            S3Location.parse(self.place).object(path)
            if S3Location.is_one(self.place)
            else Path(self.place) / path
        )


def _know_copies(entries: dict[str, Any], files: Sequence[S3Object]) -> None:
    """Let a file that was copied within S3 have the footer of the file with its name and ETag."""
    known = {(name.rpartition("/")[2], entry[0]): entry for name, entry in entries.items()}
    for file in files:
        entry = known.get((file.key.rpartition("/")[2], file.etag))
        if entry is not None:
            entries[file.location] = entry


def _nothing() -> dict[str, Any]:
    return {"files": {}, "schemas": []}


class _Parsed:
    """Schemas parsed once each: thousands of files of a table share a few schemas."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts
        self._schemas: dict[int, Any] = {}

    def __getitem__(self, number: int) -> pa.Schema:
        import pyarrow as pa

        if number not in self._schemas:
            buffer = pa.py_buffer(base64.b64decode(self._texts[number]))
            self._schemas[number] = pa.ipc.read_schema(buffer)
        return self._schemas[number]


def _footer(file: S3Object, entry: Sequence[Any], schemas: _Parsed) -> Footer:
    return Footer(file, schemas[entry[2]], entry[1])


def read_footers(s3: S3, files: Sequence[S3Object]) -> Iterator[Footer]:
    """Yield the footers of these Parquet files, in their order, read a few at a time.

    Raises:
        UnverifiedError: A file is not a whole Parquet file.
    """
    with ThreadPoolExecutor(max_workers=READERS) as readers:
        yield from readers.map(partial(_read, s3), files)


def _read(s3: S3, listed_file: S3Object) -> Footer:
    import pyarrow as pa
    import pyarrow.parquet as pq

    # A Parquet file ends with its footer, the footer's length in four bytes, and the magic word (Parquet format).
    guess = min(FOOTER_GUESS, listed_file.size)
    # The ETag ties the bytes to the listing: a file replaced in between fails, and `settled` lists again.
    tail = s3.read(listed_file.location, last_bytes=guess, etag=listed_file.etag) if listed_file.size else b""
    if tail[-4:] != b"PAR1":
        raise _damaged(listed_file, "is not a whole Parquet file: it does not end as one does")
    # The eight bytes are the length field and the magic word themselves.
    length = int.from_bytes(tail[-8:-4], "little") + 8
    if length > listed_file.size:
        raise _damaged(listed_file, "is not a whole Parquet file: its footer is longer than the file")
    if length > len(tail):
        tail = s3.read(listed_file.location, last_bytes=length, etag=listed_file.etag)
    try:
        file = pq.ParquetFile(pa.BufferReader(tail))
    except (pa.ArrowException, OSError) as error:
        raise _damaged(listed_file, f"has a broken Parquet footer: {error}") from error
    # Writers add metadata to the schema, by which equal schemas would differ.
    return Footer(listed_file, file.schema_arrow.remove_metadata(), file.metadata.num_rows)


def _damaged(listed_file: S3Object, why: str) -> UnverifiedError:
    return UnverifiedError(
        f"{listed_file.location} {why}",
        hint="the table stays as it is, but readers fail on this file: delete it or move it away, then write it again",
        size=f"{listed_file.size:,} bytes",
    )
