"""Sources: add one to the project, check it, and list what it has."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from etltctl.cli.groups import group
from etltctl.cli.session import Session
from etltctl.errors import NextStep
from etltctl.values import SourceKind

if TYPE_CHECKING:
    from etltctl.settings import Settings

SourceName = Annotated[str, typer.Argument(help="the source's name in the settings")]
app = group("Add, check and discover sources.")


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
    from etltctl.scaffold.source_answers import Answers

    session: Session = context.obj
    answers = Answers(
        name=name, kind=kind, streams=tuple(streams or ()), manifest=manifest, package=package,
        configured=tuple(configured or ()), uri=uri, database=database, keys=tuple(keys or ()),
    )  # fmt: skip
    added = add_source(session.load(), answers, session.console.ask).seen_from(Path.cwd())
    files = [str(path) for path in (added.changed, *added.written)]
    lines = "".join((f"changed {added.changed}\n", *(f"wrote {path}\n" for path in added.written)))
    step = NextStep(added.next_command)
    document = {"schema": "etltctl.source-add/1", "source": name, "files": files}
    session.console.result(session.console.with_next(document, step), NextStep(f"{lines}Next: ", *step.parts))


@app.command("check")
def check(context: typer.Context, source: SourceName) -> None:
    """Check that a source answers to its credentials. Starts its connector; changes nothing."""
    from etltctl.api import check_source

    session: Session = context.obj
    with _discoverable(session, source) as settings, session.console.working(f"source check {source}"):
        checked = check_source(source, settings)
    session.console.result({"schema": "etltctl.source-check/1", **checked.as_check()}, checked.sentence())


@app.command("discover")
def discover(context: typer.Context, source: SourceName) -> None:
    """List the streams of a source, and which are selected. Starts its connector; changes nothing."""
    from etltctl.api import discover_source
    from etltctl.connections import STREAM_COLUMNS

    session: Session = context.obj
    with _discoverable(session, source) as settings, session.console.working(f"source discover {source}"):
        discovered = discover_source(source, settings)
    none = f"source {source} has no streams"
    session.console.rows("etltctl.source-discover/1", STREAM_COLUMNS, discovered.rows(), none=none)
    session.console.say(discovered.next_step())


def _discoverable(session: Session, source: str) -> AbstractContextManager[Settings]:
    """Return the settings with their services within reach; a fault that this machine sees is raised before."""
    from etltctl.connections import require_discoverable

    return session.connected(partial(require_discoverable, source))
