"""The page of a failed run begins with what `etltctl why` says: cause, proof, state of the data, next command."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from etltctl.explanation import explain, text_of
from etltctl.ledger import Event
from etltctl.reports import make_report
from etltctl.reports.facts import facts_of
from etltctl.reports.page import page
from etltctl.settings import Settings, load_settings
from support.reported import HOSTILE, Elements, event, report_page, succeeded

VERSION = {"type": "version", "schema": "etltctl.events/1.0"}
JOB = "glue:silver_to_gold"
EVIDENCE = [
    {"source": "executor-4", "at": "2026-01-01T00:00:19+00:00", "text": "java.lang.OutOfMemoryError"},
    {"source": "driver", "at": "no time", "text": HOSTILE},
]
FAILED = [
    *succeeded()[:9],
    event(
        21, "step.finished", JOB, outcome="failed", seconds=9.0, error="jr_1 ended FAILED",
        cause="G117", confidence="high", explanation="An executor ran out of memory.", evidence=EVIDENCE,
    ),
    event(22, "run.finished", outcome="failed", seconds=21.0),
]  # fmt: skip


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(env="local", environ={"ETLTCTL_STATE_DIR": str(tmp_path)})


def written(events: list[Event], settings: Settings) -> str:
    """Return the page about a run of these events, as the command writes it without plots."""
    file = Path(settings.state) / "runs" / f"{events[0]['run_id']}.ndjson"
    file.parent.mkdir(parents=True, exist_ok=True)
    # Without gaps in the numbers, which mean lost events.
    numbered = [{**one, "seq": number} for number, one in enumerate(events, 1)]
    file.write_text("".join(json.dumps(line) + "\n" for line in [VERSION, *numbered]))
    report = make_report(
        str(events[0]["run_id"]), settings, lambda: pytest.fail("no service"), is_plotted=False
    )
    return report.path.read_text("utf-8")


def test_the_first_words_after_the_facts_are_cause_proof_and_next_command(settings: Settings) -> None:
    page = written(FAILED, settings)
    headings = re.findall(r"<h2[^>]*>([^<]*)</h2>", page)
    assert headings[0] == f"Why it failed at {JOB}"
    text = Elements(page).text
    for sentence in (
        "G117 Executor out of memory confidence: high",
        "An executor ran out of memory.",
        "executor-4 2026-01-01",
        "java.lang.OutOfMemoryError",
        f"driver no time {HOSTILE}",
        "Your data is safe: nothing of this run was published, and nothing was half published.",
        "etltctl retry run-1 # after the fix",
        "etltctl runs logs run-1 silver_to_gold --errors",
    ):
        assert sentence in text, sentence


def test_the_sentences_of_why_are_on_the_page(settings: Settings) -> None:
    text = Elements(written(FAILED, settings)).text
    for sentence in (
        "Ended by etltctl, before or after the work of Glue.",
        "No publish of a table of this run is on record here.",
        "A plain retry would very likely fail the same way.",
        "No earlier run of mongodb is on record to compare with.",
        "Settings to check in etltctl.toml: glue.jobs.silver_to_gold.worker_type, glue.jobs.silver_to_gold.workers",
    ):
        assert sentence in text, sentence


def test_the_page_of_a_failed_rollback_names_its_command_as_why_does(settings: Settings) -> None:
    words = ["rollback", "gold.day"]
    started = event(1, "run.started", pipeline="rollback", steps=[], command=words)
    ended = event(2, "run.finished", outcome="failed", seconds=1.0, error="no version v1", cause="C105")
    text = Elements(written([started, ended], settings)).text
    assert "Why it failed (rollback gold.day)" in text
    assert "before its first step" not in text
    assert "FAILED (rollback gold.day)  (" in text_of(explain(settings, "run-1"))


def test_a_page_says_who_stopped_the_run(settings: Settings) -> None:
    cut = {"outcome": "interrupted", "error": "SIGTERM"}
    text = Elements(written([*FAILED[:-2], event(21, "step.finished", JOB, **cut)], settings)).text
    assert "Stopped by an interrupt of the command (SIGTERM)." in text


def test_what_the_code_means_is_on_the_page_with_the_command_that_prints_it(settings: Settings) -> None:
    page = written(FAILED, settings)
    assert "then <code>etltctl infra deploy</code>" in page
    assert "<details><summary>What G117 means: <code>etltctl why --code G117</code></summary>" in page
    assert "Retry     a plain retry would very likely fail the same way" in page


def test_a_failure_of_an_older_version_has_its_error_and_a_note(settings: Settings) -> None:
    events = [*succeeded()[:10], event(22, "run.finished", outcome="failed", seconds=21.0)]
    text = Elements(written(events, settings)).text
    assert "The error of glue:silver_to_gold (failed) jr_1 ended FAILED: no memory" in text
    assert "Note: an older etltctl wrote this record" in text


def test_a_run_that_failed_before_its_first_event_of_a_step_says_why(settings: Settings) -> None:
    ended = event(2, "run.finished", outcome="failed", seconds=0.1, error="no script boom.py", cause="S101")
    text = Elements(written([event(1, "run.started", pipeline="p", steps=["glue:a"]), ended], settings)).text
    assert "Why it failed before its first step" in text
    assert "The error of the run, outside its steps no script boom.py" in text


def test_a_run_that_lost_its_first_events_says_so(settings: Settings) -> None:
    text = Elements(written(FAILED[4:], settings)).text
    assert "Note: the first event of the run is lost, so that its pipeline is not known." in text


def test_a_run_that_succeeded_begins_with_no_trouble_but_its_warnings(settings: Settings) -> None:
    assert "What needs attention" not in written(succeeded(), settings)
    warned = event(34, "warning.degraded", message=HOSTILE)
    text = Elements(report_page([*succeeded()[:-1], warned, succeeded()[-1]], settings)).text
    assert "What needs attention" in text
    assert f"Warnings {HOSTILE}" in text


def test_a_rollback_s_page_says_which_version_it_made_current(settings: Settings) -> None:
    tables = {"gold.weather_monthly": {"change": "updated", "rows": 8}}
    events = [
        event(1, "run.started", pipeline="rollback", steps=[]),
        event(2, "publish.switched", tables=tables, rows=8, version="run-0"),
        event(3, "run.finished", outcome="succeeded", seconds=2.0),
    ]
    text = Elements(report_page(events, settings, version="run-0")).text
    assert "A rollback has no steps." in text
    assert "gold.weather_monthly rolled back 8 run-0" in text
    assert "gold.weather_monthly run-0 to which this run rolled back" in text
    without_catalog = page(facts_of(events), [], settings, {}, "it was not reached", is_plotted=False)
    said = "This run rolled gold.weather_monthly back to version run-0."
    assert said in Elements(without_catalog).text
    assert "published" not in Elements(without_catalog).text


def test_a_refresh_that_changed_nothing_says_so(settings: Settings) -> None:
    events = [
        event(1, "run.started", pipeline="refresh", steps=[]),
        event(2, "run.finished", outcome="succeeded", seconds=2.0),
    ]
    assert "A refresh has no steps. It changed no table." in Elements(report_page(events, settings)).text
