"""Scripts that were to read what is new and read everything: the report, the line and the ledger say why."""

from __future__ import annotations

from typing import Any

from etltctl.ledger import Event, read_events
from etltctl.pipeline.glue_step import GlueStep
from support.letters import SORT, Letters

SORT_STEP = "glue:sort_letters"
READS_ALL = SORT.replace('bool(changes["base"])', "False").replace('["reports"]', "['new']")


def script_reporting(everything: Any) -> str:
    """Return a script that reads everything and reports a reason for its second table."""
    return READS_ALL.replace(
        "report(name, rows_out=", f"report(name, everything={everything!r}, rows_out=", 1
    )


def events_of(letters: Letters, run_id: str, type_: str) -> list[Event]:
    return [event for event in read_events(letters.services.store, run_id) if event["type"] == type_]


def test_the_reason_of_a_script_stands_on_the_line_and_in_the_ledger(letters: Letters) -> None:
    letters.replace_script("sort_letters", script_reporting("the letters have\n another form"))
    (first,) = letters.run("first", only=SORT_STEP)
    # Decided before the start: the reason of etltctl comes first.
    assert first.facts["inputs"] == {"everything": "silver.letters has no published version yet", "files": 1}
    letters.put("two", {"bob": ["b2"]})
    (second,) = letters.run("second", only=SORT_STEP)
    corrected = {"everything": "the letters have another form", "files": 2}
    assert second.facts["inputs"] == corrected
    before, after = events_of(letters, "second", "step.inputs")
    assert (before["base"], before["new_files"]) == ("first", 1)
    assert after.items() >= corrected.items()
    (finished,) = events_of(letters, "second", "step.finished")
    assert finished["inputs"] == corrected
    line = GlueStep().line("sort_letters", finished)
    assert line.result.endswith(" · read everything: the letters have another form")
    # The run ends again, as a process does that resumes it, and has nothing to add.
    letters.run("second", only=SORT_STEP)
    assert len(events_of(letters, "second", "step.inputs")) == len([before, after])


def test_a_reason_that_is_not_a_text_is_a_warning_and_does_not_count(letters: Letters) -> None:
    letters.run("first", only=SORT_STEP)
    letters.replace_script("sort_letters", script_reporting(True))
    letters.forget_code("first")
    letters.put("two", {"bob": ["b2"]})
    (second,) = letters.run("second", only=SORT_STEP)
    assert second.facts["inputs"] == {"base": "first", "files": 2, "new_files": 1, "touched": 0}
    (warning,) = events_of(letters, "second", "warning.degraded")
    assert warning["message"] == (
        "the job's report on silver.stamps has no text as everything, so it does not count"
    )
