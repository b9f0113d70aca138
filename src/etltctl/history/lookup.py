"""Earlier runs, read back from the ledger."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from difflib import get_close_matches
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from etltctl.aws import Aws
from etltctl.errors import NextStep, Parameter, UsageError, command
from etltctl.history.run_list import RunFilter, RunList, RunSummary, list_runs
from etltctl.ledger import Event, Store, events_of_one, open_store, read_events
from etltctl.runs import Outcome

if TYPE_CHECKING:
    from etltctl.settings import Settings


MOST_LIVE = 20  # a message that names more is read by no one
MADE_ID = re.compile(r"\d{8}-\d{4}-.+-\w{4}$")  # an id that etltctl made, not the caller


class Having(StrEnum):
    """What a run must have to be the newest when no run is named: a rollback has no steps, nor has a refresh."""

    EVENTS = "events"
    STEPS = "steps"
    REMOTE_RUNS = "remote runs"
    STORY = "steps, a changed table or an error"


HAS: dict[Having, Callable[[Event], object]] = {
    Having.EVENTS: lambda event: event,
    Having.STEPS: lambda event: event["type"] == "run.started" and event.get("steps"),
    Having.STORY: lambda event: (
        HAS[Having.STEPS](event) or event["type"] == "publish.switched" or event.get("error")
    ),
    Having.REMOTE_RUNS: lambda event: event["type"].startswith("remote.") and event.get("remote_id"),
}


def events_so_far(settings: Settings, run_id: str) -> list[Event]:
    """Return the events of a run, oldest first; none of a run that does not exist."""
    return read_events(store_of(settings), run_id)


def summaries(
    settings: Settings, limit: int, run_filter: RunFilter | None = None, *, now: datetime | None = None
) -> RunList:
    """Return the runs written to last, newest first.

    Args:
        settings: The settings, which say where the runs are kept.
        limit: How many runs at most.
        run_filter: Which runs; all if None.
        now: The present time, for tests.

    Raises:
        UsageError: A time of `run_filter` is not valid.
    """
    return list_runs(store_of(settings), limit, run_filter or RunFilter(), now or datetime.now(UTC))


def live_runs(settings: Settings, since: float) -> list[RunSummary]:
    """Return the runs that a process drives, and those of whose remote runs one may go on.

    Args:
        settings: The settings, which say where the runs are kept.
        since: When the services of the runs began, in seconds since the epoch: no remote run outlives them.
    """
    every = summaries(settings, MOST_LIVE, RunFilter((Outcome.RUNNING, Outcome.UNATTENDED)))
    return [
        run
        for run in every
        if run.outcome == Outcome.RUNNING or datetime.fromisoformat(run.started).timestamp() >= since - 1
    ]


def live_text(runs: Sequence[RunSummary]) -> str:
    """Return which runs are live, as the beginning of a sentence: "run R of P is live".

    Args:
        runs: The live runs, at least one.
    """
    each = "; ".join(f"run {run.run_id} of {run.pipeline}" for run in runs)
    return f"{each} {'is' if len(runs) == 1 else 'are'} live"


def find_run(settings: Settings, run_id: str, having: Having = Having.EVENTS) -> list[dict[str, Any]]:
    """Return the events of a run.

    Args:
        settings: The settings, which say where the runs are kept.
        run_id: The run's id, or the end of it. If it is empty, the newest run is meant.
        having: What the newest run must have to be meant.

    Raises:
        UsageError: There is no such run, or more than one.
    """
    store = store_of(settings)
    ids = store.run_ids()
    if not run_id:
        return _newest(store, ids, having, settings)
    matching = _matching(run_id, ids)
    if len(matching) != 1:
        what = f"{len(matching)} runs end with {run_id}" if matching else f"no run is called {run_id}"
        near = _nearest(run_id, ids)
        guess = f"did you mean {' or '.join(near)}? " if near and not matching else ""
        error = UsageError(what, hint=NextStep(guess, command("runs", "list")))
        if len(near) == 1 and not matching:
            error.next_step = NextStep(f"did you mean {near[0]}?")
            error.correction = (run_id, near[0])
        raise error
    events = [dict(event) for event in read_events(store, matching[0])]
    # A process that died before its first event leaves an empty file.
    if not events:
        raise UsageError(
            f"nothing is on record of run {matching[0]}: its file of events is empty or damaged",
            hint=NextStep(command("runs", "rebuild", matching[0]), "  # from what the services know"),
        )
    return events


def run_to_resume(settings: Settings, run_id: str, *, is_new: bool = False) -> str:
    """Return the whole id of the run to resume, or of the one to begin.

    Args:
        settings: The settings, which say where the runs are kept.
        run_id: The run's id, or the end of it.
        is_new: Whether to begin a new run of this id.

    Raises:
        UsageError: No run has this id, or more than one; or the id of a new run is taken. A run that begins by
            mistake would pay for its work again.
    """
    ids = store_of(settings).run_ids()
    if is_new:
        if taken := [known for known in ids if known == run_id or _is_short_for(run_id, known)]:
            short = (
                "" if taken[-1] == run_id else f": {run_id} is short for it, and no new run may have that id"
            )
            raise UsageError(f"a run is called {taken[-1]} already{short}", hint=command("retry", taken[-1]))
        return run_id
    matching = _matching(run_id, ids)
    if len(matching) == 1:
        return matching[0]
    if matching:
        raise UsageError(
            f"{len(matching)} runs end with {run_id}", hint=f"name one: {', '.join(matching[-5:])}"
        )
    near = _nearest(run_id, ids)
    guess = (
        (f"did you mean {' or '.join(near)}? ",) if near else (command("runs", "list"), " names the runs. ")
    )
    raise UsageError(
        f"no run is called {run_id}, so nothing was started",
        hint=NextStep(*guess, Parameter("new"), " begins a run of that name"),
    )


def _matching(run_id: str, ids: Sequence[str]) -> list[str]:
    """Return the run of this id, or every run whose id ends with it."""
    return [run_id] if run_id in ids else [known for known in ids if known.endswith(run_id)]


def _is_short_for(end: str, run_id: str) -> bool:
    """Return whether `end` is what commands show for a run whose id etltctl made: whole parts of it, to its end."""
    # Only ids that etltctl made are shown shortened; the end of another id is just a text.
    return run_id.endswith(f"-{end}") and MADE_ID.match(run_id) is not None


def _nearest(run_id: str, ids: Sequence[str]) -> list[str]:
    """Return at most three runs whose id, or its end, may be the mistyped one. The likeliest is first."""
    named: dict[str, str] = {}
    for known in ids:
        # People type the end of an id, so a misspelt end is compared with ends.
        named |= dict.fromkeys((known, known[-len(run_id) :], known.rpartition("-")[2]), known)
    near = get_close_matches(run_id, named, n=5, cutoff=0.7)
    return list(dict.fromkeys(named[name] for name in near))[:3]


def _newest(store: Store, ids: Sequence[str], having: Having, settings: Settings) -> list[dict[str, Any]]:
    for run_id in reversed(ids):
        events = events_of_one(store, run_id)
        if any(map(HAS[having], events)):
            return [dict(event) for event in events]
    what = f"no run has {having} yet" if ids else "there is no run yet"
    raise UsageError(what, hint=command("run", next(iter(settings.pipelines), "PIPELINE")))


def store_of(settings: Settings) -> Store:
    """Return where the events of the runs are kept."""
    return open_store(settings.state, Aws.from_settings(settings))
