"""Decides whether an end of a run is sent, and builds its message."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from etltctl.causes import UNKNOWN, catalogue, cause_and_proof, fix_of
from etltctl.errors import Command
from etltctl.ledger import driven_seconds, failed_event, spent_usd_of
from etltctl.next_steps import Part
from etltctl.observers.notifications.notification import FailureText, Notification
from etltctl.values import is_billed

if TYPE_CHECKING:
    from etltctl.ledger import Event
    from etltctl.settings import Settings

# How the ends of a run that are on record answer to the names in the settings.
FAILED = frozenset({"failed", "unverified"})
STARTS = frozenset({"remote.started", "query.started"})


def end_of_run(events: Sequence[Event], settings: Settings) -> Notification | None:
    """Return the message about the end that the newest event records.

    Args:
        events: All events of the run so far, oldest first.
        settings: The settings.

    Returns:
        The message; None if the newest event does not end the run, or ends it as the event before did.
    """
    last = events[-1]
    if last["type"] != "run.finished" or not _is_new(events):
        return None
    started = next((event for event in events if event["type"] == "run.started"), events[0])
    env, run_id = str(last.get("env") or settings.env), str(last["run_id"])
    return Notification(
        id=f"{run_id}-{last['seq']}",
        outcome="recovered" if _has_recovered(events) else str(last.get("outcome") or "failed"),
        pipeline=str(started.get("pipeline") or ""),
        run_id=run_id,
        env=env,
        project=settings.project,
        started=str(events[0]["ts"]),
        finished=str(last["ts"]),
        seconds=driven_seconds(events),
        usd=round(spent_usd_of(events), 4) if is_billed(env) else None,
        failure=_failure(events, env, settings.default_env),
    )


def names_of_end(notification: Notification) -> frozenset[str]:
    """Return the names under which the settings may ask for this end.

    Args:
        notification: The message.
    """
    if notification.outcome == "recovered":
        return frozenset({"recovered", "succeeded"})
    return frozenset({"failed" if notification.outcome in FAILED else notification.outcome})


def _is_new(events: Sequence[Event]) -> bool:
    """Return whether the newest event ends the run in another way than the end before it.

    A scheduler's tries of one task each record an end, and one that fails as the one before says nothing new. A person
    who starts the run again waits for a message, so that an end after a new `run.started` is new.
    """
    last, earlier = events[-1], events[:-1]
    ends = [number for number, event in enumerate(earlier) if event["type"] == "run.finished"]
    if not ends:
        return True
    since = events[ends[-1] + 1 :]
    if last.get("outcome") == "succeeded" == earlier[ends[-1]].get("outcome"):
        # The work of a run that had succeeded is reused; only a fresh start makes a new end of it.
        return any(event["type"] in STARTS for event in since)
    if any(event["type"] == "run.started" for event in since):
        return True
    return _kind_of_end(events) != _kind_of_end(events[: ends[-1] + 1])


def _kind_of_end(events: Sequence[Event]) -> tuple[object, ...]:
    """Return what two ends have in common if they are the same to a reader: outcome, step and cause."""
    failed = failed_event(events)
    where = (failed["step"], failed.get("cause")) if failed is not None else ()
    return (events[-1].get("outcome"), *where)


def _has_recovered(events: Sequence[Event]) -> bool:
    """Return whether the newest event is a success, and the run had failed since its last success."""
    outcomes = [event.get("outcome") for event in events if event["type"] == "run.finished"]
    if outcomes[-1] != "succeeded":
        return False
    # A person who interrupted the run or detached from it has not made it fail.
    judged = (outcome for outcome in reversed(outcomes[:-1]) if outcome in {"succeeded", *FAILED})
    return next(judged, None) in FAILED


def _failure(events: Sequence[Event], env: str, default_env: str) -> FailureText | None:
    event = failed_event(events)
    if event is None:
        return None
    code, step = str(event.get("cause") or ""), str(event["step"])
    if not code or "explanation" not in event:
        shown = {"cause": str(event.get("error") or "no cause is on record"), "proof": ""}
    else:
        shown = cause_and_proof(event)
    fix = fix_of(catalogue().get(code, UNKNOWN), step, str(event["run_id"]), then_retry=True)
    flags = () if env == default_env else ("--env", env)

    def spelled(part: Part) -> str:
        is_open = isinstance(part, Command) and not part.is_whole
        return str(Command((*flags, *part.words))) if is_open and isinstance(part, Command) else str(part)

    return FailureText(step, code, shown["cause"], shown["proof"], fix.render(spelled))
