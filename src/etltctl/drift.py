"""Drift: how the newest files of tables differ from their contracts, and how a contract takes that in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from etltctl.aws import Aws
from etltctl.catalog import Catalog
from etltctl.contracts import Change, Verdict
from etltctl.errors import unknown
from etltctl.publishing import Lake
from etltctl.s3 import S3

if TYPE_CHECKING:
    from etltctl.settings import Settings

Row = tuple[str, str, str, str, str, str, str]
COLUMNS = ("table", "change", "column", "was", "now", "verdict", "why")


def differences(settings: Settings, tables: Sequence[str] = ()) -> tuple[list[Row], bool]:
    """Compare the newest files of tables with their contracts.

    Args:
        settings: The settings.
        tables: The tables as `layer.table`; every table if none is named.

    Returns:
        The differences, and whether one of them would stop a run.

    Raises:
        UsageError: There is no such table.
    """
    lake = _lake(settings)
    rows: list[Row] = []
    is_blocked = False
    for table in _known(lake, tables):
        # The newest files and not the published ones: drift is to be seen before a publish is refused.
        location = lake.contract_checks.newest(table)
        judgement = lake.contract_checks.judged(table, location, lake.inspector.files(location))
        if judgement is not None:
            rows += [_row(table, change) for change in judgement.changes]
            is_blocked = is_blocked or bool(judgement.having(Verdict.BLOCKED))
    return rows, is_blocked


def accept(settings: Settings, tables: Sequence[str]) -> list[Row]:
    """Take the contracts of tables from their newest files.

    Args:
        settings: The settings.
        tables: The tables as `layer.table`.

    Returns:
        The differences to the contracts before.

    Raises:
        UsageError: There is no such table, or it has no file.
    """
    lake = _lake(settings)
    accepted = [(table, lake.contract_checks.accept(table)) for table in _known(lake, tables)]
    return [_row(table, change) for table, judgement in accepted for change in judgement.changes]


def _row(table: str, change: Change) -> Row:
    return table, change.kind, change.column, change.was, change.now, str(change.verdict), change.why


def _known(lake: Lake, tables: Sequence[str]) -> Sequence[str]:
    every = lake.tables()
    for table in tables:
        # A misspelt name must not pass for a table without drift.
        if table not in every:
            raise unknown("table", table, every, hint="name it layer.table")
    return tables or every


def _lake(settings: Settings) -> Lake:
    aws = Aws.from_settings(settings)
    return Lake(settings, S3(aws), Catalog(aws))
