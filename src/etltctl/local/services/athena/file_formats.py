"""The formats of files that statements write: Parquet, ORC, JSON and delimited text, with their compression."""

from __future__ import annotations

import base64
import gzip
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from etltctl.local.services.athena.dialect import QueryError, Type, rendered

if TYPE_CHECKING:
    import pyarrow as pa

FORMATS = ("PARQUET", "ORC", "AVRO", "JSON", "TEXTFILE")
# By format: pyarrow's codec for each of Athena's names. ORC has no gzip: Athena writes zlib under that name, too.
CODECS = {
    "PARQUET": {"SNAPPY": "snappy", "GZIP": "gzip", "ZSTD": "zstd", "NONE": "none"},
    "ORC": {
        "SNAPPY": "snappy",
        "GZIP": "zlib",
        "ZLIB": "zlib",
        "LZ4": "lz4",
        "ZSTD": "zstd",
        "NONE": "uncompressed",
    },
    "JSON": {"GZIP": "gzip", "ZSTD": "zstd", "NONE": "none"},
    "TEXTFILE": {"GZIP": "gzip", "ZSTD": "zstd", "NONE": "none"},
}
ALL_CODECS = ("SNAPPY", "GZIP", "ZSTD", "NONE", "ZLIB", "LZ4", "DEFLATE", "BZIP2")
SUFFIXES = {"gzip": ".gz", "zstd": ".zst", "none": ""}
# Hive's separators of text: between fields, then between the members of each deeper level.
SEPARATORS = "\x01\x02\x03\x04\x05\x06\x07\x08"
NULL = "\\N"


@dataclass(frozen=True)
class FileFormat:
    """A format, its compression (a codec of pyarrow, or `none`), and the delimiter and the null of text."""

    name: str = "PARQUET"
    codec: str = "gzip"
    level: int | None = None
    delimiter: str = SEPARATORS[0]
    null: str = NULL
    deeper: str = SEPARATORS[1:]  # the separators of the members of each level below the fields

    @property
    def suffix(self) -> str:
        """The end of a file's name. A reader of text knows the compression by it, other files say it themselves."""
        return SUFFIXES[self.codec] if self.name in ("JSON", "TEXTFILE") else ""

    def content(self, rows: pa.Table, kinds: Mapping[str, Type]) -> bytes:
        """Return the rows as a file.

        Args:
            rows: the rows.
            kinds: column → type of the rows' columns.
        """
        if self.name == "PARQUET":
            return self._parquet(rows)
        if self.name == "ORC":
            return self._orc(rows)
        line = self._object if self.name == "JSON" else self._fields
        # Maps as dictionaries, for Arrow would give lists of pairs. Trino's maps have no key twice.
        batches = (batch.to_pylist(maps_as_pydicts="lossy") for batch in rows.to_batches())
        text = "".join(f"{line(row, kinds)}\n" for batch in batches for row in batch)
        return self._compressed(text.encode())

    def _object(self, row: Mapping[str, Any], kinds: Mapping[str, Type]) -> str:
        return json.dumps({name: _json(row.get(name), kind) for name, kind in kinds.items()})

    def _fields(self, row: Mapping[str, Any], kinds: Mapping[str, Type]) -> str:
        return self.delimiter.join(
            _text(row.get(name), kind, self.deeper, self.null) for name, kind in kinds.items()
        )

    def _parquet(self, rows: pa.Table) -> bytes:
        import pyarrow.parquet as pq

        body = io.BytesIO()
        pq.write_table(rows, body, compression=self.codec, compression_level=self.level)
        return body.getvalue()

    def _orc(self, rows: pa.Table) -> bytes:
        from pyarrow import orc

        body = io.BytesIO()
        orc.write_table(rows, body, compression=self.codec)
        return body.getvalue()

    def _compressed(self, body: bytes) -> bytes:
        import pyarrow as pa

        # Without a time in the header, the same rows give the same bytes.
        if self.codec == "gzip":
            return gzip.compress(body, mtime=0)
        if self.codec == "zstd":
            return bytes(pa.Codec("zstd", self.level).compress(body, asbytes=True))
        return body


