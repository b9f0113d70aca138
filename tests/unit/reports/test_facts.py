"""What the report reads from the events of a run, however few they are."""

from __future__ import annotations

from etltctl.reports.facts import facts_of
from support.reported import event, succeeded


def test_each_step_has_its_tries_and_its_remote_runs() -> None:
    sync, job, refresh = facts_of(succeeded()).steps
    assert [(span.outcome, span.seconds) for span in job.tries] == [("failed", 9.0), ("succeeded", 12.0)]
    assert [(run.remote_id, run.outcome, run.seconds) for run in job.remote_runs] == [
        ("jr_1", "FAILED", 7.0),
        ("jr_2", "SUCCEEDED", 7.0),
    ]
    assert (sync.outcome, sync.rows, sync.remote_runs[0].service) == ("succeeded", 12, "Airbyte")
    assert (refresh.outcome, refresh.tries) == ("not started", [])


def test_an_error_of_a_try_that_a_later_one_made_good_is_no_error_of_the_step() -> None:
    assert [step.error for step in facts_of(succeeded()).steps] == ["", "", ""]


def test_a_table_has_what_its_job_counted_and_the_rules_that_flagged_rows() -> None:
    (table,) = facts_of(succeeded()).tables
    assert (table.layer, table.rows, table.counts["rejected"], table.flags) == (
        "gold",
        8,
        1,
        {"WIND_RANGE": 2},
    )
    assert table.warnings == ["new column x"]


def test_a_refresh_that_changed_nothing_does_not_hide_what_was_published() -> None:
    unchanged = {"gold.weather_monthly": {"change": "unchanged", "rows": 8}}
    events = [
        *succeeded()[:-1],
        event(36, "step.finished", "athena:refresh", outcome="succeeded", tables=unchanged),
    ]
    assert [table.change for table in facts_of(events).tables] == ["updated"]


def test_costs_and_broken_rules_are_those_on_record() -> None:
    run = facts_of(succeeded())
    assert [(one.step, one.basis, one.usd) for one in run.costs] == [("glue:silver_to_gold", "actual", 0.25)]
    assert [(one.rule, one.count, one.reaction) for one in run.broken] == [("year is null", 3, "evolve")]


def test_a_step_without_an_end_lasts_until_its_last_event_and_is_unfinished() -> None:
    step = facts_of(succeeded()[:9]).steps[1]
    assert [(span.outcome, span.seconds) for span in step.tries] == [("unfinished", 8.0)]


def test_a_try_that_was_planned_again_before_it_ended_is_unfinished() -> None:
    events = [
        event(1, "step.planned", "glue:a"),
        event(4, "remote.detached", "glue:a"),
        event(9, "step.planned", "glue:a"),
    ]
    assert [span.seconds for span in facts_of(events).steps[0].tries] == [3.0, 0.0]


def test_events_that_are_missing_are_counted() -> None:
    numbered = [{**one, "seq": number} for number, one in enumerate(succeeded(), start=1)]
    assert facts_of(numbered).gaps == 0
    assert facts_of(numbered[:3] + numbered[5:]).gaps == 2


def test_facts_of_another_shape_are_left_out() -> None:
    odd = {"gold.a": None, "gold.b": {"rows": "many", "audit": [], "warnings": "none"}}
    events = [event(1, "publish.switched", tables=odd), event(2, "publish.switched", tables=[1])]
    (table,) = facts_of(events).tables
    assert (table.rows, table.counts, table.flags, table.warnings) == (None, {}, {}, [])


def test_a_remote_run_that_a_later_try_reuses_took_what_it_took_at_first() -> None:
    job = "glue:silver_to_gold"
    reused = [
        event(3000, "step.planned", job),
        event(3001, "remote.reused", job, service="Glue", remote_id="jr_2", state="SUCCEEDED"),
    ]
    before, after = (
        facts_of(events).steps[1].remote_runs[1] for events in (succeeded(), [*succeeded(), *reused])
    )
    assert before.seconds == after.seconds == 7.0


def test_a_remote_run_with_one_event_on_record_has_no_known_time() -> None:
    (span,) = facts_of(succeeded()[:3]).steps[0].remote_runs
    assert not span.is_timed
