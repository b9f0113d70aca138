"""What the page says of versions and their rules is on record: the settings of today do not count."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from etltctl.ledger import Event
from etltctl.settings import Settings, load_settings
from support.reported import Elements, event, report_page

TABLE = "gold.weather_monthly"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(env="local", environ={"ETLTCTL_STATE_DIR": str(tmp_path)})


def published(step: str, *, run_id: str = "run", more: Sequence[Event] = (), **facts: Any) -> list[Event]:
    tables = {TABLE: {"change": "updated", "rows": 8, **facts}}
    return [
        event(1, "run.started", steps=[step], run_id=run_id),
        *more,
        event(3, "publish.switched", step, run_id=run_id, rows=8, tables=tables),
        event(4, "step.finished", step, run_id=run_id, outcome="succeeded", tables=tables),
    ]


def text(events: Sequence[Event], settings: Settings, version: str = "run") -> str:
    return Elements(report_page(events, settings, version=version)).text


def test_rules_that_were_not_evaluated_are_not_shown_as_kept(settings: Settings) -> None:
    assert settings.rules(TABLE).keys
    page = text(published("glue:a", rules=["min_rows"]), settings)
    assert f"{TABLE} passed 1 min_rows" in page
    assert "not unique" not in page
    assert "No check of this run is on record." in text(published("glue:a"), settings)


def test_a_version_of_a_query_was_published_and_audited(settings: Settings) -> None:
    page = text(published("sql:monthly", rules=["min_rows"], version="run"), settings)
    assert f"{TABLE} run this run's" in page
    assert f"{TABLE} passed 1 min_rows" in page


@pytest.mark.parametrize("step", ["athena:refresh", "tableau:weather"])
def test_a_refresh_and_an_extract_publish_no_version(settings: Settings, step: str) -> None:
    assert "This run published no version." in text(published(step), settings)


@pytest.mark.parametrize(
    ("on_record", "current", "whose"),
    [
        ("run", "run", "this run's"),
        ("run", "run-1", "of another run"),
        ("run", "run.2", "of another run"),
        ("", "run", "this run's"),
        ("", "run.g1.2", "this run's"),
        ("", "run-1", "of another run"),
        ("", "run.2x", "of another run"),
        ("", "", "not in the catalog"),
    ],
)
def test_a_version_is_the_run_s_by_its_whole_name(
    settings: Settings, on_record: str, current: str, whose: str
) -> None:
    events = published("glue:a", **({"version": on_record} if on_record else {}))
    assert f"{TABLE} {current} {whose}".replace("  ", " ") in text(events, settings, version=current)


def test_a_broken_rule_hides_no_other_whose_name_it_contains(settings: Settings) -> None:
    said = "rows in 4, but out, merged and rejected are 3"
    broken = [
        event(2, "check.result", "glue:a", table=TABLE, name=name, rule=rule, count=1, reaction="evolve")
        for name, rule in (("wind_speed < 0", "wind_speed < 0"), ("conserve_rows", said))
    ]
    rules = ["speed < 0", "wind_speed < 0", "conserve_rows"]
    assert f"{TABLE} passed 1 speed < 0" in text(published("glue:a", more=broken, rules=rules), settings)
