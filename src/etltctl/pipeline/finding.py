"""A start whose answer nobody read, in a process that was killed or interrupted: what it may have begun is found."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from etltctl.errors import EtltctlError
from etltctl.ledger import Event, Ledger
from etltctl.pipeline.model import Step, now
from etltctl.pipeline.remotes import SyncRemote, remote_of
from etltctl.pipeline.services import Services
from etltctl.pipeline.work import Found, Work, is_interrupt
from etltctl.runs import Run, State, Verb

LISTED_WITHIN_S = 60.0  # so late a listing may show a run
A_MOMENT_S = 3.0  # what whoever interrupts has patience for


def unanswered(ledger: Ledger, step: str) -> Event | None:
    """What is on record of a start that was about to be sent and of which nothing was heard, not even an error."""
    kinds = ("remote.intended", "remote.started", "remote.adopted", "remote.reused")
    intended, ended = ledger.last(step, *kinds), ledger.last(step, "step.finished")
    if intended is None or intended["type"] != "remote.intended":
        return None
    failed = ended is not None and ended["seq"] > intended["seq"] and ended["outcome"] == "failed"
    return None if failed else intended


def await_listing(work: Work) -> None:
    """Gives the run of an unanswered start the time to be listed, so that none is started beside it."""
    intended = unanswered(work.ledger, str(work.step))
    left = LISTED_WITHIN_S - (now() - datetime.fromisoformat(intended["ts"]).timestamp()) if intended else 0.0
    if left <= 0 or _find_begun(work.ledger, work.step, work.services, within=0.0):
        return
    text = f"an earlier try may have started it: looked for {left:.0f} s before it is started"
    work.ledger.note("warning.degraded", str(work.step), message=text)
    _find_begun(work.ledger, work.step, work.services, within=min(left, LISTED_WITHIN_S))


@contextmanager
def starting(work: Work) -> Iterator[None]:
    """An interrupt in the midst of a start stops what that has begun, or leaves it, as `on_interrupt` says."""
    try:
        yield
    except BaseException as interrupt:
        if not is_interrupt(interrupt):
            raise
        try:
            work.ledger.catch_up()  # a scheduler's `on_kill` may have found and stopped it a moment ago
            found = find_remote(work.ledger, work.step, work.services)
        except EtltctlError as error:
            _tell_open(work.ledger, work.step, error.message)
            raise interrupt from error
        if found is None or found.run.state is not State.RUNNING:
            raise
        remote = remote_of(work.step, work.services, found.run.id)
        with work.decided_if_interrupted(found.run, remote if found.is_ours else None):
            raise


def find_remote(ledger: Ledger, step: Step, services: Services) -> Found | None:
    """The step's newest remote run as it is now, whether its start was answered or not; None if none is known."""
    if unanswered(ledger, str(step)):
        return take_up(ledger, step, services)
    begun = ledger.last(str(step), "remote.started", "remote.adopted")
    if begun is None:
        return None
    run = remote_of(step, services, begun["remote_id"]).look()
    return Found(Verb.ADOPTED, run, begun.get("ours", True))


def take_up(ledger: Ledger, step: Step, services: Services) -> Found | None:
    """What an unanswered start has begun, from now on on record; None if it is not listed, which is on record too."""
    run = _find_begun(ledger, step, services, within=A_MOMENT_S)
    if run is None:
        _tell_open(ledger, step, "no run of it is listed")
        return None
    found = Found(Verb.ADOPTED, run)
    ledger.note(f"remote.{found.verb}", str(step), **found.facts)
    return found


def open_start(ledger: Ledger) -> str:
    """What is to be known of a start that may have gone out."""
    return f"a start may have gone out; etltctl retry {ledger.run_id} finds it"


def _tell_open(ledger: Ledger, step: Step, why: str) -> None:
    ledger.note("warning.degraded", str(step), message=f"{step}: {open_start(ledger)} ({why})")


def _find_begun(ledger: Ledger, step: Step, services: Services, *, within: float) -> Run | None:
    """The run that the unanswered start has begun, looked for so long."""
    intended = unanswered(ledger, str(step))
    if intended is None:
        return None
    if step.kind == "glue":
        known, since = ledger.remote_ids(str(step)), datetime.fromisoformat(intended["ts"])
        return services.glue.find_new(step.name, intended["run_key"], known, since=since, within=within)
    connection = SyncRemote(services, step.name, "").connection
    return services.airbyte.find_newer(connection, step.name, intended["newest_before"], within=within)
