"""Data: extracts for Tableau, published and refreshed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from etltctl.cli.groups import group
from etltctl.cli.protection import Yes, require_consent
from etltctl.cli.session import Session
from etltctl.values import TableName

app = group("Write, publish and refresh extracts for Tableau.")
Table = Annotated[str, typer.Argument(help="layer.table, such as gold.weather_daily")]
Project = Annotated[str, typer.Option("--project", help="Tableau's project.  [default: tableau.project]")]


@app.command("export")
def export(
    context: typer.Context,
    table: Table,
    where: Annotated[
        str, typer.Option("--where", metavar="SQL", help="Only these rows, in Athena's SQL.")
    ] = "",
    columns: Annotated[str, typer.Option("--columns", metavar="A,B", help="Only these columns.")] = "",
    hyper: Annotated[
        Path | None,
        typer.Option("--hyper", metavar="FILE", help="The file to write.  [default: TABLE.hyper]"),
    ] = None,
) -> None:
    """Write the published version of a table as a typed Hyper extract."""
    from etltctl.cli.run_state import progress_text
    from etltctl.extracting import Selection, write_table

    session: Session = context.obj
    selection = Selection(table, where, tuple(name.strip() for name in columns.split(",") if name.strip()))
    # A name that is not a table is refused below, with the tables that there are.
    file = hyper or Path(f"{TableName.parse(table).name if TableName.is_one(table) else table}.hyper")
    with session.connected() as settings, session.console.working(f"export {table}") as describe:
        extract = write_table(
            selection,
            file,
            settings,
            on_poll=lambda run: describe(f"export {table}: {progress_text(run) or run.status}"),
        )
    text = f"{extract.file}: {extract.rows:,} rows of {table}" + (
        f", version {extract.version}" if extract.version else ""
    )
    session.console.result({"schema": "etltctl.tableau-export/1", **extract.as_dict()}, text)
    if not extract.rows:
        session.console.warn(f"no row of {table} was selected; a data source of it will be empty")


@app.command("publish")
def publish(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="a .hyper, .tds or .tdsx")],
    name: Annotated[str, typer.Option("--name", help="In Tableau.  [default: the file's]")] = "",
    project: Project = "",
    yes: Yes = False,
) -> None:
    """Publish a file as a data source, over one of the same name."""
    from etltctl.pipeline import publish_file

    session: Session = context.obj
    settings = session.load()
    require_consent(session, settings, f"publish {file.name} to Tableau", yes=yes)
    with session.console.working(f"publish {file.name}"):
        done = publish_file(file, settings, name, project)
    document = {"schema": "etltctl.tableau-publish/1", "id": done.id, "name": done.name, "project": done.project,
                "url": done.url}  # fmt: skip
    session.console.result(document, f"Published {done.name} in project {done.project} {done.url}".rstrip())


@app.command("refresh")
def refresh(
    context: typer.Context,
    datasource: Annotated[str, typer.Argument(help="its key in the settings, or its name in Tableau")],
    project: Project = "",
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the end of the job.")] = False,
    yes: Yes = False,
) -> None:
    """Have Tableau refresh a data source. A refresh that is already queued is adopted."""
    from etltctl.pipeline import refresh_datasource

    session: Session = context.obj
    settings = session.load()
    require_consent(session, settings, f"refresh {datasource} in Tableau", yes=yes)
    with session.console.working(f"refresh {datasource}"):
        verb, job = refresh_datasource(datasource, settings, project, wait=wait)
    document = {"schema": "etltctl.tableau-refresh/1", "verb": str(verb), "job": job.id, "state": job.status}
    # Tableau does not list the job of a refresh that another user has queued.
    state = f"job {job.id}: {job.status}" if job.id else "already queued"
    session.console.result(document, f"Refresh of {job.name} {verb}, {state}.")


@app.command("template")
def template(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="a .tds or .tdsx, saved once by Tableau Desktop")],
    table: Table,
    to: Annotated[
        Path | None,
        typer.Option("--to", metavar="FILE", help="The file to write.  [default: TABLE with its suffix]"),
    ] = None,
) -> None:
    """Re-point a saved live Athena data source. It then reads this workgroup, database and table."""
    from etltctl.extracting import repoint_template

    session: Session = context.obj
    settings = session.load()
    target, changes = repoint_template(file, table, settings, to)
    session.console.result(
        {"schema": "etltctl.tableau-template/1", "file": str(target), "changes": changes},
        "\n".join([*(f"  {change}" for change in changes), f"Wrote {target}."]),
    )
