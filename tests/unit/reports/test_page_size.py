"""The page stays below a megabyte, whatever is on record, and says what it leaves out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from etltctl.ledger import Event
from etltctl.reports.html import LONGEST
from etltctl.reports.page import MOST_BYTES
from etltctl.settings import Settings, load_settings
from support.reported import Elements, event, report_page

LONG = "é<" * 1_000_000
STEP = "glue:a"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(env="local", environ={"ETLTCTL_STATE_DIR": str(tmp_path)})


def many_tables(count: int, text: str) -> list[Event]:
    rules = [f"rule {n} {text}" for n in range(30)]
    audit = {"rows_in": 1, "flags": {f"{n} {text}": 1 for n in range(30)}}
    facts = {
        "change": text,
        "rows": 1,
        "audit": audit,
        "rules": rules,
        "warnings": [text] * 30,
        "version": text,
    }
    tables = {f"gold.t{n}_{text}": facts for n in range(count)}
    broken = [event(2, "check.result", STEP, table=text, rule=text, count=1) for _ in range(count)]
    return [*broken, event(3, "publish.switched", STEP, tables=tables)]


def many_steps(count: int, text: str) -> list[Event]:
    return [
        event(n, type_, f"glue:{n}{text}", outcome="failed", error=text, service=text, remote_id=text)
        for n in range(count)
        for type_ in ("step.planned", "remote.started", "step.finished")
    ]


@pytest.mark.parametrize(
    "events",
    [
        [event(2, "step.finished", STEP, outcome="failed", error=LONG)],
        [event(2, "warning.degraded", STEP, message=LONG) for _ in range(60)],
        [event(2, "check.result", STEP, table=LONG, name=LONG, rule=LONG, count=1)],
        many_tables(3_000, ""),
        many_tables(300, "<" * 300),
        many_steps(2_000, ""),
        many_steps(300, "<" * LONGEST),
        [event(2, "step.planned", STEP) for _ in range(10_000)],
    ],
    ids=["error", "warnings", "rule", "tables", "names", "steps", "texts", "tries"],
)
def test_nothing_on_record_makes_the_page_larger_than_a_megabyte(
    settings: Settings, events: Sequence[Event]
) -> None:
    page = report_page([event(1, "run.started", steps=[STEP]), *events], settings)
    assert len(page.encode()) <= MOST_BYTES
    text = Elements(page).text
    assert "Run run-1" in text
    assert "more characters" in text or "left out" in text


def test_an_error_of_two_megabytes_keeps_its_beginning(settings: Settings) -> None:
    failed = event(2, "step.finished", STEP, outcome="failed", error=f"no memory {LONG}")
    text = Elements(report_page([event(1, "run.started", steps=[STEP]), failed], settings)).text
    assert "no memory é<é<" in text
    assert "1,996,010 more characters" in text
