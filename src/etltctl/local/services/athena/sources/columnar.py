"""Files that know their columns: Parquet, which DuckDB reads itself, and ORC, which Arrow reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from etltctl.local.services.athena.dialect import QueryError
from etltctl.local.services.athena.sources.text import PATH
from etltctl.values import quoted_name, quoted_text

if TYPE_CHECKING:
    from etltctl.local.services.athena.sources.table import CatalogTable, DataFile

PARQUET = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
ORC = "org.apache.hadoop.hive.ql.io.orc.OrcSerde"
INTEGERS = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT")
# Types that hold one kind of value each. Athena never reads one as another, and DuckDB's cast would.
FAMILIES = {
    "VARCHAR": "text", "BLOB": "text", "BOOLEAN": "boolean", "DATE": "date", "FLOAT": "number", "DOUBLE": "number",
    "REAL": "number", **dict.fromkeys((*INTEGERS, *(f"U{name}" for name in INTEGERS), "HUGEINT"), "number"),
}  # fmt: skip


def parquet(
    table: CatalogTable, files: Sequence[DataFile], engine: duckdb.DuckDBPyConnection
) -> tuple[str, dict[str, str]]:
    """Return a relation with the rows of Parquet files, and the SQL of each of its columns by name.

    Raises:
        QueryError: HIVE_BAD_DATA for a file that is not Parquet, or whose column has another type than the table.
    """
    paths = ", ".join(quoted_text(file.path) for file in files)
    names = "filename = 'filename', " if table.shows_paths else ""
    source = f"read_parquet([{paths}], {names}union_by_name = true, hive_partitioning = false)"
    try:
        described = engine.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()
    except duckdb.Error as error:
        message = in_locations(str(error).splitlines()[0], files)
        raise QueryError("HIVE_BAD_DATA", f"Malformed Parquet file: {message}") from error
    # Files may spell a column in capitals. The catalog's names are in lower case.
    there = {row[0].lower(): (row[0], row[1]) for row in described}
    for column, kind in table.columns.items():
        if column in there and not _is_readable(there[column][1], kind) and table.wants(column):
            raise _wrong_type(column, there[column][1], kind, files)
    columns = {name: quoted_name(written) for name, (written, _) in there.items()}
    return source, {**columns, PATH: _location(files) if table.shows_paths else "NULL::VARCHAR"}


def _location(files: Sequence[DataFile]) -> str:
    """Return the SQL of the location of a row's file in S3."""
    # DuckDB knows a file by its path on this machine, which no caller may see.
    paths, places = (
        ", ".join(map(quoted_text, texts))
        for texts in zip(*((f.path, f.location) for f in files), strict=True)
    )
    return f"map([{paths}], [{places}])[filename]"


def _is_readable(there: str, target: str) -> bool:
    """Return whether Athena reads a column of a file's type as one of the table's type."""
    if there.endswith("[]") or target.endswith("[]"):
        return there.endswith("[]") and target.endswith("[]")
    for prefix in ("STRUCT", "MAP"):
        if there.startswith(prefix) or target.startswith(prefix):
            return there.startswith(prefix) and target.startswith(prefix)
    # Parquet stores every integer of up to 32 bits as INT32, so a smaller type may be read from it. INT64 may not.
    if there in INTEGERS and target in INTEGERS:
        return INTEGERS.index(there) <= max(INTEGERS.index(target), INTEGERS.index("INTEGER"))
    families = [FAMILIES.get(name.partition("(")[0], name.partition("(")[0]) for name in (there, target)]
    families = ["number" if family == "DECIMAL" else family for family in families]
    if "number" in families or "text" in families or "boolean" in families:
        return families[0] == families[1]
    return True


def _wrong_type(column: str, there: str, target: str, files: Sequence[DataFile]) -> QueryError:
    place = files[0].location if len(files) == 1 else files[0].location.rpartition("/")[0]
    return QueryError(
        "HIVE_BAD_DATA",
        f"Field {column}'s type {there} in parquet file {place} is incompatible with type "
        f"{target.lower()} defined in table schema",
    )


def orc(files: Sequence[DataFile]) -> pa.Table:
    """Return the rows of ORC files.

    Raises:
        QueryError: HIVE_BAD_DATA for a file that is not ORC.
    """
    from pyarrow import orc as reader

    tables = []
    for file in files:
        try:
            rows = reader.ORCFile(file.path).read()
        except (OSError, pa.ArrowException) as error:
            message = in_locations(str(error).splitlines()[0], files)
            raise QueryError("HIVE_BAD_DATA", f"Malformed ORC file: {message}: {file.location}") from error
        tables.append(rows.append_column(PATH, pa.array([file.location] * rows.num_rows, pa.string())))
    return pa.concat_tables(tables, promote_options="default")


def in_locations(text: str, files: Sequence[DataFile]) -> str:
    """Return the text with the files' locations in S3 in place of their paths on this machine."""
    for file in sorted(files, key=lambda one: -len(one.path)):
        text = text.replace(file.path, file.location)
    return text
