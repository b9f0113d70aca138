"""What an event of a run means: a remote run is known, a version was published, a step failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Event = Mapping[str, Any]

GOOD = frozenset({"succeeded", "detached"})  # outcomes of a step or run that did not fail
# From each of these events on, the remote run of a step is known by its id.
REMOTE_KNOWN = frozenset({"remote.started", "remote.adopted", "remote.reused"})
PUBLISHERS = frozenset({"glue", "sql"})  # the kinds of steps that publish versions; a refresh publishes none


def is_publish(event: Event) -> bool:
    """Return whether the event is the publish of versions of tables, or a rollback to one.

    Args:
        event: An event of a run.
    """
    if event["type"] != "publish.switched" or "tables" not in event:
        return False
    # A rollback belongs to no step. It names the version that it made current again.
    return event["step"].partition(":")[0] in PUBLISHERS or bool(event.get("version"))


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
