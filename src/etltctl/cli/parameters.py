"""The difference between typer's releases: etltctl runs with those that use click and those that carry a copy of it.

A copy has its own exceptions, so they are reached through the names that every typer exports. Nothing here is needed
for a command to work with the newest typer but the exceptions; the rest keeps its start short and its help whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast, get_type_hints

import typer

UsageError = cast(type[Exception], typer.BadParameter.__mro__[1])
CommandLineError: Any = typer.BadParameter.__mro__[2]  # click's ClickException
Abort = typer.Abort


HELP_NAMES = ["-h", "--help"]


def built(app: typer.Typer) -> Any:
    """Return the command that typer makes of the application, with whole help texts and cheap parameters."""
    command = typer.main.get_command(app)
    for each in _with_commands_below(command):
        help_option = each.get_help_option(typer.Context(each, help_option_names=HELP_NAMES))
        for param in [*each.params, help_option]:
            if param.param_type_name == "argument" and not param.help:
                param.help = _declared_help(each.callback, param.name)
                each.format_arguments = _write_nothing  # click's own list of arguments; typer writes one too
            if hasattr(param, "_runtime_param"):
                param._runtime_param = _AsGiven()
    return command


def _with_commands_below(command: Any) -> Iterator[Any]:
    yield command
    for below in getattr(command, "commands", {}).values():
        yield from _with_commands_below(below)


def _declared_help(function: Any, name: str) -> str:
    """Return the help text of an argument. A typer without its own copy of click loses the text with click 8.5."""
    declared = get_type_hints(getattr(function, "__wrapped__", function), include_extras=True)[name]
    return next((each.help for each in declared.__metadata__ if getattr(each, "help", None)), "")


def _write_nothing(context: Any, formatter: Any) -> None:
    """Leave out a section of the help."""


class _AsGiven:
    """A value that is of the declared type already needs no check, and so no import of pydantic, which takes as long
    as all the rest of the start.

    Newest typer checks every value of every parameter with pydantic, the defaults too. What has another type is left
    to it, so what is accepted stays the same.
    """

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        if value is None:
            return () if param.multiple or param.nargs == -1 else None
        if type(value) is param.type_descriptor.annotation:
            return value
        param._runtime_param = None
        return param.get_runtime_param().coerce(value, param=param, ctx=ctx)
