"""Set up: keep the embedded endpoints running between commands."""

from __future__ import annotations

import os

import typer

from etltctl.cli.groups import group
from etltctl.cli.session import LOCAL, Session

app = group("Keep the embedded endpoints running between commands.")


@app.command("up")
def up(context: typer.Context) -> None:
    """Start the embedded server and let it run; -o json tells the variables that lead to it."""
    from etltctl.local import keep_server

    session: Session = context.obj
    session.env = LOCAL
    found = keep_server(session.load(), os.environ)
    server = found.server
    document = {
        "schema": "etltctl.local/1", "running": True, "url": server.url, "pid": server.pid,
        "environ": dict(found.environ),
    }  # fmt: skip
    session.console.result(document, f"The embedded server runs at {server.url} (pid {server.pid}).")


@app.command("down")
def down(context: typer.Context) -> None:
    """Stop the embedded server; the data stays."""
    from etltctl.local import stop_server

    session: Session = context.obj
    session.env = LOCAL
    server = stop_server(session.load())
    text = f"Stopped the embedded server at {server.url}." if server else "No embedded server was running."
    session.console.result({"schema": "etltctl.local/1", "running": False}, text)


@app.command("status")
def status(context: typer.Context) -> None:
    """Say whether the embedded server runs, and where."""
    from etltctl.local import describe_class_archive, find_server

    session: Session = context.obj
    session.env = LOCAL
    settings = session.load()
    server = find_server(settings)
    archive, line = describe_class_archive()
    if server is None:
        document = {
            "schema": "etltctl.local/1", "running": False, "state": settings.state, "class_archive": archive,
        }  # fmt: skip
        session.console.result(document, f"No embedded server runs; its data is in {settings.state}.\n{line}")
        return
    document = {
        "schema": "etltctl.local/1", "running": True, "url": server.url, "pid": server.pid, "kept": server.kept,
        "state": settings.state, "class_archive": archive,
    }  # fmt: skip
    text = f"The embedded server runs at {server.url} (pid {server.pid}); its data is in {settings.state}.\n{line}"
    session.console.result(document, text)
