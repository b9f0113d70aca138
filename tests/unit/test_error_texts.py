"""An error on the terminal: its message as it is, and its next steps with the flags of the invocation."""

from __future__ import annotations

import io

from etltctl.cli.hints import Hints
from etltctl.console import Console
from etltctl.errors import BlockedError, EtltctlError, NextStep, command
from etltctl.publishing import combined


def printed(error: EtltctlError) -> list[str]:
    """Return the lines of the error of a command with `--env aws`."""
    err = io.StringIO()
    Console(plain=True, stderr=err, spell=Hints(("--env", "aws")).spell).error(error)
    return err.getvalue().splitlines()


def test_a_next_step_keeps_the_flags_and_the_message_has_none() -> None:
    error = BlockedError(
        "`etltctl runs show` knows no such run", hint=NextStep("list them: ", command("runs", "list"))
    )
    assert printed(error) == [
        "error: `etltctl runs show` knows no such run",
        "  next: list them: etltctl --env aws runs list",
    ]


def test_the_next_steps_of_several_tables_keep_the_flags() -> None:
    errors = {
        "gold.one": BlockedError("no file", hint=NextStep("then: ", command("athena", "refresh"))),
        "gold.two": BlockedError("damaged"),
    }
    assert printed(combined(errors, 3)) == [
        "error: 2 of 3 tables could not be refreshed: gold.one, gold.two",
        "  gold.one:",
        "    no file",
        "    then: etltctl --env aws athena refresh",
        "  gold.two: damaged",
        "  next: the other tables were refreshed; these stay as they were",
    ]
