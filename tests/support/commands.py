"""Commands that a test runs within its own process."""

from __future__ import annotations

import pytest

from etltctl.cli import main


def exit_code_of(*words: str) -> int:
    """Run a command and return its exit code.

    Args:
        words: The command's words, without `etltctl`.
    """
    with pytest.raises(SystemExit) as end:
        main(list(words))
    return int(end.value.code or 0)
