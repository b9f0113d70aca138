"""How every group of commands behaves."""

from __future__ import annotations

import typer


def group(says: str) -> typer.Typer:
    """Make a group of commands. Alone it shows its help; click suggests which command was meant."""
    return typer.Typer(
        help=says,
        callback=show_help,
        invoke_without_command=True,
        subcommand_metavar="COMMAND [ARGS]...",
        rich_markup_mode=None,
        suggest_commands=False,
    )


def show_help(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
