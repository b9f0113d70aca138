"""The commands, from the program's own help."""

from __future__ import annotations

from collections.abc import Iterator

import click
import typer

from etltctl.cli.app import app

WIDTH = 100
COLUMN = 45


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, by its whole name, in the order of the program's help."""
    yield from _below("etltctl", typer.main.get_command(app))


def _below(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        yield name, command
        return
    for word, inner in command.commands.items():
        yield from _below(f"{name} {word}", inner)


def commands_block() -> str:
    """The README's list: a line a command, a group of commands on one."""
    told = [
        (f"etltctl {name} {_inside(command)}".rstrip(), _sentence(command))
        for name, command in typer.main.get_command(app).commands.items()  # type: ignore[attr-defined]
    ]
    lines = [
        f"{name:<{COLUMN}} {text}" if len(name) < COLUMN else f"{name}\n{'':<{COLUMN}} {text}"
        for name, text in told
    ]
    return "\n".join(["```", *lines, "```", ""])


def _inside(command: click.Command) -> str:
    """A group's commands, or a command's arguments."""
    if isinstance(command, click.Group):
        return "|".join(command.commands)
    context = click.Context(command)
    arguments = (each for each in command.params if isinstance(each, click.Argument))
    return " ".join(argument.make_metavar(context).partition(":")[0] for argument in arguments)


def _sentence(command: click.Command) -> str:
    return " ".join((command.help or "").partition("\n\n")[0].split()).partition("; ")[0].rstrip(".")


def commands_page() -> str:
    """The page."""
    root = typer.main.get_command(app)
    parts = [
        "# Commands\n",
        "Results are alone on stdout, everything else is on stderr. `-o json` and `-o ndjson` give every result "
        "as data, with a `schema` that names its shape.\n",
        "## Options of every command\n",
        _help("etltctl", root),
    ]
    for name, command in commands():
        parts += [f"## {name}\n", _help(name, command)]
    return "\n".join(parts)


def _help(name: str, command: click.Command) -> str:
    context = click.Context(command, info_name=name, terminal_width=WIDTH, max_content_width=WIDTH)
    context.help_option_names = ["-h", "--help"]
    lines = "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
    return f"```text\n{lines}\n```\n"
