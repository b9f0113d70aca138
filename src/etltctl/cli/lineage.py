"""`etltctl runs lineage`: the OpenLineage events of a run, printed or sent again."""

from __future__ import annotations

from typing import Annotated

import typer

from etltctl.cli.runs import RunName
from etltctl.cli.session import Session
from etltctl.console import Output
from etltctl.tabulating import as_json


def lineage(
    context: typer.Context,
    run_id: RunName = "",
    is_sent: Annotated[
        bool, typer.Option("--send", help="Send them to the receivers of [lineage] instead.")
    ] = False,
) -> None:
    """Print the OpenLineage events of a run from its record. Sends nothing and calls no service without --send."""
    from etltctl.history import find_run
    from etltctl.pipeline import lineage_of_run, send_lineage

    session: Session = context.obj
    with session.reading(session.load()) as settings:
        events = find_run(settings, run_id)
        run = str(events[0]["run_id"])
        documents = [] if is_sent else lineage_of_run(events, settings)
        sent = send_lineage(events, settings) if is_sent else 0
    if not is_sent and session.console.output is Output.NDJSON:
        for document in documents:
            session.console.document(document)
        return
    result = {"schema": "etltctl.runs-lineage/1", "run": run, "sent": sent, "events": documents}
    text = f"{sent} events of run {run} sent" if is_sent else "\n".join(map(as_json, documents))
    session.console.result(result, text)
