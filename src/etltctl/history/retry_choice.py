"""The run that a retry without a run id means, and why it is that one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from etltctl.errors import UsageError, command
from etltctl.history.lookup import HAS, Having, find_run, store_of
from etltctl.history.run_list import summary_of
from etltctl.ledger import Event, events_of_one
from etltctl.tabulating import local_time

if TYPE_CHECKING:
    from etltctl.settings import Settings

MOST_NAMED = 3  # of the newer runs


@dataclass(frozen=True)
class RetryChoice:
    """A run to retry.

    Attributes:
        events: Its events, oldest first.
        newer: The runs that were started after it and are not meant, each with the reason, in words.
        is_chosen: Whether no one named the run.
    """

    events: list[dict[str, Any]]
    newer: tuple[str, ...] = ()
    is_chosen: bool = False

    @property
    def sentence(self) -> str:
        """Which run is retried and why; empty if a person named it."""
        if not self.is_chosen:
            return ""
        first = self.events[0]
        which = f"Run {first['run_id']} of {first.get('pipeline', '')}, started at {local_time(first['ts'])}"
        if not self.newer:
            return f"{which}, is the one to retry."
        more = f"; and {len(self.newer) - MOST_NAMED} more" if len(self.newer) > MOST_NAMED else ""
        return (
            f"{which}, is the one to retry: the last of those that have steps and have not succeeded. Newer: "
            f"{'; '.join(self.newer[:MOST_NAMED])}{more}."
        )


def run_to_retry(settings: Settings, run_id: str) -> RetryChoice:
    """Return the run to retry.

    Args:
        settings: The settings, which say where the runs are kept.
        run_id: The run's id, or the end of it. If it is empty, the run that was started last is meant, of those that
            have steps and have not succeeded.

    Raises:
        UsageError: There is no such run, or more than one; or no id was given and every run has succeeded.
    """
    if run_id:
        return RetryChoice(find_run(settings, run_id))
    store = store_of(settings)
    latest: list[Event] = []
    read: list[list[Event]] = []
    for known in reversed(store.run_ids()):
        events = events_of_one(store, known)
        # Runs come by their last event, the newest first: the rest was written, and so started, even earlier.
        if latest and events and events[-1]["ts"] < latest[0]["ts"]:
            break
        is_later = bool(events) and (not latest or events[0]["ts"] > latest[0]["ts"])
        if is_later:
            read.append(events)
            latest = events if _can_be_retried(events) else latest
    if not latest:
        find_run(settings, "", Having.STEPS)  # raises if no run has steps, so that `run` is the next step
        raise UsageError(
            "no run needs a retry: every run has succeeded; nothing was started", hint=command("runs", "list")
        )
    newer = [events for events in read if events[0]["ts"] > latest[0]["ts"]]
    return RetryChoice([dict(event) for event in latest], tuple(_reasons(newer)), is_chosen=True)


def _can_be_retried(events: Sequence[Event]) -> bool:
    return any(map(HAS[Having.STEPS], events)) and summary_of(events).outcome != "succeeded"


def _reasons(newer: Sequence[Sequence[Event]]) -> Iterator[str]:
    """Yield why each newer run is not the one to retry."""
    for events in newer:
        summary = summary_of(events)
        if summary.outcome == "succeeded":
            yield f"{summary.run_id} succeeded"
        elif any(event["type"] == "run.started" for event in events):
            yield f"{summary.run_id} ({summary.pipeline}) has no steps to retry"
        else:
            yield f"the first event of {summary.run_id} is lost, so that its steps are not known"
