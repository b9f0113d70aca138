"""Every help text is whole on a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import typer

from etltctl.cli.app import app
from etltctl.cli.groups import HELP_NAMES, built


def contexts(context: typer.Context) -> Iterator[typer.Context]:
    """Yield the context of a command and those of all commands below it."""
    yield context
    for name, command in getattr(context.command, "commands", {}).items():
        yield from contexts(typer.Context(command, parent=context, info_name=name))


def every_help() -> dict[str, str]:
    """Return the help text of every command at 80 columns, by the command's whole name."""
    root: Any = built(app)
    start = typer.Context(root, info_name="etltctl", terminal_width=80, help_option_names=HELP_NAMES)
    return {context.command_path: context.get_help() for context in contexts(start)}


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in every_help().items()])
def test_no_line_of_a_help_text_is_cut(text: str) -> None:
    usage, *lines = text.splitlines()
    assert usage.startswith("Usage: ")
    assert [line for line in lines if line.endswith(("...", "…"))] == []
