"""The commands' common behaviour, and the differences between releases of typer.

etltctl runs with releases of typer that use click and with those that carry a copy of it. A copy has separate
exceptions, so they are reached through the names that every typer exports.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from inspect import signature
from typing import Any, cast, get_type_hints

import typer

# BadParameter's parents by position: the one place where every typer has them.
UsageError = cast(type[Exception], typer.BadParameter.__mro__[1])
CommandLineError: Any = typer.BadParameter.__mro__[2]  # click's ClickException
Abort = typer.Abort

HELP_NAMES = ["-h", "--help"]
HAS_COPY_OF_CLICK = find_spec("typer._click") is not None
CLICK_NAMES = {"str": "TEXT", "int": "INTEGER", "int range": "INTEGER RANGE"}
# typer before 0.20 makes no suggestions, and has no argument to switch them off.
CLICK_SUGGESTS: dict[str, Any] = (
    {"suggest_commands": False} if "suggest_commands" in signature(typer.Typer).parameters else {}
)


def group(says: str) -> typer.Typer:
    """Make a group of commands. Alone it shows its help; click suggests which command was meant.

    Args:
        says: The help text of the group.
    """
    return typer.Typer(
        help=says,
        callback=show_help,
        invoke_without_command=True,
        subcommand_metavar="COMMAND [ARGS]...",
        rich_markup_mode=None,
        **CLICK_SUGGESTS,
    )


def show_help(context: typer.Context) -> None:
    """Print the help of a group that was called without a command."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def built(app: typer.Typer) -> Any:
    """Return the command that typer makes of the application, with complete help texts and cheap parameters."""
    command = typer.main.get_command(app)
    for each in _with_commands_below(command):
        # click makes the help option late, and it would be missing from the parameters.
        help_option = each.get_help_option(typer.Context(each, help_option_names=HELP_NAMES))
        for param in [*each.params, help_option]:
            if param.param_type_name == "argument" and not param.help:
                param.help = _declared_help(each.callback, param.name)
                each.format_arguments = _write_nothing  # click's own list of arguments; typer writes one too
            if HAS_COPY_OF_CLICK or param.param_type_name == "argument":
                name = _click_metavar(param, typer.Context(each))
                param.make_metavar = partial(_constant, name)
            # Only the newest typer has it; the others need no help.
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


def _click_metavar(param: Any, context: Any) -> str:
    """Return the name of a parameter's value as click 8.3 writes it. A typer with its own copy writes `<str>`."""
    if param.param_type_name == "argument":
        name = param.metavar or param.name.upper()
        name = name if param.required or name.startswith("[") else f"[{name}]"
        return name if param.metavar or param.nargs == 1 else f"{name}..."
    if param.metavar:
        return str(param.metavar)
    names = param.make_metavar(context).strip("<>")
    return f"[{names}]" if "|" in names else CLICK_NAMES.get(names, names.upper())


def _constant(text: str, *_: Any, **__: Any) -> str:
    """Return the text, whatever else is given."""
    return text


def _write_nothing(context: Any, formatter: Any) -> None:
    """Leave out a section of the help."""


class _AsGiven:
    """A parameter's type that takes a value as it is, if it has the declared type already.

    The newest typer checks every value of every parameter with pydantic, the defaults too. The import of pydantic takes
    as long as all the rest of the start. Values of other types are left to typer, so it accepts the same as before.
    """

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return the value for a parameter, as typer would."""
        if value is None:
            return () if param.multiple or param.nargs == -1 else None
        if type(value) is param.type_descriptor.annotation:
            return value
        param._runtime_param = None
        return param.get_runtime_param().coerce(value, param=param, ctx=ctx)
