"""Contracts: the newest files of tables compared with what their readers rely on."""

from __future__ import annotations

from typing import Annotated

import typer

from etltctl.cli.groups import group
from etltctl.cli.session import Session
from etltctl.errors import ExitCode

app = group("Compare the columns of tables with their contracts.")
AS_PROMISED = "Every table is as its contract says."
Tables = Annotated[list[str] | None, typer.Argument(help="layer.table; all of them if none is named")]


@app.command("diff")
def diff(context: typer.Context, tables: Tables = None) -> int:
    """Show where the newest files differ from the contracts. Exit with 5 if a run would stop there."""
    from etltctl.drift import COLUMNS, differences

    session: Session = context.obj
    with session.connected() as settings:
        rows, is_blocked = differences(settings, tables or [])
    session.console.rows("etltctl.contract-diff/1", COLUMNS, rows, none=AS_PROMISED)
    # The same code as a run that stops at the difference, so that CI can ask beforehand.
    return ExitCode.BLOCKED if is_blocked else ExitCode.OK


@app.command("accept")
def accept(
    context: typer.Context,
    tables: Annotated[list[str], typer.Argument(help="layer.table, such as bronze.api_races")],
) -> None:
    """Write the columns of the newest files as the tables' contracts."""
    from etltctl.drift import COLUMNS
    from etltctl.drift import accept as accept_changes

    session: Session = context.obj
    with session.connected() as settings:
        rows = accept_changes(settings, tables)
    session.console.rows("etltctl.contract-accept/1", COLUMNS, rows, none=AS_PROMISED)
