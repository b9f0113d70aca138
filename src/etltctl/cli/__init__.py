"""The command line: arguments in, one library call, result out."""

import sys

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> None:
    """Run one command and exit with its code; an interrupt while the commands are still loaded ends without a word."""
    try:
        from etltctl.cli import app
    except KeyboardInterrupt:
        sys.exit(130)  # as in `etltctl.errors.ExitCode.INTERRUPTED`
    app.main(arguments)
