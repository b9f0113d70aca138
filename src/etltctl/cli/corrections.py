"""The command line of the user with a misspelt name corrected, as the next step."""

from __future__ import annotations

from collections.abc import Sequence

from etltctl.errors import Command, EtltctlError, NextStep, UsageError

# An unknown pipeline, source or job is refused before they start anything.
STARTS = ("run", "sync", "run-glue")


def correct(error: EtltctlError, arguments: Sequence[str]) -> None:
    """Put the corrected command in the next step of an error for a misspelt name.

    Args:
        error: The error. Any other one stays as it is.
        arguments: The words after `etltctl`. Every flag among them is kept.
    """
    if not isinstance(error, UsageError) or error.correction is None:
        return
    wrong, right = error.correction
    # A name that stands twice, or only as part of a word, cannot be distinguished from a value.
    if list(arguments).count(wrong) != 1:
        return
    words = [right if word == wrong else word for word in arguments]
    before = "nothing was started; " if any(name in arguments for name in STARTS) else ""
    error.next_step = NextStep(before, *error.next_step.parts, " ", Command(tuple(words), is_whole=True))
