"""The commands: the reference by Typer's own generator, and the README's list."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

import typer
import typer.cli

from etltctl.cli.app import app
from etltctl.cli.groups import HELP_NAMES, built

COLUMN = 45
# An option in a help text: outside of code a Markdown renderer may make a dash of its hyphens.
OPTION_OR_CODE = re.compile(r"`[^`]*`|(?<!\S)(--?[a-z][a-z-]*)")


def commands() -> Iterator[tuple[str, Any]]:
    """Yield every command that does something, by its whole name, in the order of the program's help."""
    yield from ((name, command) for name, command in _below("etltctl", built(app)) if not _is_group(command))


def commands_reference() -> str:
    """Return the options of every command and all commands with their options, as `typer utils docs` writes them."""
    root = built(app)
    for _, command in _below("etltctl", root):
        command.short_help = _sentence(command)  # Typer would cut a longer text in the middle
    context = typer.Context(root, info_name="etltctl", help_option_names=HELP_NAMES)
    # Typer's generator takes `[default: ask]` for a tag of rich's markup and drops it. Help texts here have no markup.
    with patch.object(typer.cli, "HAS_RICH", False):
        text = typer.cli.get_docs_for_click(
            obj=root, ctx=context, indent=1, name="etltctl", title="Options of every command"
        )
    return f"{OPTION_OR_CODE.sub(_as_code, text).strip()}\n"


def commands_block() -> str:
    """Return the README's list: a line a command, a group of commands on one."""
    lines_of = [
        (f"etltctl {name} {_inside(command)}".rstrip(), _sentence(command))
        for name, command in built(app).commands.items()
    ]
    lines = [
        f"{name:<{COLUMN}} {text}" if len(name) < COLUMN else f"{name}\n{'':<{COLUMN}} {text}"
        for name, text in lines_of
    ]
    return "\n".join(["```", *lines, "```", ""])


def _below(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    yield name, command
    if _is_group(command):
        for word, inner in command.commands.items():
            yield from _below(f"{name} {word}", inner)


def _is_group(command: Any) -> bool:
    return hasattr(command, "commands")


def _inside(command: Any) -> str:
    """Return a group's commands, or a command's arguments."""
    if _is_group(command):
        return "|".join(command.commands)
    context = typer.Context(command)
    arguments = (each for each in command.params if each.param_type_name == "argument")
    return " ".join(argument.make_metavar(context).partition(":")[0] for argument in arguments)


def _as_code(match: re.Match[str]) -> str:
    return f"`{match[1]}`" if match[1] else match[0]


def _sentence(command: Any) -> str:
    return " ".join((command.help or "").partition("\n\n")[0].split()).partition(". ")[0].rstrip(".")
