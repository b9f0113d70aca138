"""`etltctl runs report`: a page about one run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from etltctl.cli.runs import RunName
from etltctl.cli.session import Session


def report(
    context: typer.Context,
    run_id: RunName = "",
    to: Annotated[
        Path | None,
        typer.Option(
            "--to",
            metavar="FILE",
            help="Write the page to this file.  [default: reports/RUN.html below the state]",
        ),
    ] = None,
    is_opened: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    is_plotted: Annotated[
        bool,
        typer.Option(
            "--plots/--no-plots",
            help="Draw plots of gold tables, with one query each, and read the current versions.",
        ),
    ] = True,
) -> None:
    """Write one HTML page about a run, with plots of its gold tables."""
    import webbrowser  # here, because every command would pay for it

    from etltctl.reports import make_report

    session: Session = context.obj
    with session.console.working("report"):
        written = make_report(
            run_id,
            session.load_for_record(),
            session.connected,
            to=to,
            is_plotted=is_plotted,
            spell=session.console.spell,
        )
    for problem in written.faults:
        session.console.warn(problem)
    for name, reason in written.undrawn:
        session.console.say(f"no plot {name}: {reason}")
    if written.usd:
        session.console.say(f"queries for the plots: {written.usd:.4f} USD at Athena's price")
    document = {
        "schema": "etltctl.runs-report/1",
        "run": written.run_id,
        "path": str(written.path),
        "bytes": written.size,
        "plots": written.plots,
        "usd": written.usd,
    }
    session.console.result(document, f"{written.path}  {written.size / 1000:,.0f} kB")
    if is_opened and not webbrowser.open(written.path.resolve().as_uri()):
        session.console.say("no browser could be opened: open the file yourself")
