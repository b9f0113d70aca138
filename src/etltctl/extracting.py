"""Extracts of published tables for Tableau: unloaded by Athena, so under the same grants as any query, then typed."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etltctl.athena import Athena
from etltctl.athena.unload import unload_sql
from etltctl.aws import Aws
from etltctl.catalog import Catalog
from etltctl.errors import (
    BlockedError,
    EtltctlError,
    NextStep,
    UnverifiedError,
    UsageError,
    command,
    unknown,
)
from etltctl.publishing import ROWS, VERSION, command_writing
from etltctl.runs import QueryExecution
from etltctl.s3 import S3, S3Object, read_footers
from etltctl.tableau import Target, hyper_types, repoint, write_extract
from etltctl.values import S3Location, TableName, quoted_name

if TYPE_CHECKING:
    from etltctl.settings import Settings

EXTRACTS_FOLDER = "tableau"  # below the query results; Athena unloads the rows of extracts there
OnPoll = Callable[[QueryExecution], None]


@dataclass(frozen=True)
class Selection:
    """The rows and columns of `layer.table` to extract; `where` is Athena's SQL, and no columns mean all of them."""

    table: str
    where: str = ""
    columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class Extract:
    """A Hyper file that was written and counted."""

    file: Path
    table: str
    version: str
    rows: int
    columns: Mapping[str, str]

    def as_dict(self) -> dict[str, Any]:
        """Return the extract as plain data."""
        return {
            "file": str(self.file),
            "table": self.table,
            "version": self.version,
            "rows": self.rows,
            "bytes": self.file.stat().st_size,
            "columns": dict(self.columns),
        }


def write_table(
    selection: Selection,
    file: Path,
    settings: Settings,
    aws: Aws | None = None,
    on_poll: OnPoll | None = None,
) -> Extract:
    """Write the published version of a table as a Hyper file, and compare the rows of the table, Athena and the file.

    Args:
        selection: The rows and columns.
        file: The Hyper file to write.
        settings: The settings.
        aws: The account; that of the settings if None.
        on_poll: Called with each poll of Athena's query, and once more when the number of its rows is known.

    Raises:
        UsageError: There is no such table, column or folder.
        BlockedError: The table has no published version, or a column that Hyper cannot hold.
        RunFailedError: Athena refused or failed.
        UnverifiedError: Rows were lost.
    """
    aws = aws or Aws.from_settings(settings)
    # Checked before Athena is paid for.
    if not file.parent.is_dir():
        raise UsageError(f"cannot write {file.name}: the folder {file.parent} does not exist")
    described = published_table(selection.table, settings, Catalog(aws))
    columns = hyper_types(selection.table, chosen_columns(selection, described))
    with tempfile.TemporaryDirectory(prefix="etltctl-") as folder:
        parquet, unloaded = _unload(selection, columns, settings, aws, Path(folder), on_poll)
        rows = write_extract(file, columns, parquet)
    parameters = described.get("Parameters", {})
    _require_equal(selection.table, "Athena unloaded", unloaded, "the Hyper file holds", rows)
    # A part has no published number of rows to compare with.
    is_whole = not selection.where and ROWS in parameters
    if is_whole and _is_unchanged(selection.table, described, settings, aws):
        published = int(parameters[ROWS])
        _require_equal(selection.table, "the published version has", published, "the Hyper file holds", rows)
    return Extract(file, selection.table, parameters.get(VERSION, ""), rows, columns)


def published_table(table: str, settings: Settings, catalog: Catalog) -> dict[str, Any]:
    """Return the table as the catalog describes it.

    Args:
        table: The table as `layer.table`.
        settings: The settings.
        catalog: The catalog.

    Raises:
        UsageError: The settings name no such table.
        BlockedError: The table was never published.
    """
    described = catalog.table(*_in_catalog(table, settings))
    if described is not None:
        return described
    # A table that jobs will write exists for the user before it exists for the catalog.
    tables = [*settings.versioned_tables(), *settings.stream_tables()]
    if table not in tables:
        raise unknown("table", table, tables, hint=command("athena", "tables"))
    raise BlockedError(
        f"table {table} has no published version yet",
        hint=NextStep(
            "run what writes it first: ",
            command_writing(table, settings),
            "; every table: ",
            command("athena", "tables"),
        ),
        table=table,
    )


