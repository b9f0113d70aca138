"""What a run did, read from its events: steps, remote runs, tables, checks and costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from etltctl.explanation import BrokenRule, broken_rule
from etltctl.history import RunSummary, summary_of
from etltctl.ledger import Event, is_publish, lost_events
from etltctl.reports.cost import StepCost, step_costs
from etltctl.reports.spans import Span, remote_runs_of, tries_of
from etltctl.values import is_billed, layer_of

LAYERS = ("bronze", "silver", "silver_rejects", "gold")


@dataclass(frozen=True)
class StepFacts:
    """One step of the run as it ended last; `outcome` is `not started` if no try of it is on record."""

    step: str
    outcome: str
    verb: str
    seconds: float | None
    rows: int | None
    error: str
    tries: Sequence[Span]
    remote_runs: Sequence[Span]


@dataclass(frozen=True)
class TableFacts:
    """One table that the run brought up to date: what became of it, and what its job counted.

    Attributes:
        version: The version that the run published; empty if it published none, or if it is not on record.
        is_published: Whether the run made a version of it current.
        is_rolled_back: Whether that was a rollback, to a version of an earlier run.
        rules: The names of the rules that the audit of the version evaluated.
        flags: How many rows each quality rule flagged.
    """

    table: str
    change: str
    rows: int | None
    counts: Mapping[str, int]
    flags: Mapping[str, int]
    warnings: Sequence[str]
    step: str
    version: str = ""
    is_published: bool = False
    is_rolled_back: bool = False
    rules: Sequence[str] = ()

    @property
    def layer(self) -> str:
        """The layer, such as `gold`."""
        return layer_of(self.table)


@dataclass(frozen=True)
class RunFacts:
    """Everything that the events of a run say of it.

    Attributes:
        is_billed: Whether the services of its environment bill anything.
        error: The error that ended the run outside its steps; empty if none did.
        is_rebuilt: Whether its events were lost and made again from what the services remember.
    """

    summary: RunSummary
    env: str
    began: datetime
    ended: datetime
    tries: int
    steps: Sequence[StepFacts]
    tables: Sequence[TableFacts]
    broken: Sequence[BrokenRule]
    warnings: Sequence[str]
    proofs: Mapping[str, Event]
    options: Mapping[str, Any] = field(default_factory=dict)
    gaps: int = 0
    is_billed: bool = True
    costs: Sequence[StepCost] = ()
    error: str = ""
    is_rebuilt: bool = False


def facts_of(events: Sequence[Event]) -> RunFacts:
    """Return what the events of a run say of it.

    Args:
        events: The events, oldest first; at least one. Any fact beyond those that every event has may be missing.
    """
    times = [datetime.fromisoformat(event["ts"]) for event in events]
    starts = [event for event in events if event["type"] == "run.started"]
    options = (e["options"] for e in reversed(events) if isinstance(e.get("options"), dict))
    return RunFacts(
        summary=summary_of(events),
        env=str(events[0].get("env", "")),
        is_billed=is_billed(str(events[0].get("env", ""))),
        began=min(times),
        ended=max(times),
        tries=max(len(starts), 1),
        steps=[_step(name, events) for name in _step_names(events)],
        tables=list(_tables(events).values()),
        broken=[broken_rule(event) for event in events if event["type"] == "check.result"],
        warnings=[str(e.get("message", "")) for e in events if e["type"] == "warning.degraded"],
        proofs={event["step"]: event for event in events if event["type"] == "verify.result"},
        options=next(options, {}),
        gaps=lost_events(events),
        costs=step_costs(events),
        is_rebuilt=any(start.get("rebuilt") for start in starts),
        error=str(events[-1].get("error") or "") if events[-1]["type"] == "run.finished" else "",
    )


def _step_names(events: Sequence[Event]) -> list[str]:
    """Return the steps: those that the run was started with, in their order, then any other on record."""
    names: dict[str, None] = {}
    for event in events:
        planned = event.get("steps") if event["type"] == "run.started" else None
        names |= dict.fromkeys(str(step) for step in planned or () if step)
    names |= dict.fromkeys(event["step"] for event in events if event["step"])
    return list(names)


def _step(name: str, events: Sequence[Event]) -> StepFacts:
    own = [event for event in events if event["step"] == name]
    finished = next((event for event in reversed(own) if event["type"] == "step.finished"), {})
    tries = list(tries_of(name, own))
    newest = tries[-1].outcome if tries else ""
    return StepFacts(
        step=name,
        outcome=newest or str(finished.get("outcome") or "not started"),
        verb=str(finished.get("verb") or ""),
        seconds=finished.get("seconds"),
        rows=_whole(finished.get("rows")),
        error=str(finished.get("error") or ""),
        tries=tries,
        remote_runs=list(remote_runs_of(name, own)),
    )


def _tables(events: Sequence[Event]) -> dict[str, TableFacts]:
    """Return the tables that the run brought up to date, in the order of the layers.

    A later refresh that found a table unchanged does not hide what the publishing step said of it.
    """
    tables: dict[str, TableFacts] = {}
    published: dict[str, Mapping[str, Any]] = {}
    for event in events:
        named = event.get("tables")
        if event["type"] not in ("publish.switched", "step.finished") or not isinstance(named, Mapping):
            continue
        for table, facts in named.items():
            if not isinstance(facts, Mapping):
                continue
            if is_publish(event):
                # A rollback names the version that it made current next to the tables; a publish names it with each.
                # It belongs to no step.
                is_rollback = not event["step"]
                published[table] = {"version": event.get("version"), **facts, "is_rolled_back": is_rollback}
            if facts.get("change") != "unchanged" or table not in tables:
                tables[table] = _table(str(table), facts, event["step"], published.get(table))
    return dict(sorted(tables.items(), key=lambda item: _place_of(item[1].layer)))


def _place_of(layer: str) -> int:
    return LAYERS.index(layer) if layer in LAYERS else len(LAYERS)


def _table(name: str, facts: Mapping[str, Any], step: str, published: Mapping[str, Any] | None) -> TableFacts:
    audit = _mapping(facts.get("audit"))
    counts = {
        key: n
        for key in ("rows_in", "rows_out", "merged", "rejected")
        if (n := _whole(audit.get(key))) is not None
    }
    flags = {str(rule): n for rule, count in _mapping(audit.get("flags")).items() if (n := _whole(count))}
    publish = published or {}
    return TableFacts(
        table=name,
        change=str(facts.get("change") or ""),
        rows=_whole(facts.get("rows")),
        counts=counts,
        flags=dict(sorted(flags.items(), key=lambda item: -item[1])),
        warnings=_texts(facts.get("warnings")),
        step=step,
        version=str(publish.get("version") or ""),
        is_published=published is not None,
        is_rolled_back=bool(publish.get("is_rolled_back")),
        rules=_texts(publish.get("rules")),
    )


def _mapping(value: object) -> Mapping[str, Any]:
    """Return the value if it is a mapping; an older or damaged event may have anything there."""
    return value if isinstance(value, Mapping) else {}


def _texts(value: object) -> list[str]:
    return [str(text) for text in value] if isinstance(value, list) else []


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
