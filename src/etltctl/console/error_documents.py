"""Errors as data, for programs that read `-o json` or `-o ndjson`. docs/reference/schemas/error.json describes them."""

from __future__ import annotations

import shlex
import traceback
from collections.abc import Callable
from typing import Any

from etltctl.errors import (
    Command,
    ConfigurationError,
    EtltctlError,
    ExitCode,
    NextStep,
    ServiceError,
    bounded,
)

SCHEMA = "etltctl.error/1"
Spell = Callable[[str | Command | NextStep], str]


def error_document(error: EtltctlError, spell: Spell = str, *, is_traced: bool = False) -> dict[str, Any]:
    """Return an error as data.

    Args:
        error: The error.
        spell: Spells a next step; the command line's spelling adds its flags to the commands.
        is_traced: Whether the traceback belongs to it.
    """
    problems = error.problems if isinstance(error, ConfigurationError) else ()
    return {
        "schema": SCHEMA,
        "code": code_of(error.exit_code),
        "service_code": error.code if isinstance(error, ServiceError) else "",
        "class": type(error).__name__,
        "message": error.message,
        "problems": [spell(problem) for problem in problems],
        "facts": {name: _fact(value, spell) for name, value in error.facts.items()},
        "next": next_of(error.next_step, spell),
        "exit_code": int(error.exit_code),
        **({"traceback": "".join(traceback.format_exception(error))} if is_traced else {}),
    }


def plain_error_document(
    class_name: str, message: str, exit_code: ExitCode, step: NextStep, spell: Spell = str, trace: str = ""
) -> dict[str, Any]:
    """Return a failure that is not an `EtltctlError` as data, such as a wrong option or an interrupt.

    Args:
        class_name: The name of its class.
        message: What happened.
        exit_code: What the process returns.
        step: What to do next.
        spell: Spells a next step.
        trace: The traceback; empty to leave it out.
    """
    return {
        "schema": SCHEMA,
        "code": code_of(exit_code),
        "service_code": "",
        "class": class_name,
        "message": message,
        "problems": [],
        "facts": {},
        "next": next_of(step, spell),
        "exit_code": int(exit_code),
        **({"traceback": trace} if trace else {}),
    }


def code_of(exit_code: ExitCode) -> str:
    """Return the word for an exit code, such as `already-running`."""
    return exit_code.name.lower().replace("_", "-")


def next_of(step: NextStep, spell: Spell = str) -> dict[str, Any]:
    """Return a next step as text, and its commands as lists of arguments.

    Args:
        step: The step.
        spell: Spells a next step.
    """
    text = spell(step).strip()
    # Spelled one by one and split again: the spelling adds the flags that lead to the same lake.
    spelled = [part if isinstance(part, str) else spell(NextStep(part)) for part in step.parts]
    commands = [
        shlex.split(words)
        for part, words in zip(step.parts, spelled, strict=True)
        if isinstance(part, Command)
    ]
    return {"text": text, "commands": commands}


def _fact(value: object, spell: Spell) -> object:
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, list | tuple | set | frozenset):
        return [_fact(one, spell) for one in value]
    # A service may put a page of HTML into its message.
    return bounded(spell(value) if isinstance(value, NextStep | Command) else str(value))
