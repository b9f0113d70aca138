"""The published JSON Schemas, compared with the code and the pages."""

from __future__ import annotations

import re
from pathlib import Path

import jsonschema
import pytest

from etltctl.settings.schema import settings_schema
from generate.schemas import EVENTS, error_schema, events_schema, results_schema

PROJECT = Path(__file__).parents[3]
# The schemas of errors and of notifications; a format of files in the lake.
ELSEWHERE = {"inputs", "error", "notification", "footers"}
PLANS = {"govern-plan", "connections-plan"}  # named by their command group


def test_every_result_has_a_published_schema() -> None:
    sources = "".join(file.read_text("utf-8") for file in (PROJECT / "src" / "etltctl").rglob("*.py"))
    named = set(re.findall(r'"etltctl\.([a-z-]+)/1"', sources))
    assert named | PLANS == set(results_schema()["$defs"]) | ELSEWHERE


def test_every_documented_event_has_a_schema() -> None:
    page = (PROJECT / "docs" / "events.md").read_text("utf-8")
    assert set(EVENTS) == set(re.findall(r"`(\w+\.\w+)`", page))


@pytest.mark.parametrize("schema", [settings_schema(), events_schema(), results_schema(), error_schema()])
def test_every_schema_is_a_schema(schema: dict[str, object]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"ts": "2026-01-31 12:00:00"}, "ts"),
        ({"ts": "2026-01-31T12:00:00+02:00"}, "ts"),
        ({"usd": None}, "usd"),
        ({"seq": 0}, "seq"),
    ],
)
def test_an_event_that_is_not_as_published_is_refused(change: dict[str, object], wrong: str) -> None:
    event = {"ts": "2026-01-31T12:00:00.000+00:00", "seq": 1, "run_id": "r", "step": "", "env": "local"}
    event |= {"type": "cost.actual", "usd": 0.5, "later": "a field of a later minor version"}
    validator = jsonschema.Draft202012Validator(events_schema())
    assert list(validator.iter_errors(event)) == []
    assert [error.json_path for error in validator.iter_errors(event | change)] == [f"$.{wrong}"]
