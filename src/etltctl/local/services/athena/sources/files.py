"""The lines of a table's text files, whatever compresses them."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from etltctl.local.services.athena.dialect import QueryError
from etltctl.local.services.athena.dialect.errors import unsupported

if TYPE_CHECKING:
    from etltctl.local.services.athena.sources.table import DataFile

# The end of a file's name, by which Hive knows how it is compressed.
CODECS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}
OTHER_CODECS = (".snappy", ".lz4", ".lzo", ".deflate")


def lines_of(file: DataFile, parameters: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of a file without their ends, and without its header and footer.

    Args:
        file: The file.
        parameters: The properties of the table and of its SerDe.

    Raises:
        QueryError: The file cannot be decompressed, or a property is not valid.
    """
    # Both are counted in each file, not in the table.
    header, footer = (_count(parameters, f"skip.{part}.line.count") for part in ("header", "footer"))
    lines = _lines(file, str(parameters.get("serialization.encoding") or "utf-8"))
    if footer:
        kept = list(lines)
        return iter(kept[header : len(kept) - footer])
    return islice(lines, header, None)


def _lines(file: DataFile, encoding: str) -> Iterator[str]:
    # Hadoop chooses the codec by the file's name only, and so does Athena.
    suffix = f".{file.location.rpartition('.')[2].lower()}"
    if suffix in OTHER_CODECS:
        raise unsupported(f"files that are compressed as {suffix.removeprefix('.')}")
    try:
        with pa.input_stream(file.path, compression=CODECS.get(suffix)) as stream:
            # Every end of a line that Hadoop knows: \n, \r and \r\n.
            for line in io.TextIOWrapper(stream, encoding=encoding, errors="replace", newline=None):
                yield line.removesuffix("\n")
    except (OSError, pa.ArrowException) as error:
        message = str(error).replace(file.path, file.location)
        raise QueryError("HIVE_CURSOR_ERROR", f"Failed to read file: {file.location}: {message}") from error
    except LookupError as error:
        raise unsupported(f"the encoding {encoding}") from error


def _count(parameters: Mapping[str, Any], name: str) -> int:
    text = str(parameters.get(name) or "0").strip()
    if not text.isdigit():
        raise QueryError("HIVE_INVALID_METADATA", f"Invalid value for {name} property: {text}")
    return int(text)
