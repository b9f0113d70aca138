"""The spans of a run, as its events have them: a span of the run, of each try of a step, and of each remote run.

The ids are made of the run's id and of what the span stands for. So the tasks of a scheduler, which run in several
processes, make one trace, and no process needs to know what another has sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING

from etltctl.ledger import GOOD, REMOTE_KNOWN, spent_usd_of
from etltctl.values import is_billed

if TYPE_CHECKING:
    from etltctl.ledger import Event

Value = str | int | float | bool
Attributes = dict[str, Value]


@dataclass(frozen=True)
class SpanEvent:
    """Something that happened within a span, at a time in nanoseconds since 1970."""

    name: str
    at: int
    attributes: Attributes


@dataclass(frozen=True)
class SpanFacts:
    """One span, before it is one of OpenTelemetry.

    Attributes:
        name: Its name, with few different values.
        span_id: Its id.
        parent_id: The id of its parent; 0 for the span of a run.
        start: When it began, in nanoseconds since 1970.
        end: When it ended, in the same unit.
        attributes: What is known of it.
        error: Why it failed; empty if it did not.
        events: What happened within it.
        is_remote: Whether a service did the work.
    """

    name: str
    span_id: int
    parent_id: int
    start: int
    end: int
    attributes: Attributes
    error: str = ""
    events: Sequence[SpanEvent] = field(default_factory=tuple)
    is_remote: bool = False


@dataclass(frozen=True)
class _Part:
    """The part of a run that a span shows.

    Attributes:
        name: The name of the span.
        span_id: Its id.
        parent_id: The id of its parent; 0 for the span of a run.
        first: The event with which it begins.
        last: The event with which it ends.
        result: The event that says how it ended, and why if it failed.
    """

    name: str
    span_id: int
    parent_id: int
    first: Event
    last: Event
    result: Event


def trace_id_of(project: str, env: str, run_id: str) -> int:
    """Return the id of a run's trace, which is the same in every process.

    Args:
        project: The project of the settings.
        env: The environment.
        run_id: The run.
    """
    return _number(16, "trace", project, env, run_id)


def spans_of_end(events: Sequence[Event], seq: int) -> Iterator[SpanFacts]:
    """Yield the spans that are complete with one event: the end of a step, or of the run.

    Args:
        events: The events of the run, oldest first.
        seq: The number of the event.
    """
    place = next((number for number, event in enumerate(events) if event["seq"] == seq), None)
    if place is None:
        return
    so_far = events[: place + 1]
    if so_far[-1]["type"] == "run.finished":
        yield _span_of_run(so_far)
    elif so_far[-1]["type"] == "step.finished":
        yield from _spans_of_step(so_far)


def _span_of_run(events: Sequence[Event]) -> SpanFacts:
    """Return the span of the newest try of the run. A run that goes on after its end has one for each try."""
    last, tries = events[-1], _ends(events[:-1])
    since = events[tries[-1] + 1 :] if tries else events
    pipeline = next((str(e.get("pipeline") or "") for e in events if e["type"] == "run.started"), "")
    attributes = _kept(
        {
            "etltctl.run.id": last["run_id"],
            "etltctl.run.try": len(tries) + 1,
            "etltctl.pipeline": pipeline,
            "etltctl.outcome": last.get("outcome"),
            "etltctl.usd": _usd(since),
        }
    )
    failed = next((e for e in reversed(since) if _is_failure(e) and e.get("cause")), last)
    part = _Part(f"run {pipeline}".strip(), _run_span_id(events[:-1]), 0, since[0], last, failed)
    return _ended(part, attributes)


def _spans_of_step(events: Sequence[Event]) -> Iterator[SpanFacts]:
    last, step = events[-1], str(events[-1]["step"])
    planned = [number for number, e in enumerate(events) if e["type"] == "step.planned" and e["step"] == step]
    since = [e for e in events[planned[-1] if planned else -1 :] if e["step"] == step]
    span_id = _number(8, "step", last["run_id"], step, len(planned))
    attributes = _kept(
        {
            "etltctl.run.id": last["run_id"],
            "etltctl.step": step,
            "etltctl.step.try": len(planned),
            "etltctl.outcome": last.get("outcome"),
            "etltctl.verb": last.get("verb"),
            "etltctl.rows": last.get("rows"),
            "etltctl.scanned_bytes": last.get("scanned_bytes"),
            "etltctl.usd": _usd(since),
        }
    )
    kind = step.partition(":")[0]
    queries = tuple(_query(event, since) for event in since if event["type"].startswith("query."))
    part = _Part(f"step {kind}", span_id, _run_span_id(events[:-1]), since[0], last, last)
    yield _ended(part, attributes, queries)
    for event in since:
        if event["type"] in REMOTE_KNOWN and event.get("remote_id"):
            yield _span_of_remote_run(event, since, span_id)


def _span_of_remote_run(started: Event, events: Sequence[Event], parent_id: int) -> SpanFacts:
    """Return the span of a remote run, from when it was known until its last state on record."""
    last, remote_id = events[-1], str(started["remote_id"])
    of_it = [
        event for event in events if event.get("remote_id") == remote_id and event["seq"] >= started["seq"]
    ]
    states = [event for event in of_it if event.get("state")]
    service = str(started.get("service") or "")
    attributes = _kept(
        {
            "etltctl.run.id": last["run_id"],
            "etltctl.step": last["step"],
            "etltctl.remote.id": remote_id,
            "etltctl.remote.state": states[-1]["state"] if states else "",
            "etltctl.verb": started["type"].partition(".")[2],
            # The name under which OpenTelemetry's tools know the other side of a call.
            "peer.service": service,
            "etltctl.outcome": last.get("outcome"),
            "etltctl.rows": last.get("rows"),
            "etltctl.scanned_bytes": last.get("scanned_bytes"),
            "etltctl.usd": _usd(of_it),
        }
    )
    span_id = _number(8, "remote", parent_id, service, remote_id)
    # The step goes on after its remote run: it proves, audits and publishes.
    end = states[-1] if len(states) > 1 else last
    part = _Part(f"{service} run".strip(), span_id, parent_id, started, end, last)
    return replace(_ended(part, attributes), is_remote=True)


def _ended(part: _Part, attributes: Attributes, events: tuple[SpanEvent, ...] = ()) -> SpanFacts:
    """Return the span of a part of a run, with its error if it failed."""
    start, failed = _nanoseconds(part.first), part.result
    # The clocks of two machines may differ, and a span never ends before it begins.
    end, error = max(_nanoseconds(part.last), start), ""
    if _is_failure(failed):
        code = str(failed.get("cause") or "")
        error = str(failed.get("explanation") or failed.get("error") or failed.get("outcome"))
        attributes |= {"error.type": code or str(failed.get("outcome"))}
        exception = {"exception.type": code, "exception.message": str(failed.get("error") or error)}
        events = (*events, SpanEvent("exception", end, _kept(exception)))
    return SpanFacts(part.name, part.span_id, part.parent_id, start, end, attributes, error, events)


def _query(event: Event, events: Sequence[Event]) -> SpanEvent:
    """Return a query of Athena as something that happened in a step: only its end is on record."""
    billed = [
        e for e in events if e["type"] == "cost.actual" and e.get("remote_id") == event.get("remote_id")
    ]
    facts = {
        "etltctl.remote.id": event.get("remote_id"),
        "etltctl.remote.state": event.get("state"),
        "etltctl.scanned_bytes": event.get("scanned_bytes"),
        "etltctl.usd": _usd(billed),
    }
    return SpanEvent(event["type"], _nanoseconds(event), _kept(facts))


def _usd(events: Sequence[Event]) -> float | None:
    """Return the cost in these events, in US dollars; None without events, or if their environment bills nothing."""
    return round(spent_usd_of(events), 6) if events and is_billed(str(events[0].get("env"))) else None


def _run_span_id(events: Sequence[Event]) -> int:
    """Return the id of the span of the run's try to which the event after these belongs."""
    return _number(8, "run", events[0]["run_id"] if events else "", len(_ends(events)))


def _ends(events: Sequence[Event]) -> list[int]:
    return [number for number, event in enumerate(events) if event["type"] == "run.finished"]


def _is_failure(event: Event) -> bool:
    return event["type"] in {"step.finished", "run.finished"} and event.get("outcome") not in GOOD


def _nanoseconds(event: Event) -> int:
    # By whole microseconds: a number of seconds since 1970 has no room for them as a float.
    moment = datetime.fromisoformat(event["ts"])
    return int(moment.timestamp()) * 10**9 + moment.microsecond * 1_000


def _number(size: int, *parts: object) -> int:
    """Return an id of this many bytes for these parts. OpenTelemetry takes 0 for no id."""
    digest = sha256("\0".join(map(str, parts)).encode("utf-8", "replace")).digest()
    return int.from_bytes(digest[:size], "big") or 1


def _kept(facts: Mapping[str, object]) -> Attributes:
    """Return the facts that are known and that OpenTelemetry takes."""
    return {
        name: value for name, value in facts.items() if isinstance(value, str | int | float) and value != ""
    }
