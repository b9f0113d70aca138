"""Which event of a run says that it failed."""

from __future__ import annotations

from collections.abc import Sequence

from etltctl.ledger.events import Event

GOOD = frozenset({"succeeded", "detached"})


def failed_event(events: Sequence[Event]) -> Event | None:
    """Return the last event of the step that ended the run, or of the run itself if it failed outside a step.

    Args:
        events: The run's events, oldest first.

    Returns:
        The event; None if nothing failed.
    """
    ended = next((event for event in reversed(events) if event["type"] == "run.finished"), None)
    is_over = ended is not None and ended is events[-1]
    if ended is not None and is_over and ended.get("outcome") in GOOD:
        return None
    last: dict[str, Event] = {}
    for event in events:
        if event["type"] in {"step.finished", "step.planned"}:
            # A step that was planned again is not judged by its earlier end.
            last.pop(event["step"], None)
            last[event["step"]] = event
    failed = [e for e in last.values() if e["type"] == "step.finished" and e.get("outcome") not in GOOD]
    if failed:
        return failed[-1]
    return ended if is_over else None
