"""Set up: keep the embedded endpoints running between commands."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Annotated

import typer

from etltctl.cli.groups import group
from etltctl.cli.protection import require_ending
from etltctl.cli.session import Session
from etltctl.errors import NextStep, command
from etltctl.values import LOCAL

app = group("Keep the embedded endpoints running between commands.")


@app.command("up")
def up(context: typer.Context) -> None:
    """Start the embedded server and let it run. eval "$(etltctl local env)" then leads any client to it."""
    from etltctl.local.client import keep_server

    session: Session = context.obj
    session.env = LOCAL
    # The server is kept for all later commands, whatever their settings say of its lingering.
    kept = keep_server(session.load(), os.environ)
    server = kept.server
    for warning in kept.warnings:
        session.console.warn(NextStep.read(warning))
    document = {
        "schema": "etltctl.local/1", "running": True, "url": server.url, "pid": server.pid,
        "environ": dict(kept.environ),
    }  # fmt: skip
    text = NextStep(
        f'The embedded server runs at {server.url} (pid {server.pid}).\neval "$(',
        command("local", "env"),
        ")\" makes this shell's AWS CLI, boto3 and Airbyte clients use it.",
    )
    session.console.result(document, text)


@app.command("env")
def env(
    context: typer.Context,
    unset: Annotated[
        bool, typer.Option("--unset", help="Print commands that remove these variables from the shell.")
    ] = False,
    dbt: Annotated[
        bool, typer.Option("--dbt", help="Print a profile for dbt instead: the content of profiles.yml.")
    ] = False,
) -> None:
    """Print the running server's address and keys as shell exports. For eval "$(etltctl local env)"."""
    import shlex

    from etltctl.cli.leading import variables_to_unset
    from etltctl.local.client import as_yaml, dbt_profile, environ_of, misleading

    session: Session = context.obj
    session.env = LOCAL
    if dbt:
        profile = dbt_profile(session.load())
        session.console.result({"schema": "etltctl.dbt-profile/1", "profile": profile}, as_yaml(profile))
        return
    if unset:
        variables: Mapping[str, str] = {}
        gone = variables_to_unset(os.environ)
    else:
        variables, gone = environ_of(session.load(), os.environ), misleading(os.environ)
    document = {"schema": "etltctl.local-env/1", "environ": dict(variables), "unset": gone}
    # Quoted for the shell, because the output is evaluated.
    lines = [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]
    session.console.result(document, "\n".join([*(f"unset {name}" for name in gone), *lines]))


@app.command("down")
def down(
    context: typer.Context,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="End it also under a live run, without a question.")
    ] = False,
) -> None:
    """Stop the embedded server, and with it the runs that are live on it. The data stays."""
    from etltctl.local.client import stop_server

    session: Session = context.obj
    session.env = LOCAL
    settings = session.load_for_record()
    require_ending(session, settings, yes=yes)
    stopped = stop_server(settings)
    text = "No embedded server was running."
    if stopped is not None:
        text = (
            f"Stopped the embedded server {f'at {stopped.url}' if stopped.url else f'(pid {stopped.pid})'}."
        )
        if stopped.killed:
            text += " It did not end by itself: it and what it had started were killed."
    document = {
        "schema": "etltctl.local/1", "running": False, "killed": stopped is not None and stopped.killed,
    }  # fmt: skip
    session.console.result(document, text)


@app.command("status")
def status(context: typer.Context) -> None:
    """Show whether the server runs, its address, and when it stops."""
    from etltctl.local.client import ends_at, find_server
    from etltctl.local.services.glue.class_archive import describe_class_archive

    session: Session = context.obj
    session.env = LOCAL
    settings = session.load_for_record()
    server = find_server(settings)
    # Without the server: it is a file, and the first Spark job is slow until it is there.
    archive, line = describe_class_archive()
    if server is None:
        document = {
            "schema": "etltctl.local/1", "running": False, "state": settings.state, "class_archive": archive,
        }  # fmt: skip
        session.console.result(document, f"No embedded server runs; its data is in {settings.state}.\n{line}")
        return
    end = ends_at(server)
    document = {
        "schema": "etltctl.local/1", "running": True, "url": server.url, "pid": server.pid, "kept": server.kept,
        "ends_at": end, "state": settings.state, "class_archive": archive,
    }  # fmt: skip
    text = NextStep(
        f"The embedded server runs at {server.url} (pid {server.pid}); its data is in {settings.state}.\n",
        *_end_of(server.kept, end).parts,
        f"\n{line}",
    )
    session.console.result(document, text)


def _end_of(is_kept: bool, end: str | None) -> NextStep:
    """Return the sentence on when the server ends."""
    from etltctl.tabulating import local_time

    if is_kept:
        return NextStep("It stays up until ", command("local", "down"), ".")
    if end is None:
        return NextStep(
            "A command uses it; local.linger_minutes says how long it stays up after the last one."
        )
    return NextStep(
        f"It ends at {local_time(end)} unless a command uses it before; ",
        command("local", "down"),
        " ends it now.",
    )
