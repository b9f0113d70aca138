"""A Hyper extract with the types of the table, written by Tableau's own engine from Parquet files."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from etltctl.errors import BlockedError, ConfigurationError, NextStep, Parameter, ServiceError, install

SCHEMA, TABLE = "Extract", "Extract"  # the names that Tableau looks for
# More than 18 digits: these need the newer format of the file.
WIDE = re.compile(r"NUMERIC\((19|[23]\d), .*")
UTC = " AT TIME ZONE 'UTC'"
# Hive's types, as the catalog has them, in Hyper's SQL.
TYPES = {
    "tinyint": "SMALLINT",
    "smallint": "SMALLINT",
    "int": "INTEGER",
    "integer": "INTEGER",
    "bigint": "BIGINT",
    "float": "DOUBLE PRECISION",
    "double": "DOUBLE PRECISION",
    "boolean": "BOOLEAN",
    "string": "TEXT",
    "date": "DATE",
    "timestamp": "TIMESTAMP",
}


def hyper_types(table: str, columns: Mapping[str, str]) -> dict[str, str]:
    """Hyper's type of every column of `layer.table`, whose Hive types these are.

    Raises BlockedError naming every column whose type Hyper cannot hold.
    """
    types = {name: _hyper_type(kind) for name, kind in columns.items()}
    without = [f"{name} ({columns[name]})" for name, kind in types.items() if not kind]
    if without:
        known = ",".join(name for name, kind in types.items() if kind)
        raise BlockedError(
            f"{table} has columns of types that Hyper cannot hold: {', '.join(without)}",
            hint=NextStep("leave them out: ", Parameter("columns"), f" {known}"),
            table=table,
        )
    return types


def write_extract(file: Path, columns: Mapping[str, str], parquet: Sequence[Path]) -> int:
    """Write the rows of these Parquet files as a Hyper file with just these columns; return the rows counted back.

    The file is there whole or not at all.

    Raises:
        ConfigurationError: The extra `tableau` is missing.
        ServiceError: Hyper refuses.
    """
    try:
        from tableauhyperapi import HyperException
    except ImportError as error:
        raise ConfigurationError(
            "a Hyper file is written by Tableau's own engine, which is not installed",
            hint=install("tableau"),
        ) from error
    with tempfile.TemporaryDirectory(dir=file.parent, prefix=".etltctl-") as folder:
        # In the same folder, so that the last step is a rename within one file system.
        temporary = Path(folder) / file.name
        try:
            rows = _write(temporary, columns, parquet, Path(folder))
        except HyperException as error:
            raise ServiceError(f"Hyper cannot write {file}: {str(error).splitlines()[0]}") from error
        temporary.replace(file)
    return rows


def _write(file: Path, columns: Mapping[str, str], parquet: Sequence[Path], logs: Path) -> int:
    from tableauhyperapi import Connection, CreateMode, HyperProcess, Telemetry, escape_name

    target = f"{escape_name(SCHEMA)}.{escape_name(TABLE)}"
    declared = ", ".join(f"{escape_name(name)} {kind}" for name, kind in columns.items())
    # Hyper writes its log into the working folder otherwise.
    parameters = {"log_dir": str(logs)}
    if any(WIDE.fullmatch(kind) for kind in columns.values()):
        parameters["default_database_version"] = (
            "3"  # the default, which every Tableau reads, holds 18 digits
        )
    with (
        HyperProcess(Telemetry.DO_NOT_SEND_USAGE_DATA_TO_TABLEAU, parameters=parameters) as hyper,
        Connection(hyper.endpoint, str(file), CreateMode.CREATE_AND_REPLACE) as connection,
    ):
        connection.execute_command(f"CREATE SCHEMA {escape_name(SCHEMA)}")
        connection.execute_command(f"CREATE TABLE {target} ({declared})")
        if parquet:
            connection.execute_command(_insert(target, columns, parquet))
        # Counted back from the file and not from what was sent: this number proves the extract.
        return int(connection.execute_scalar_query(f"SELECT COUNT(*) FROM {target}"))


def _insert(target: str, columns: Mapping[str, str], parquet: Sequence[Path]) -> str:
    from tableauhyperapi import escape_name, escape_string_literal

    files = ", ".join(escape_string_literal(str(path)) for path in parquet)
    # Athena writes all files of one UNLOAD with the same schema, so the first one speaks for all.
    zoned = _zoned(parquet[0])
    values = ", ".join(
        f"CAST({escape_name(name)}{UTC if name in zoned else ''} AS {kind})" for name, kind in columns.items()
    )
    return f"INSERT INTO {target} SELECT {values} FROM external(ARRAY[{files}], FORMAT => 'parquet')"


def _zoned(file: Path) -> set[str]:
    """Return the columns that Hyper reads as instants: Athena's timestamps are UTC, whatever this machine's zone is."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    parquet = pq.ParquetFile(file)
    columns: Any = (parquet.schema.column(number) for number in range(len(parquet.schema)))
    # INT96 has no zone in its type, and Hyper takes it for an instant.
    old = {column.path for column in columns if column.physical_type == "INT96"}
    return old | {
        field.name for field in parquet.schema_arrow if pa.types.is_timestamp(field.type) and field.type.tz
    }


def _hyper_type(hive: str) -> str:
    """Hyper's SQL name for a Hive type; empty if it has none."""
    hive = hive.strip().lower()
    if decimal := re.fullmatch(r"decimal\((\d+),\s*(\d+)\)", hive):
        return f"NUMERIC({decimal[1]}, {decimal[2]})"
    # A limit of length would let Hyper refuse a row that Athena has accepted.
    return "TEXT" if re.fullmatch(r"(var)?char\(\d+\)", hive) else TYPES.get(hive, "")
