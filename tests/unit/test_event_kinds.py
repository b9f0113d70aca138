"""What an event of a run means, for every reader alike."""

from __future__ import annotations

from typing import Any

import pytest

from etltctl.ledger import is_publish
from etltctl.reports.facts import facts_of

TABLES = {"gold.t": {"change": "updated", "rows": 1}}


@pytest.mark.parametrize(
    ("step", "facts", "is_one"),
    [
        ("glue:job", {"tables": TABLES}, True),
        ("sql:daily", {"tables": TABLES}, True),
        ("", {"tables": TABLES, "version": "r0"}, True),
        ("", {"tables": TABLES, "version": None}, False),
        ("athena:refresh", {"tables": TABLES}, False),
        ("tableau:site", {"tables": TABLES}, False),
        ("glue:job", {}, False),
    ],
)
def test_a_version_is_published_by_a_job_a_query_or_a_rollback(
    step: str, facts: dict[str, Any], is_one: bool
) -> None:
    event = {"ts": "2026-01-01T00:00:00+00:00", "seq": 1, "run_id": "r", "env": "local", "step": step}
    event |= {"type": "publish.switched", **facts}
    assert is_publish(event) is is_one
    assert any(table.is_published for table in facts_of([event]).tables) is is_one
