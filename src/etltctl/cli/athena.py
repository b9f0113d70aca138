"""Data: the catalog's tables, and queries of them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from etltctl.cli.groups import group
from etltctl.cli.protection import Yes, require_consent
from etltctl.cli.session import Session
from etltctl.tabulating import folded, local_time, utc_time

if TYPE_CHECKING:
    from etltctl.settings import Settings

app = group("Query the lake and keep its catalog up to date.")


@app.command("refresh")
def refresh_catalog(
    context: typer.Context,
    tables: Annotated[
        list[str] | None, typer.Argument(help="layer.table; all of them if none is named")
    ] = None,
    yes: Yes = False,
) -> None:
    """Bring the catalog's tables up to date with the data. Needs no MSCK REPAIR."""
    from etltctl.pipeline import refresh

    session: Session = context.obj

    def check(settings: Settings) -> None:
        require_consent(session, settings, f"refresh {', '.join(tables or ['every table'])}", yes=yes)

    with session.connected(check) as settings, session.console.working("athena refresh"):
        result = refresh(tables or [], settings)
    changes = [(name, facts["change"], facts["rows"]) for name, facts in result.facts["tables"].items()]
    session.console.rows(
        "etltctl.athena-refresh/1", ("table", "change", "rows"), changes, none="No table has files yet."
    )


@app.command("query")
def query(
    context: typer.Context,
    sql: Annotated[str, typer.Argument(help="the SQL, or - to read it from standard input")] = "",
    file: Annotated[Path | None, typer.Option("--file", "-f", help="Read the SQL from this file.")] = None,
    database: Annotated[
        str,
        typer.Option("--database", "-d", help="The database of table names without one.  [default: gold's]"),
    ] = "",
    parameters: Annotated[
        list[str] | None,
        typer.Option(
            "--param",
            "-p",
            help="Value of the next ? in the SQL: a number, text, date:DATE or timestamp:TIME.",
        ),
    ] = None,
    max_scan: Annotated[
        str,
        typer.Option(
            "--max-scan", metavar="SIZE", help="Cancel the query once it has scanned more, such as 1GB."
        ),
    ] = "",
    principal: Annotated[
        str, typer.Option("--as", metavar="ROLE", help="Run the query as this role: role:NAME, or its ARN.")
    ] = "",
    run_id: Annotated[
        str,
        typer.Option(
            "--run-id",
            help="Start the query once under this id. Another call with it returns the same result.",
        ),
    ] = "",
    to: Annotated[
        Path | None,
        typer.Option(
            "--to",
            metavar="FILE",
            help="Write the rows to this file: .parquet, .csv, .json, .ndjson, .md, or the format of -o.",
        ),
    ] = None,
    is_vertical: Annotated[
        bool | None,
        typer.Option(
            "--vertical/--no-vertical",
            show_default=False,
            help="Print one line for each column.  [default: if the terminal is too narrow]",
        ),
    ] = None,
    yes: Yes = False,
) -> None:
    """Run SQL on Athena and print its rows. Cost and bytes go to stderr."""
    from etltctl.cli.query_output import QueryOutput
    from etltctl.querying import is_read, read_sql, run_query

    session: Session = context.obj
    text = read_sql(sql, file, sys.stdin)
    # Before the query: it costs money, and a result that cannot be written is lost.
    output = QueryOutput.of(session.console, to, is_vertical)

    def check(settings: Settings) -> None:
        if not is_read(text):
            require_consent(session, settings, "run a statement that is not a read", yes=yes)

    with session.connected(check) as settings:
        with session.console.working("query") as describe:
            answer = run_query(
                text,
                settings,
                database=database,
                principal=principal,
                run_id=run_id,
                parameters=parameters or [],
                max_scan=max_scan,
                on_poll=lambda run: describe(f"query {run.status}, {run.scanned_bytes:,} bytes scanned"),
            )
        output.write(answer)
    session.console.say(answer.summary())


@app.command("tables")
def tables(context: typer.Context) -> None:
    """List the tables of the lake. Each has its layer, rows, version and the time it was last published."""
    from etltctl.querying import list_tables

    session: Session = context.obj
    with session.connected() as settings:
        rows = list_tables(settings)
    columns = ("layer", "table", "rows", "version", "published")
    session.console.rows("etltctl.tables/1", columns, rows, none="The catalog has no tables yet.")


@app.command("describe")
def describe(
    context: typer.Context,
    table: Annotated[str, typer.Argument(help="layer.table, such as gold.weather_daily")],
) -> None:
    """Show a table's columns, partitions and published versions."""
    from etltctl.querying import describe_table

    session: Session = context.obj
    with session.connected() as settings:
        spell_time = local_time if session.console.is_for_people else utc_time
        rows = describe_table(table, settings, spell_time)
    columns = ("part", "name", "type", "description")
    if session.console.output == "table":
        # The table's own description may be several sentences: it stands below its row.
        session.console.result({}, "\n".join(folded(columns, rows)))
        return
    session.console.rows("etltctl.describe/1", columns, rows)


def rollback_table(
    context: typer.Context,
    table: Annotated[str, typer.Argument(help="layer.table, such as gold.weather_daily")],
    to: Annotated[
        str,
        typer.Option(
            "--to", metavar="VERSION", help="The version to make current.  [default: the one before]"
        ),
    ] = "",
    yes: Yes = False,
) -> None:
    """Make an earlier published version of a table current again."""
    from etltctl.pipeline import rollback

    session: Session = context.obj

    def check(settings: Settings) -> None:
        require_consent(session, settings, f"roll {table} back to {to or 'its last version'}", yes=yes)

    with session.connected(check) as settings:
        published = rollback(table, settings, to)
    document = {
        "schema": "etltctl.rollback/1",
        "table": table,
        "version": published.version,
        "rows": published.rows,
    }
    session.console.result(document, f"{table} is version {published.version} again: {published.rows:,} rows")
