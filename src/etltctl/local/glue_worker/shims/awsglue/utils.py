"""Job arguments as Glue hands them to a script."""

from __future__ import annotations

import argparse
from collections.abc import Sequence


class GlueArgumentError(Exception):
    """A required argument is missing."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> None:  # type: ignore[override]
        raise GlueArgumentError(message)


def getResolvedOptions(args: Sequence[str], options: Sequence[str]) -> dict[str, str]:  # noqa: N802
    """The named options found in `args` (`--name value`); raises GlueArgumentError if one is missing.

    JOB_NAME and JOB_RUN_ID are given when present, asked for or not, as on Glue.
    """
    parser = _Parser(add_help=False, allow_abbrev=False)
    for option in options:
        parser.add_argument(f"--{option}", required=True)
    for option in {"JOB_NAME", "JOB_RUN_ID"} - set(options):
        parser.add_argument(f"--{option}")
    found, _ = parser.parse_known_args(list(args)[1:])
    return {name: value for name, value in vars(found).items() if value is not None}
