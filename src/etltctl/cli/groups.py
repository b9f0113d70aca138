"""How every group of commands behaves."""

from __future__ import annotations

import typer


def group(says: str) -> typer.Typer:
    """A group of commands: alone it shows its help; which command was meant is told once, by click."""
    return typer.Typer(help=says, no_args_is_help=True, rich_markup_mode=None, suggest_commands=False)
