"""The facts of an event that readers use, and the type that each must have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import MAXYEAR, MINYEAR, datetime
from typing import Any

EVERY = frozenset({"ts", "seq", "run_id", "step", "type"})  # every event has them
# Further facts that every event of a type has, so that readers need not check for them.
OF_TYPE: Mapping[str, tuple[str, ...]] = {
    "cost.actual": ("usd",),
    "remote.started": ("remote_id",),
    "remote.adopted": ("remote_id",),
    "remote.reused": ("remote_id",),
}

LARGEST = 10**18  # no count, no amount and no time of a run comes near it


def wrong_fact(event: Mapping[str, Any]) -> str:
    """Return the fact of an event that readers cannot use, with its value; empty for a good event.

    Args:
        event: The event. It has every fact of `EVERY`.
    """
    # One plain loop: `why` reads thousands of events, and this is most of what it does with them.
    for name, value in event.items():
        is_valid = TYPES.get(name)
        if is_valid is not None and not is_valid(value) and not _are_examples(name, event):
            return f"{name} {value!r:.100}"
    # The type is a text here: it was checked above.
    if event["type"] == "check.result" and not _are_examples("rows", {"rows": [], **event}):
        return f"rows {event['rows']!r:.100}"
    return next((f"{name} None" for name in OF_TYPE.get(event["type"], ()) if name not in event), "")


def _are_examples(name: str, event: Mapping[str, Any]) -> bool:
    """Return whether a fact is the rows that break a rule; in every other event `rows` is a count."""
    return name == "rows" and event["type"] == "check.result" and isinstance(event[name], list)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_text_or_none(value: object) -> bool:
    return value is None or isinstance(value, str)


def _is_number(value: object) -> bool:
    # NaN is not between the two; an integer of 400 digits would overflow where it becomes a float.
    return isinstance(value, int | float) and not isinstance(value, bool) and -LARGEST < value < LARGEST


def _is_number_or_none(value: object) -> bool:
    return value is None or _is_number(value)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and _is_number(value)


def _is_count_or_none(value: object) -> bool:
    return value is None or _is_count(value)


def _is_table(value: object) -> bool:
    return isinstance(value, dict)


def _is_table_of_tables(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(each, dict) for each in value.values())


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _is_id(value: object) -> bool:
    """Return whether a value may be the id of a remote run: Airbyte numbers its jobs."""
    return isinstance(value, str) or _is_count(value)


def _is_time(value: object) -> bool:
    """Return whether a value is a time with its zone that every zone of the world can show."""
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return False
    # In the first and the last year of the calendar, a change of the zone overflows.
    return at is not None and at.tzinfo is not None and MINYEAR < at.year < MAXYEAR


# One table for every reader: what it lists needs no check where it is read. A fact that it does not list is shown, or
# read by one place that takes any value, such as the evidence of a cause.
TYPES: Mapping[str, Callable[[object], bool]] = {
    "ts": _is_time,
    "seq": _is_count,
    "remote_id": _is_id,
    "steps": _are_texts,
    "command": _are_texts,
    "options": _is_table,
    "tables": _is_table_of_tables,
    "usd": _is_number,
    "seconds": _is_number_or_none,
    "dpu_seconds": _is_number_or_none,
    "scanned_bytes": _is_number_or_none,
    "rows": _is_count_or_none,
    "count": _is_count_or_none,
    "landed": _is_count_or_none,
    "reported": _is_count_or_none,
    **dict.fromkeys(("run_id", "step", "type", "env", "pipeline", "outcome", "verb", "state"), _is_text),
    **dict.fromkeys(
        ("run_key", "fresh_for", "sql_digest", "service", "layer", "table", "name"), _is_text_or_none
    ),
    **dict.fromkeys(("error", "cause", "confidence", "explanation", "stopped"), _is_text_or_none),
    **dict.fromkeys(("stopped_by", "detached_by", "who", "reason", "message", "version"), _is_text_or_none),
}
