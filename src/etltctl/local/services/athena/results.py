"""The results of queries: rows for GetQueryResults, and the objects that Athena writes next to each other on S3."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from etltctl.local.kernel.json_protocol import AwsError
from etltctl.local.services.athena.engine import Answer
from etltctl.local.services.athena.pages import position
from etltctl.local.services.athena.records import Record
from etltctl.local.services.s3.directory import S3Directory

PAGE_ROWS = 1000
# Athena reports these precisions for types that carry none.
PRECISIONS = {
    "tinyint": 3, "smallint": 5, "integer": 10, "bigint": 19, "real": 17, "double": 17, "float": 17,
    "timestamp": 3, "timestamp with time zone": 3, "varchar": 2_147_483_647, "varbinary": 1_073_741_824,
}  # fmt: skip
CATALOG, UNKNOWN_NULLABLE = "hive", 3


@dataclass(frozen=True)
class Results:
    """The results of one state folder's queries."""

    folder: Path
    directory: S3Directory

    def write(self, record: Record, answer: Answer) -> None:
        """Keep the rows of an answer, and write its objects to S3: the rows, their columns, the manifest."""
        header = [[name for name, *_ in answer.columns]] if answer.columns and record.has_header else []
        rows = header + answer.rows
        with (self.folder / f"{record.id}.rows").open("w") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)
        record.updated, record.output_rows = answer.updated, len(answer.rows) or answer.updated
        # A workgroup with managed results has no place on S3. GetQueryResults is then the only way.
        if not record.output:
            return
        if answer.manifest is not None:
            record.manifest = f"{record.output.removesuffix('.csv')}-manifest.csv"
            self._put(record.manifest, "".join(f"{url}\n" for url in answer.manifest).encode(), "text/csv")
        if record.has_rows_object:
            text = _csv(rows) if record.statement == "DML" else _lines(rows)
            record.output_bytes = len(text.encode())
            self._put(record.output, text.encode(), "text/csv" if record.statement == "DML" else "text/plain")
        self._put(f"{record.output}.metadata", metadata(answer.columns), "application/octet-stream")

    def page(self, record: Record, body: dict[str, Any]) -> dict[str, Any]:
        """Return a page of rows; the first row of the first page is the header of a SELECT.

        The token of a page is the place of its first row in the file of rows, in bytes.
        """
        limit = min(body.get("MaxResults") or PAGE_ROWS, PAGE_ROWS)
        path = self.folder / f"{record.id}.rows"
        start = position(body.get("NextToken"), path.stat().st_size)
        with path.open("rb") as file:
            # The byte before a page is the end of a row, or the token came from elsewhere.
            file.seek(max(start - 1, 0))
            if start and file.read(1) != b"\n":
                raise AwsError("InvalidRequestException", "Invalid NextToken")
            chosen = [json.loads(file.readline()) for _ in range(limit) if file.peek(1)]
            after = file.tell() if file.peek(1) else 0
        answer: dict[str, Any] = {
            "UpdateCount": record.updated,
            "ResultSet": {
                "Rows": [{"Data": [{} if v is None else {"VarCharValue": v} for v in row]} for row in chosen],
                "ResultSetMetadata": {"ColumnInfo": [_column_info(*column) for column in record.columns]},
            },
        }
        return {**answer, "NextToken": str(after)} if after else answer

    def _put(self, url: str, body: bytes, content_type: str) -> None:
        bucket, _, key = url.removeprefix("s3://").partition("/")
        self.directory.put_object(bucket, key, body, content_type=content_type)


def metadata(columns: Sequence[tuple[str, str, int, int]]) -> bytes:
    """Return the object that describes the columns of a result: Protocol Buffers messages, one field 4 for each column.

    AWS does not publish the format. The fields are those that the public driver burtcorp/athena-jdbc reads.
    """
    described = (_column_info(*column) for column in columns)
    return b"".join(_text(4, _column_message(info)) for info in described)


def _column_message(info: dict[str, Any]) -> bytes:
    return b"".join([
        _text(1, info["CatalogName"].encode()),
        _text(4, info["Name"].encode()),
        _text(5, info["Label"].encode()),
        _text(6, info["Type"].encode()),
        _number(7, info["Precision"]),
        _number(8, info["Scale"]),
        _number(9, UNKNOWN_NULLABLE),
        _number(10, int(info["CaseSensitive"])),
    ])  # fmt: skip


def _text(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _varint(value: int) -> bytes:
    """Return a number in groups of seven bits, the lowest first, each but the last with its eighth bit set."""
    # Protocol Buffers write numbers so, and most of them here need one byte.
    groups = []
    while value > 0x7F:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*groups, value])


def _csv(rows: Sequence[Sequence[str | None]]) -> str:
    """Return rows as Athena writes CSV: every value quoted, null as nothing."""
    return "".join(",".join(map(_csv_cell, row)) + "\n" for row in rows)


def _lines(rows: Sequence[Sequence[str | None]]) -> str:
    """Return rows as Hive answers them: cells joined by tabs, and no newline at the end."""
    return "\n".join("\t".join(cell or "" for cell in row) for row in rows)


def _csv_cell(value: str | None) -> str:
    return "" if value is None else '"' + value.replace('"', '""') + '"'


def _column_info(name: str, kind: str, precision: int, scale: int) -> dict[str, Any]:
    return {
        "CatalogName": CATALOG,
        "SchemaName": "",
        "TableName": "",
        "Name": name,
        "Label": name,
        "Type": kind,
        "Precision": precision or PRECISIONS.get(kind, 0),
        "Scale": scale,
        "Nullable": "UNKNOWN",
        "CaseSensitive": kind in ("varchar", "char"),
    }
