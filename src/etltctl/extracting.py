"""Extracts of published tables for Tableau: unloaded by Athena, so under the same grants as any query, then typed."""

from __future__ import annotations

import tempfile
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etltctl.athena import Athena
from etltctl.aws import Aws
from etltctl.catalog import Catalog
from etltctl.errors import BlockedError, EtltctlError, UnverifiedError, UsageError, unknown
from etltctl.publishing import ROWS, VERSION
from etltctl.runs import QueryExecution
from etltctl.s3 import S3, S3Object, read_footers
from etltctl.tableau import Target, hyper_types, repoint, write_extract
from etltctl.values import quoted_name

if TYPE_CHECKING:
    from etltctl.settings import Settings

EXTRACTS_FOLDER = "tableau"  # below the query results: what Athena unloads for an extract
OnLook = Callable[[QueryExecution], None]


@dataclass(frozen=True)
class Selection:
    """Which rows and columns of `layer.table`; `where` is Athena's SQL, no columns are all of them."""

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
        """Plain data."""
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
    on_look: OnLook | None = None,
) -> Extract:
    """Writes the published version of a table as a Hyper file, its rows counted at every station.

    Raises UsageError for a table or column that does not exist, BlockedError if the table has no published version or
    a column Hyper cannot hold, RunFailedError with Athena's own reason, and UnverifiedError if rows were lost.
    """
    aws = aws or Aws.from_settings(settings)
    if not file.parent.is_dir():
        raise UsageError(f"there is no folder {file.parent} to write {file.name} to")
    found = published_table(selection.table, settings, Catalog(aws))
    columns = hyper_types(selection.table, chosen_columns(selection, found))
    with tempfile.TemporaryDirectory(prefix="etltctl-") as folder:
        parquet, unloaded = _unload(selection, columns, settings, aws, Path(folder), on_look)
        rows = write_extract(file, columns, parquet)
    parameters = found.get("Parameters", {})
    _require_equal(selection.table, "Athena unloaded", unloaded, "the Hyper file holds", rows)
    if not selection.where and _is_unchanged(selection.table, found, settings, aws) and ROWS in parameters:
        published = int(parameters[ROWS])
        _require_equal(selection.table, "the published version has", published, "the Hyper file holds", rows)
    return Extract(file, selection.table, parameters.get(VERSION, ""), rows, columns)


def published_table(table: str, settings: Settings, catalog: Catalog) -> dict[str, Any]:
    """Return the table of the catalog; raise BlockedError if it was never published, UsageError if unknown."""
    layer, _, name = table.partition(".")
    database = settings.athena.databases.get(layer)
    if database is None or not name:
        raise _no_table(table, settings)
    found = catalog.table(database, name)
    written = [made for job in settings.glue.jobs.values() for made in job.writes]
    streams = [
        f"bronze.{stream}" for source in settings.sources for stream in settings.stream_locations(source)
    ]
    if found is None and table not in (*written, *streams):
        raise unknown("table", table, [*written, *streams], hint="etltctl athena tables")
    if found is None:
        raise BlockedError(
            f"table {table} has no published version yet",
            hint="run the pipeline that writes it first, or see what there is: etltctl athena tables",
            table=table,
        )
    return found


def chosen_columns(selection: Selection, found: Mapping[str, Any]) -> dict[str, str]:
    """The Hive types of the wanted columns, in the order they are wanted in."""
    listed = [*found["StorageDescriptor"]["Columns"], *found.get("PartitionKeys", [])]
    there = {column["Name"]: column["Type"] for column in listed}
    unknown = [name for name in selection.columns if name not in there]
    if unknown:
        raise UsageError(
            f"{selection.table} has no column {', '.join(unknown)}", hint=f"it has {', '.join(there)}"
        )
    return {name: there[name] for name in selection.columns or there}


def _unload(
    selection: Selection,
    columns: Mapping[str, str],
    settings: Settings,
    aws: Aws,
    folder: Path,
    on_look: OnLook | None,
) -> tuple[list[Path], int]:
    """Return Athena's answer as Parquet files in the folder, and how many rows they hold.

    The objects on S3 are deleted afterwards. Where that is refused they expire with the query results.
    """
    s3 = S3(aws)
    place = f"{settings.athena.output_location.rstrip('/')}/{EXTRACTS_FOLDER}/{uuid.uuid4().hex}/"
    try:
        athena = Athena(aws, settings.athena.workgroup, settings.athena.output_location)
        statement = _statement(selection, columns, place, settings)
        athena.run(statement, uuid.uuid4().hex, database=settings.athena.databases["gold"], on_look=on_look)
        objects = s3.objects(place)
        rows = sum(footer.rows for footer in read_footers(s3, objects))
        return [_fetch(s3, each, folder / f"{n}.parquet") for n, each in enumerate(objects)], rows
    finally:
        with suppress(EtltctlError):  # what is left behind there expires with the query results
            s3.delete_folder(place)


def _statement(selection: Selection, columns: Mapping[str, str], place: str, settings: Settings) -> str:
    layer, _, name = selection.table.partition(".")
    listed = ", ".join(quoted_name(column) for column in columns)
    condition = (
        f"WHERE\n{selection.where}\n" if selection.where else ""
    )  # on lines of its own, for it may end in a comment
    query = f"SELECT {listed} FROM {quoted_name(settings.athena.databases[layer])}.{quoted_name(name)} {condition}"
    return f"UNLOAD ({query}) TO '{place}' WITH (format = 'PARQUET', compression = 'SNAPPY')"


def _fetch(s3: S3, found: S3Object, file: Path) -> Path:
    file.write_bytes(s3.read(found.location))
    return file


def _is_unchanged(table: str, found: Mapping[str, Any], settings: Settings, aws: Aws) -> bool:
    """Whether nothing was published while Athena read."""
    now = published_table(table, settings, Catalog(aws))
    return bool(now["StorageDescriptor"]["Location"] == found["StorageDescriptor"]["Location"])


def _require_equal(table: str, one: str, rows: int, other: str, counted: int) -> None:
    if rows != counted:
        raise UnverifiedError(
            f"{one} {rows} rows of {table}, but {other} {counted}",
            hint="nothing was published; export it again",
        )


def repoint_template(
    file: Path, table: str, settings: Settings, to: Path | None = None
) -> tuple[Path, list[str]]:
    """Re-points a data source that Desktop saved to this workgroup, database and table; says where and what changed.

    Raises UsageError for no table of the settings' databases, or a file that is no live Athena data source.
    """
    layer, _, name = table.partition(".")
    database = settings.athena.databases.get(layer)
    if database is None or not name:
        raise _no_table(table, settings)
    target = Target(
        settings.aws.region or "us-east-1",
        settings.athena.workgroup,
        settings.athena.output_location,
        database,
        name,
    )
    written = to or file.parent / f"{name}{file.suffix}"
    return written, repoint(file, target, written)


def _no_table(table: str, settings: Settings) -> UsageError:
    layers = ", ".join(settings.athena.databases)
    return UsageError(f"{table!r} is no table", hint=f"write it as LAYER.TABLE with a layer of {layers}")
