"""The commands, from the program's own help."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

from etltctl.cli.app import app
from etltctl.cli.groups import built

WIDTH = 100
COLUMN = 45


def commands() -> Iterator[tuple[str, Any]]:
    """Every command that does something, by its whole name, in the order of the program's help."""
    yield from _below("etltctl", built(app))


def _below(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    if not hasattr(command, "commands"):
        yield name, command
        return
    for word, inner in command.commands.items():
        yield from _below(f"{name} {word}", inner)


def commands_block() -> str:
    """The README's list: a line a command, a group of commands on one."""
    told = [
        (f"etltctl {name} {_inside(command)}".rstrip(), _sentence(command))
        for name, command in built(app).commands.items()
    ]
    lines = [
        f"{name:<{COLUMN}} {text}" if len(name) < COLUMN else f"{name}\n{'':<{COLUMN}} {text}"
        for name, text in told
    ]
    return "\n".join(["```", *lines, "```", ""])


def _inside(command: Any) -> str:
    """A group's commands, or a command's arguments."""
    if hasattr(command, "commands"):
        return "|".join(command.commands)
    context = typer.Context(command)
    arguments = (each for each in command.params if each.param_type_name == "argument")
    return " ".join(argument.make_metavar(context).partition(":")[0] for argument in arguments)


def _sentence(command: Any) -> str:
    return " ".join((command.help or "").partition("\n\n")[0].split()).partition("; ")[0].rstrip(".")


def commands_page() -> str:
    """The page."""
    root = built(app)
    parts = [
        "# Commands\n",
        "Results are alone on stdout, everything else is on stderr. `-o json` and `-o ndjson` give every result "
        "as data, with a `schema` that names its shape. A value that JSON has no exact type for is a string: "
        'every decimal of a query (`"100.50"`), dates and times.\n',
        "## Options of every command\n",
        _help("etltctl", root),
    ]
    for name, command in commands():
        parts += [f"## {name}\n", _help(name, command)]
    return "\n".join(parts)


def _help(name: str, command: Any) -> str:
    context = typer.Context(command, info_name=name, terminal_width=WIDTH, max_content_width=WIDTH)
    context.help_option_names = ["-h", "--help"]
    lines = "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
    return f"```text\n{lines}\n```\n"
