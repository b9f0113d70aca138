"""How long a run took, in its one definition."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any


def driven_seconds(events: Sequence[Mapping[str, Any]]) -> float:
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
