"""Earlier runs, read back from the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from etltctl.aws import Aws
from etltctl.errors import UsageError
from etltctl.ledger import Event, Store, open_store, read_events

if TYPE_CHECKING:
    from etltctl.settings import Settings


@dataclass(frozen=True)
class RunSummary:
    """A run in one line; `outcome` is `unfinished` if its last word is missing."""

    run_id: str
    pipeline: str
    started: str
    outcome: str
    seconds: float | None
    stopped_at: str


def summaries(settings: Settings, limit: int) -> list[RunSummary]:
    """The runs written to last, newest first."""
    store = _store(settings)
    found = [_summarised(store, run_id) for run_id in store.run_ids()[-limit:]]
    known = [summary for summary in found if summary is not None]
    return sorted(known, key=lambda summary: (summary.started, summary.run_id), reverse=True)[:limit]


def find_run(settings: Settings, run_id: str) -> list[dict[str, Any]]:
    """The events of the run whose id is or ends with `run_id`; of the newest run if it is empty.

    Raises UsageError if there is no such run, or more than one.
    """
    store = _store(settings)
    ids = store.run_ids()
    if not run_id:
        newest = summaries(settings, 1)
        found = [newest[0].run_id] if newest else []
    else:
        found = [run_id] if run_id in ids else [known for known in ids if known.endswith(run_id)]
    if len(found) != 1:
        what = (
            f"{len(found)} runs end with {run_id}"
            if found
            else f"no run is called {run_id or 'anything yet'}"
        )
        raise UsageError(what, hint="etltctl runs list names them")
    return [dict(event) for event in read_events(store, found[0])]


def costs(settings: Settings, by: str) -> list[tuple[str, int, float]]:
    """What runs cost: pipeline, step or day (`by`), the runs and queries billed, US dollars; dearest first."""
    store = _store(settings)
    sums: dict[str, tuple[int, float]] = {}
    for run_id in store.run_ids():
        events = read_events(store, run_id)
        for event in (event for event in events if event["type"] == "cost.actual"):
            key = {"pipeline": events[0].get("pipeline", ""), "step": event["step"], "day": event["ts"][:10]}[
                by
            ]
            number, usd = sums.get(key, (0, 0.0))
            sums[key] = (number + 1, usd + event["usd"])
    return sorted(((key, n, round(usd, 4)) for key, (n, usd) in sums.items()), key=lambda row: -row[2])


def _store(settings: Settings) -> Store:
    return open_store(settings.state, Aws.from_settings(settings))


def _summarised(store: Store, run_id: str) -> RunSummary | None:
    """The run in one line; None where it has no event yet. One that cannot be read hides no other."""
    try:
        events = read_events(store, run_id)
    except UsageError:
        return RunSummary(run_id, "", "", "written by a later etltctl", None, "")
    return _summary(events) if events else None


def _summary(events: Sequence[Event]) -> RunSummary:
    first = events[0]
    last = next((event for event in reversed(events) if event["type"] == "run.finished"), None)
    failed = [e for e in events if e["type"] == "step.finished" and e["outcome"] != "succeeded"]
    is_over = last is not None and last is events[-1]
    return RunSummary(
        run_id=first["run_id"],
        pipeline=first.get("pipeline", ""),
        started=first["ts"],
        outcome=last["outcome"] if last and is_over else "unfinished",
        seconds=last["seconds"] if last and is_over else None,
        stopped_at=failed[-1]["step"] if failed and not (last and last["outcome"] == "succeeded") else "",
    )