def read_format(properties: dict[str, Any], *, statement: str, default: str = "") -> FileFormat:
    """Take the properties of a format out of those of a statement.

    Args:
        properties: the properties by name; those that are read are removed.
        statement: the statement's name, for errors.
        default: the format without the property `format`; empty if the property is required.

    Raises:
        QueryError: INVALID_PROPERTY for a value that Athena refuses, NOT_SUPPORTED for a format that cannot be written.
    """
    name = str(properties.pop("format", default)).upper()
    if name not in FORMATS:
        raise _invalid(f"{statement} needs format, one of {', '.join(FORMATS)}; it is '{name}'")
    codec = _codec_of(properties, name)
    level, delimiter = properties.pop("compression_level", None), properties.pop("field_delimiter", None)
    if delimiter is not None and name != "TEXTFILE":
        raise _invalid("field_delimiter is a property of format TEXTFILE")
    if delimiter is not None and len(str(delimiter)) != 1:
        raise _invalid(f"field_delimiter must be one character, not '{delimiter}'")
    if name not in CODECS:
        raise QueryError("NOT_SUPPORTED", f"the embedded Athena writes {', '.join(CODECS)}, not {name}")
    if codec not in CODECS[name]:
        refusal = "NOT_SUPPORTED" if codec in ALL_CODECS else "INVALID_PROPERTY"
        raise QueryError(refusal, f"the compression {codec} is not supported for format {name}")
    if level is not None and codec != "ZSTD":
        raise _invalid("compression_level is a property of compression ZSTD")
    return FileFormat(name, CODECS[name][codec], level, delimiter or SEPARATORS[0])


def _codec_of(properties: dict[str, Any], form: str) -> str:
    """Return the one compression that the properties name; GZIP if they name none."""
    names = ("compression", "write_compression", "parquet_compression", "orc_compression")
    chosen = {name: str(properties.pop(name)).upper() for name in names if name in properties}
    for name in ("parquet_compression", "orc_compression"):
        if name in chosen and name != f"{form.lower()}_compression":
            raise _invalid(f"{name} is not a property of format {form}")
    # Athena has the general name and one for each format. Two of them could contradict each other.
    if len(chosen) > 1:
        raise _invalid(f"only one of {' and '.join(chosen)} can be set")
    return next(iter(chosen.values()), "GZIP")


def _invalid(message: str) -> QueryError:
    return QueryError("INVALID_PROPERTY", message)


def _json(value: Any, kind: Type) -> Any:
    """Return a value as Hive's JSON SerDe writes it."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if kind.is_("array"):
        return [_json(item, kind.element) for item in value]
    if kind.is_("map"):
        return {str(_json(key, kind.inner(0))): _json(item, kind.inner(1)) for key, item in value.items()}
    if kind.is_("row"):
        items = zip(kind.field_names, value.values(), kind.inners, strict=True)
        return {name: _json(item, inner) for name, item, inner in items}
    # JSON has no NaN and no infinity, so these become texts.
    if isinstance(value, float) and value == value and abs(value) != float("inf"):
        return value
    return float(value) if isinstance(value, Decimal) else _scalar(value, kind)


def _text(value: Any, kind: Type, separators: str, null: str) -> str:
    """Return a value as Hive's LazySimpleSerDe writes it; the first separator is that of its members."""
    if value is None:
        return null
    separator, deeper = separators[:1], separators[1:]
    if kind.is_("array"):
        return separator.join(_text(item, kind.element, deeper, null) for item in value)
    if kind.is_("row"):
        members = zip(value.values(), kind.inners, strict=True)
        return separator.join(_text(item, inner, deeper, null) for item, inner in members)
    if kind.is_("map"):
        # The key and the value of an entry have the next separator between them, so their members are deeper by two.
        entries = (
            [_text(part, inner, deeper[1:], null) for part, inner in zip(entry, kind.inners, strict=True)]
            for entry in value.items()
        )
        return separator.join(deeper[:1].join(entry) for entry in entries)
    return _scalar(value, kind)


def _scalar(value: Any, kind: Type) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, date | datetime) or kind.name in ("real", "double", "decimal", "boolean"):
        return rendered(value, kind) or ""
    return str(value)
