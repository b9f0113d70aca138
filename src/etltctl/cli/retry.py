"""Retry: the failed steps of a run again, on other workers if the caller says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from etltctl.cli.protection import Yes, require_consent
from etltctl.cli.run import MaxUsd, OnInterrupt
from etltctl.cli.run import show_run as show_result
from etltctl.cli.session import Interruption, Session
from etltctl.errors import NextStep, command
from etltctl.worker_sizes import FEWEST, WorkerType

if TYPE_CHECKING:
    from etltctl.settings import Settings

FailedRunName = Annotated[
    str,
    typer.Argument(
        help="the run, or the end of its id; by default the unsuccessful run that was started last"
    ),
]


def retry(
    context: typer.Context,
    run_id: FailedRunName = "",
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Start every step again, also those that succeeded.")
    ] = False,
    worker_type: Annotated[
        WorkerType | None,
        typer.Option(
            "--worker-type",
            help="Use this worker type for the first Glue job that this retry starts, and for that start only.",
            show_default=False,
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            metavar="N",
            min=FEWEST,
            help="Use this many workers for the same start.",
            show_default=False,
        ),
    ] = None,
    max_usd: MaxUsd = None,
    on_interrupt: OnInterrupt = Interruption.ASK,
    yes: Yes = False,
) -> None:
    """Run the failed steps of a run again. Live remote runs are adopted, and successful ones are reused."""
    from etltctl.history import run_to_retry
    from etltctl.pipeline import RunOptions, Step, already_done, resume

    session: Session = context.obj
    settings = session.load()
    choice = run_to_retry(settings, run_id)
    events = choice.events
    options = RunOptions(fresh=fresh, max_usd=max_usd, worker_type=worker_type or "", workers=workers)
    if done := already_done(events, options):
        show_result(session, settings, done)
        again = command("retry", done.run_id, "--fresh")
        session.console.say(NextStep("to start every step again: ", again))
        return
    name = str(events[0].get("pipeline", ""))
    if choice.sentence:
        session.console.say(choice.sentence)

    def check(settings: Settings) -> None:
        # The steps as they were: the pipeline may have others in the settings by now.
        named: list[str] = next((event["steps"] for event in events if event.get("steps")), [])
        walk = [Step.parse(step) for step in named]
        run = str(events[0]["run_id"])
        session.require_ready(settings, walk, run, fresh=fresh)
        require_consent(session, settings, f"retry run {run}", yes=yes, named=() if run_id else (run,))

    with session.following(name, options, on_interrupt, check) as (settings, options):
        result = resume(events, settings, options)
    show_result(session, settings, result)
