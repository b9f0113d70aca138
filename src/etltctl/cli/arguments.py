"""The words after `etltctl`: the global flags among them, and what is refused before any command sees them."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from itertools import zip_longest

from etltctl.cli.completion import current_shell
from etltctl.console import Output
from etltctl.errors import UsageError, command

# Flags that mean the same everywhere; they are accepted before and after the command.
VALUE_FLAGS = frozenset({"-c", "--config", "-e", "--env", "-o", "--output", "--events"})
COMPLETION_FLAGS = frozenset({"--install-completion", "--show-completion"})
SWITCHES = frozenset({"--local", "--aws", "-q", "--quiet", "-v", "-vv", "--verbose", "--no-color"})

# An unset variable of the shell leaves the value of an option empty. For these that is an error, not "not given".
NEVER_EMPTY = VALUE_FLAGS | {
    "--as",
    "--run-id",
    "--table",
    "--since",
    "--until",
    "--pipeline",
    "--from",
    "--to",
    "--only",
    "--max-usd",
    "--start",
    "--end",
    "--code",
}


def hoisted(arguments: list[str]) -> list[str]:
    """Return the arguments with the global flags in front, wherever they stood; those after `--` stay in place.

    Args:
        arguments: The words after `etltctl`.
    """
    # click accepts the options of the program only before the name of a command.
    front, rest = [], []
    waiting = iter(arguments)
    for argument in waiting:
        if argument == "--":
            rest += [argument, *waiting]
        elif argument in SWITCHES or argument.startswith(("--config=", "--env=", "--output=", "--events=")):
            front.append(argument)
        # click knows no option with an optional value, so a missing shell is filled in.
        elif argument in COMPLETION_FLAGS:
            front += [argument, next(waiting, "") or current_shell(os.environ)]
        elif argument in VALUE_FLAGS:
            front += [argument, *([value] if (value := next(waiting, None)) is not None else [])]
        else:
            rest.append(argument)
    return front + rest


def named_output(arguments: Sequence[str], environ: Mapping[str, str]) -> Output:
    """Return the output that the words or the environment name, before they are parsed; a table if it is wrong.

    Args:
        arguments: The words after `etltctl`, the global flags in front.
        environ: The variables of the process.
    """
    named = environ.get("ETLTCTL_OUTPUT", "")
    for word, after in zip_longest(arguments, arguments[1:], fillvalue=""):
        if word in ("-o", "--output"):
            named = after
        elif word.startswith("--output="):
            named = word.partition("=")[2]
        elif word == "--":
            break
    return Output(named) if named in list(Output) else Output.TABLE


def require_values(arguments: list[str]) -> None:
    """Refuse an option whose value is empty, as an unset variable of the shell leaves it.

    Args:
        arguments: The words after `etltctl`.

    Raises:
        UsageError: An option that needs a value has an empty one.
    """
    for option, value in zip_longest(arguments, arguments[1:]):
        # Both spellings: `--env aws` and `--env=aws`.
        name, is_joined, joined = option.partition("=")
        if name in NEVER_EMPTY and (joined if is_joined else value) == "":
            hint = f"leave {name} out, or check the variable that it is taken from"
            raise UsageError(f"the value of {name} is empty", hint=hint)


def words_of(arguments: list[str]) -> tuple[str, ...]:
    """Return the command's name and what follows it, without options.

    Args:
        arguments: The words after `etltctl`, the global flags in front.
    """
    words = iter(arguments)
    for word in words:
        if word in VALUE_FLAGS:
            next(words, None)
        elif not word.startswith("-"):
            return (word, *(each for each in words if not each.startswith("-")))
    return ()


def require_command(words: Sequence[str]) -> None:
    """Refuse a word that is a command of other programs and an option of etltctl.

    Args:
        words: The words of the command, as `words_of` returns them.

    Raises:
        UsageError: The command is `version` or `help`.
    """
    if words and words[0] in ("version", "help"):
        after = words[1:] if words[0] == "help" else ()
        raise UsageError(f"there is no command {words[0]}", hint=command(*after, f"--{words[0]}"))
