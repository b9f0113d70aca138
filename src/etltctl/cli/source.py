"""Sources: add one to the project."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from etltctl.cli.groups import group
from etltctl.cli.session import Session
from etltctl.errors import ConfigurationError, NextStep, command

app = group("Add sources to the project.")


class SourceKind(StrEnum):
    """The kinds of sources that a project can add by name, without loading the settings for `--help`."""

    MONGODB = "mongodb"
    AIRBYTE = "airbyte"


@app.command("add")
def add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="the source's name, which begins the names of its tables")],
    kind: Annotated[SourceKind, typer.Option("--kind", help="What is read.")] = SourceKind.AIRBYTE,
    streams: Annotated[
        list[str] | None,
        typer.Option("--stream", metavar="NAME", help="A stream or collection; repeat it for several."),
    ] = None,
    manifest: Annotated[
        str, typer.Option("--manifest", metavar="FILE", help="A low-code connector's manifest.yaml.")
    ] = "",
    package: Annotated[
        str, typer.Option("--package", metavar="NAME==VERSION", help="A connector that is a Python package.")
    ] = "",
    configured: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="A value of the connector's config; secrets as env:NAME."
        ),
    ] = None,
    uri: Annotated[
        str,
        typer.Option(
            "--uri", metavar="REFERENCE", help="MongoDB: where its address is, such as env:SHIPS_URI."
        ),
    ] = "",
    database: Annotated[str, typer.Option("--database", help="MongoDB: the database.")] = "",
    keys: Annotated[
        list[str] | None,
        typer.Option("--key", metavar="COLUMN", help="A column that names a record; repeat it for several."),
    ] = None,
) -> None:
    """Add a source with its Glue job, a test and a DAG. On a terminal it asks for what is not given."""
    from etltctl.scaffold.source import add_source
    from etltctl.scaffold.source_answers import Answers, new_source

    session: Session = context.obj
    settings = session.load()
    if settings.file is None:
        raise ConfigurationError(
            "there is no etltctl.toml here or above to add a source to",
            hint=NextStep("begin a project: ", command("init", "DIR")),
        )
    answers = Answers(
        name=name, kind=str(kind), streams=tuple(streams or ()), manifest=manifest, package=package,
        configured=tuple(configured or ()), uri=uri, database=database, keys=tuple(keys or ()),
    )  # fmt: skip
    source = new_source(answers, session.console.ask)
    here = Path.cwd()
    files = [
        str(path.relative_to(here) if path.is_relative_to(here) else path)
        for path in add_source(settings.file, source)
    ]
    lines = "".join(f"{'changed' if number == 0 else 'wrote'} {path}\n" for number, path in enumerate(files))
    session.console.result(
        {"schema": "etltctl.source-add/1", "source": name, "files": files},
        NextStep(f"{lines}Next: ", command("run", name)),
    )
