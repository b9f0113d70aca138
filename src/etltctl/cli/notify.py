"""Notifications: whether a message reaches its receivers."""

from __future__ import annotations

from typing import Annotated

import typer

from etltctl.cli.groups import group
from etltctl.cli.session import Session
from etltctl.errors import ExitCode

app = group("Test the receivers of notifications.")


@app.command("test")
def send_test_message(
    context: typer.Context,
    receiver: Annotated[str, typer.Argument(help="NAME of [notify.NAME]; all of them if none is named")] = "",
) -> int:
    """Send a test message. If a receiver does not take it, exit with the code of the error."""
    from etltctl.observers.notifications import send_trial

    session: Session = context.obj
    # Connected, so that secrets and topics of the environment `local` are never looked up on AWS.
    with session.connected() as settings, session.console.working("notify"):
        results = send_trial(settings, receiver)
    rows = [(each.receiver, each.kind, each.error.message if each.error else "sent") for each in results]
    session.console.rows("etltctl.notify-test/1", ("receiver", "kind", "result"), rows)
    return next((each.error.exit_code for each in results if each.error), ExitCode.OK)
