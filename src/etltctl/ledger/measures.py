"""How long a run took, and what it cost."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from etltctl.ledger.event_kinds import Event


def driven_seconds(events: Sequence[Event]) -> float:
    """Return how long a run took: from its first event to its last, without the pauses between its tries.

    Every command and the report show this time. The seconds of a try may count from the beginning of the run; the time
    that earlier tries cover is not added twice.

    Args:
        events: The events of the run, oldest first.
    """
    # The end of the try before: seconds that reach further back were counted there.
    total, until = timedelta(), datetime.min.replace(tzinfo=UTC)
    for event in (event for event in events if event["type"] == "run.finished"):
        at = datetime.fromisoformat(event["ts"])
        total += min(timedelta(seconds=event.get("seconds") or 0.0), at - until)
        until = at
    return round(total.total_seconds(), 2)


def spent_usd_of(events: Iterable[Event], step: str = "") -> float:
    """Return what the remote runs in these events have cost, in US dollars.

    It is for the caller to leave it out for an environment that bills nothing (`values.is_billed`).

    Args:
        events: The events of a run, or some of them.
        step: The step, `kind:name`; every step if it is empty.
    """
    return float(sum(e["usd"] for e in events if e["type"] == "cost.actual" and step in ("", e["step"])))