def chosen_columns(selection: Selection, described: Mapping[str, Any]) -> dict[str, str]:
    """Return the Hive types of the selected columns, in the order in which they were selected.

    Args:
        selection: The rows and columns.
        described: The table as the catalog describes it.

    Raises:
        UsageError: The table has no such column.
    """
    columns = [*described["StorageDescriptor"]["Columns"], *described.get("PartitionKeys", [])]
    types = {column["Name"]: column["Type"] for column in columns}
    missing = [name for name in selection.columns if name not in types]
    if missing:
        raise UsageError(
            f"{selection.table} has no column {', '.join(missing)}", hint=f"it has {', '.join(types)}"
        )
    return {name: types[name] for name in selection.columns or types}


def _unload(
    selection: Selection,
    columns: Mapping[str, str],
    settings: Settings,
    aws: Aws,
    folder: Path,
    on_poll: OnPoll | None,
) -> tuple[list[Path], int]:
    """Return Athena's answer as Parquet files in the folder, and how many rows they hold.

    The objects on S3 are deleted afterwards. Where that is refused they expire with the query results.
    """
    s3 = S3(aws)
    # A new folder each time: UNLOAD refuses one that holds files.
    place = S3Location.parse(settings.athena.output_location).folder(EXTRACTS_FOLDER, uuid.uuid4().hex)
    try:
        athena = Athena(aws, settings.athena.workgroup, settings.athena.output_location)
        statement = _statement(selection, columns, place, settings)
        database = settings.athena.databases["gold"]
        execution = athena.run(statement, uuid.uuid4().hex, database=database, on_poll=on_poll)
        objects = s3.objects(place)
        # From the footers, before the download: files that were cut off on the way are noticed.
        rows = sum(footer.rows for footer in read_footers(s3, objects))
        if on_poll:
            on_poll(replace(execution, rows=rows))  # Athena's statistics have bytes alone
        return [_fetch(s3, each, folder / f"{n}.parquet") for n, each in enumerate(objects)], rows
    finally:
        with suppress(EtltctlError):  # objects that stay there expire with the query results
            s3.delete_folder(place)


def _statement(
    selection: Selection, columns: Mapping[str, str], place: S3Location, settings: Settings
) -> str:
    names = ", ".join(quoted_name(column) for column in columns)
    source = ".".join(map(quoted_name, _in_catalog(selection.table, settings)))
    # The condition stands on separate lines, because it may end in a comment.
    condition = f"WHERE\n{selection.where}\n" if selection.where else ""
    return unload_sql(f"SELECT {names} FROM {source} {condition}", str(place))


def _fetch(s3: S3, unloaded: S3Object, file: Path) -> Path:
    file.write_bytes(s3.read(unloaded.location))
    return file


def _is_unchanged(table: str, described: Mapping[str, Any], settings: Settings, aws: Aws) -> bool:
    """Return whether no version was published while Athena read."""
    now = published_table(table, settings, Catalog(aws))
    return bool(now["StorageDescriptor"]["Location"] == described["StorageDescriptor"]["Location"])


def _require_equal(table: str, one: str, rows: int, other: str, counted: int) -> None:
    if rows != counted:
        raise UnverifiedError(
            f"{one} {rows} rows of {table}, but {other} {counted}",
            hint="nothing was published; export it again",
        )


def repoint_template(
    file: Path, table: str, settings: Settings, to: Path | None = None
) -> tuple[Path, list[str]]:
    """Point a data source that Tableau Desktop saved to this workgroup, database and table.

    Args:
        file: The saved data source.
        table: The table as `layer.table`.
        settings: The settings.
        to: The file to write; named after the table and next to the saved one if None.

    Returns:
        The file that was written, and what changed in it.

    Raises:
        UsageError: The table has no database in the settings, or the file is not a live Athena data source.
    """
    database, name = _in_catalog(table, settings)
    target = Target(
        settings.aws.region or "us-east-1",
        settings.athena.workgroup,
        settings.athena.output_location,
        database,
        name,
    )
    written = to or file.parent / f"{name}{file.suffix}"
    return written, repoint(file, target, written)


def _in_catalog(table: str, settings: Settings) -> tuple[str, str]:
    """Return the table's database and its name there."""
    if TableName.is_one(table):
        parsed = TableName.parse(table)
        if database := settings.athena.databases.get(parsed.layer):
            return database, parsed.name
    layers = ", ".join(settings.athena.databases)
    raise UsageError(f"{table!r} is not a table", hint=f"write it as LAYER.TABLE with a layer of {layers}")
