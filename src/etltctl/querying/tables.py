"""The tables of the lake as the catalog has them: a list of them all, and the parts of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from etltctl.aws import Aws
from etltctl.catalog import STAGING, Catalog
from etltctl.errors import command, unknown
from etltctl.hive import current_columns, is_iceberg
from etltctl.s3 import S3
from etltctl.tabulating import local_time
from etltctl.values import TableName

if TYPE_CHECKING:
    from etltctl.settings import Settings


def list_tables(
    settings: Settings, aws: Aws | None = None
) -> list[tuple[str, str, int | None, str, datetime | None]]:
    """Return layer, name, rows, version and time of publication of every table in the catalog.

    Args:
        settings: The settings.
        aws: The clients of the account, for a caller that has some already.
    """
    catalog = Catalog(aws or Aws.from_settings(settings))
    return [
        _row_of(layer, table)
        for layer, database in settings.athena.databases.items()
        for table in catalog.tables(database)
        if not table["Name"].startswith(STAGING)
    ]


def describe_table(
    table: str, settings: Settings, spell_time: Callable[[str], str] = local_time
) -> list[tuple[str, str, str, str]]:
    """Return the parts of a table: the table, its columns, partition columns and versions, a publish left half way.

    Args:
        table: The table as `layer.table`.
        settings: The settings.
        spell_time: Returns a time as the caller's reader wants it: `local_time` or `utc_time`.

    Returns:
        For each part its kind (table, format, column, partition, version or publish), its name, its type or
        standing, and what the catalog says of it.

    Raises:
        UsageError: There is no such table.
    """
    from etltctl.publishing import History, Lake

    aws = Aws.from_settings(settings)
    lake = Lake(settings, S3(aws), Catalog(aws))
    # A name without a layer must not reach the catalog, which answers it with a validation error.
    is_known = TableName.is_one(table) and TableName.parse(table).layer in settings.athena.databases
    described = lake.context.current(TableName.parse(table)) if is_known else None
    if described is None:
        every = [str(TableName(layer, name)) for layer, name, *_ in list_tables(settings)]
        raise unknown("table", table, every, hint=command("athena", "tables"))
    history = History.of(described)
    since = {name: f"out of use since {spell_time(at)}" for name, at in history.out_of_use.items()}
    # Only versioned tables are published in sets, so others cost no read of S3.
    journal = lake.unfinished(table) if history.versions else None
    return [
        *([("table", table, "", text)] if (text := described.get("Description", "")) else []),
        *(
            [("format", "iceberg", "", described["Parameters"].get("metadata_location", ""))]
            if is_iceberg(described)
            else []
        ),
        *(_column("column", column) for column in current_columns(described)),
        *(_column("partition", column) for column in described.get("PartitionKeys", [])),
        *(
            ("version", version, "current" if version == history.current else since.get(version, ""), "")
            for version in history.versions
        ),
        *([("publish", journal["run"], _half_done(journal, spell_time), "")] if journal else []),
    ]


def _column(kind: str, column: Mapping[str, Any]) -> tuple[str, str, str, str]:
    return kind, column["Name"], column["Type"], column.get("Comment", "")


def _row_of(layer: str, table: dict[str, Any]) -> tuple[str, str, int | None, str, datetime | None]:
    from etltctl.publishing import ROWS, VERSION  # here, because a query needs nothing of it

    parameters = table.get("Parameters", {})
    rows = parameters.get(ROWS)
    published = table.get("UpdateTime") or table.get("CreateTime")
    return layer, table["Name"], int(rows) if rows else None, parameters.get(VERSION, ""), published


def _half_done(journal: Mapping[str, Any], spell_time: Callable[[str], str]) -> str:
    """Return the standing of a publish that was left half way. A damaged journal does not say when it began."""
    since = f" since {spell_time(journal['since'])}" if "since" in journal else ""
    return f"half done{since}: {command('retry', journal['run'])}"
