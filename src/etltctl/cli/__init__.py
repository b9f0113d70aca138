"""The command line: arguments in, one library call, result out."""

import gc
import os
import sys

__all__ = ["main"]

# Python looks for unused cycles after 700 new objects. A command makes 100 times as many while it imports and reads
# the SDK's descriptions, and nearly all of them stay: the searches took an eighth of a short command's time.
OBJECTS_BETWEEN_COLLECTIONS = 100_000


def main(arguments: list[str] | None = None) -> None:
    """Run one command and exit with its code. An interrupt while the commands are still loaded prints nothing.

    Args:
        arguments: The words after `etltctl`; those of the process if None.
    """
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    try:
        # Before the import of the commands: a shell asks at every press of Tab.
        if os.environ.get("_ETLTCTL_COMPLETE"):
            _complete()
        from etltctl.cli import app
    except KeyboardInterrupt:
        sys.exit(130)  # as in `etltctl.errors.ExitCode.INTERRUPTED`
    app.main(arguments)


def _complete() -> None:
    """Answer a shell that completes a command line. On any error the user's line stays as it is."""
    from pathlib import Path

    from etltctl.cli.completion import answer

    try:
        text, code = answer(os.environ, Path.cwd())
        print(text, end="" if text.endswith("\n") or not text else "\n")  # noqa: T201 - the answer is for the shell, no result of a command
    except Exception:  # noqa: BLE001 - a message would be pasted into the command line
        code = 1
    sys.exit(code)
