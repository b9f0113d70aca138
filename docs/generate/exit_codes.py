"""The exit codes with their meanings, from the error tree."""

from __future__ import annotations

from etltctl import errors
from etltctl.errors import EtltctlError, ExitCode

# Codes that no error class has.
CODES: dict[int, str] = {
    ExitCode.OK: "done, or nothing to do",
    ExitCode.USAGE: "the command line is wrong, or asks for something that does not exist",
    ExitCode.CHANGES: "a plan has changes; only with `--detailed-exitcode`",
    ExitCode.INTERRUPTED: "interrupted; stderr says whether remote work was stopped or goes on",
    ExitCode.TERMINATED: "ended by SIGTERM; stderr says whether remote work was stopped or goes on",
}


def exit_codes_table() -> str:
    """Return a row for each exit code."""
    rows = [f"| {int(code)} | {meaning(code)} |" for code in ExitCode]
    return "\n".join(["| exit code | meaning |", "| --- | --- |", *rows, ""])


def meaning(code: ExitCode) -> str:
    """Return what the code means: the first sentence of the error that has it."""
    if code in CODES:
        return CODES[code]
    kinds = [
        kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, EtltctlError) and kind.exit_code == code
    ]
    if not kinds:
        return code.name.lower().replace("_", " ")
    text = (kinds[0].__doc__ or "").strip().partition("\n")[0]
    return text[0].lower() + text[1:].rstrip(".")


def error_tree() -> str:
    """Return the tree of error classes, as the module's docstring draws it."""
    tree = (errors.__doc__ or "").partition("\n\n")[2].strip()
    return f"```text\n{tree}\n```\n"
