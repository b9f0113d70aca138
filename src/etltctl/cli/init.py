"""Set up: begin a project."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from etltctl.cli.session import Session
from etltctl.errors import NextStep, command


def init(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="made if it is not there")] = Path(),
) -> None:
    """Write settings with comments, two DAGs, a contract and tests that pass at once; overwrites nothing."""
    from etltctl.scaffold import lay_out

    session: Session = context.obj
    files = [str(path) for path in lay_out(folder)]
    there = "" if folder == Path() else f"cd {folder} && "
    lines = "".join(f"wrote {path}\n" for path in files)
    text = NextStep(f"{lines}Next: {there}", command("run", "mongodb"))
    session.console.result({"schema": "etltctl.init/1", "folder": str(folder), "files": files}, text)
