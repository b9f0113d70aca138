"""What the spans of a run say of its cost."""

from __future__ import annotations

from typing import Any

import pytest

from etltctl.ledger import Event
from etltctl.observers.span_facts import spans_of_end

STEP = "sql:daily"
WRITTEN: list[tuple[str, str, dict[str, Any]]] = [
    ("run.started", "", {"pipeline": "wind"}),
    ("step.planned", STEP, {}),
    ("remote.started", STEP, {"remote_id": "q", "service": "Athena", "state": "QUEUED"}),
    ("query.finished", STEP, {"remote_id": "q", "state": "SUCCEEDED"}),
    ("cost.actual", STEP, {"remote_id": "q", "usd": 0.25}),
    ("step.finished", STEP, {"outcome": "succeeded"}),
    ("run.finished", "", {"outcome": "succeeded"}),
]


@pytest.mark.parametrize(("env", "usd"), [("aws", {0.25}), ("local", {None})])
def test_every_span_has_the_cost_and_none_has_it_where_nothing_is_billed(
    env: str, usd: set[float | None]
) -> None:
    events: list[Event] = [
        {"ts": f"2026-01-31T12:00:0{seq}+00:00", "seq": seq, "run_id": "r", "env": env}
        | {"type": type_, "step": step, **facts}
        for seq, (type_, step, facts) in enumerate(WRITTEN, start=1)
    ]
    spans = [*spans_of_end(events, 6), *spans_of_end(events, 7)]
    queries = [event for span in spans for event in span.events]
    assert [span.name for span in spans] == ["step sql", "Athena run", "run wind"]
    assert len(queries) == 1
    assert {each.attributes.get("etltctl.usd") for each in [*spans, *queries]} == usd
