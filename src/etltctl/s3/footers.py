"""What Parquet files say about themselves in their footers: one suffix-range GET a file, and none for a known one."""

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

from etltctl.errors import EtltctlError, UnverifiedError
from etltctl.s3.objects import S3, S3Object

if TYPE_CHECKING:
    import pyarrow as pa

FOOTER_GUESS = 65_536  # bytes; covers the footer of nearly every file
READERS = 8
FORMAT = "etltctl.footers/1"
SPARE = 1000  # footers of files that are no longer there, kept before they are forgotten
WORTH_KEEPING = 8  # files; fewer are read again as fast as what was kept of them


@dataclass(frozen=True)
class Footer:
    """What a Parquet file's footer tells: its schema and its number of rows."""

    object: S3Object
    schema: pa.Schema
    rows: int


@dataclass(frozen=True)
class Footers:
    """Footers of the lake's files, remembered by key and ETag in `place`, a folder on disk or in S3.

    What is remembered may be lost or spoilt at any time: then it is read again.
    """

    s3: S3
    place: str
    _known: dict[str, dict[str, Any]] = field(default_factory=dict, repr=False)

    def of(self, table: str, files: Sequence[S3Object]) -> list[Footer]:
        """The footers of these files of a table, in their order."""
        known = self._known.get(table) or (self._recall(table) if len(files) >= WORTH_KEEPING else _nothing())
        self._known[table] = known
        entries: dict[str, Any] = known["files"]
        missing = [file for file in files if entries.get(file.location, [""])[0] != file.etag]
        schemas: list[str] = known["schemas"]
        for footer in read_footers(self.s3, missing):
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
            if self.place.startswith("s3://"):
                text = self.s3.read(self._file(table)).decode()
            else:
                text = Path(self._file(table)).read_text()
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
        with suppress(EtltctlError, OSError):  # it is read again next time
            if self.place.startswith("s3://"):
                self.s3.write(self._file(table), text.encode())
                return
            path = Path(self._file(table))
            path.parent.mkdir(parents=True, exist_ok=True)
            written = path.with_suffix(".new")
            written.write_text(text)
            written.replace(path)

    def _file(self, table: str) -> str:
        return f"{self.place.rstrip('/')}/footers/{table}.json"


def _nothing() -> dict[str, Any]:
    return {"files": {}, "schemas": []}


class _Parsed:
    """Schemas parsed once each."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._texts = texts
        self._made: dict[int, Any] = {}

    def __getitem__(self, number: int) -> pa.Schema:
        import pyarrow as pa

        if number not in self._made:
            buffer = pa.py_buffer(base64.b64decode(self._texts[number]))
            self._made[number] = pa.ipc.read_schema(buffer)
        return self._made[number]


def _footer(file: S3Object, entry: Sequence[Any], schemas: _Parsed) -> Footer:
    return Footer(file, schemas[entry[2]], entry[1])


def read_footers(s3: S3, files: Sequence[S3Object]) -> Iterator[Footer]:
    """The footers of these Parquet files, in their order, read a few at a time."""
    with ThreadPoolExecutor(max_workers=READERS) as readers:
        yield from readers.map(partial(_read, s3), files)


def _read(s3: S3, found: S3Object) -> Footer:
    import pyarrow as pa
    import pyarrow.parquet as pq

    guess = min(FOOTER_GUESS, found.size)
    tail = s3.read(found.location, last_bytes=guess, etag=found.etag) if found.size else b""
    if tail[-4:] != b"PAR1":
        raise _damaged(found, "is not a whole Parquet file: it does not end as one does")
    length = int.from_bytes(tail[-8:-4], "little") + 8
    if length > found.size:
        raise _damaged(found, "is not a whole Parquet file: its footer is longer than the file")
    if length > len(tail):
        tail = s3.read(found.location, last_bytes=length, etag=found.etag)
    try:
        file = pq.ParquetFile(pa.BufferReader(tail))
    except (pa.ArrowException, OSError) as error:
        raise _damaged(found, f"has a broken Parquet footer: {error}") from error
    return Footer(found, file.schema_arrow.remove_metadata(), file.metadata.num_rows)


def _damaged(found: S3Object, why: str) -> UnverifiedError:
    return UnverifiedError(
        f"{found.location} {why}",
        hint="readers fail on it: delete it or move it away, then write it again; the table stays as it is",
        size=f"{found.size:,} bytes",
    )
