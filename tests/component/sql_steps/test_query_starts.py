"""A query of a step is started once: an answer that was lost, a process that died, and a query that goes on."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from etltctl.errors import BudgetError, OutcomeUnknownError, RunFailedError
from etltctl.pipeline import Step, cancel_run, finish_step, read_logs, start_step, wait_for_step
from etltctl.pipeline.sql_query import SqlQuery
from etltctl.pipeline.step_run import StepRun
from etltctl.runs import QueryExecution, State
from etltctl.testing import VirtualClock, answered, lost, refused
from support.sql_project import QUERY, STEP, SqlProject

ROWS = 4


def execution(query_id: str, status: str, scanned: int = 0) -> dict[str, Any]:
    """Return an execution as Athena describes it."""
    return {
        "QueryExecution": {
            "QueryExecutionId": query_id,
            "WorkGroup": "pi-m3",
            "Status": {"State": status, "SubmissionDateTime": 1_767_225_600.0},
            "Statistics": {"DataScannedInBytes": scanned},
        }
    }


def die_before_the_answer(project: SqlProject, run_id: str) -> QueryExecution:
    """Leave a run whose process died after it had sent the start; return the execution that Athena has."""
    project.lake.script(answered("StartQueryExecution", {"QueryExecutionId": "none"}, status=500, times=0))
    with pytest.raises(
        OutcomeUnknownError, match=r"left open whether the query of sql/windiest.sql was started"
    ):
        project.run(run_id)
    project.lake.script()
    query = SqlQuery(step_run(project, run_id)).send_again(project.event(run_id, "remote.intended"))
    assert query is not None
    return query


def step_run(project: SqlProject, run_id: str) -> StepRun:
    """Return the step of the run."""
    return StepRun("wind", Step.parse(STEP), project.services, project.ledger(run_id))


def test_the_query_of_a_start_without_an_answer_is_used(project: SqlProject) -> None:
    started = die_before_the_answer(project, "lost")
    before = project.executions()
    step, _ = project.retry("lost").steps
    assert (step.remote_id, step.facts["rows"]) == (started.id, ROWS)
    # The other is the check of the table's keys.
    assert (project.count("lost", "remote.intended"), project.executions()) == (1, before + 1)


def test_another_text_never_writes_where_a_start_without_an_answer_may_write(project: SqlProject) -> None:
    started = die_before_the_answer(project, "changed")
    project.write_query(QUERY.replace("max(speed)", "min(speed)"))
    step, _ = project.retry("changed").steps
    intended = [event for event in project.events("changed") if event["type"] == "remote.intended"]
    assert [event["tries"] for event in intended] == [0, 1]
    assert step.remote_id != started.id
    assert ("nyc", 1, 4.0) in project.windiest()


def test_an_answer_that_is_lost_once_is_asked_for_again(project: SqlProject) -> None:
    before = project.executions()
    project.lake.script(lost("StartQueryExecution"))
    step, _ = project.run("asked-again").steps
    assert step.facts["rows"] == ROWS
    # One is the step's query, the other the check of the table's keys.
    assert project.executions() == before + 2


def test_a_start_that_athena_refused_is_not_sent_again(project: SqlProject) -> None:
    project.lake.script(
        refused("StartQueryExecution", "InvalidRequestException", "line 1:9: mismatched input")
    )
    with pytest.raises(
        RunFailedError, match=r"Athena refuses the query of sql/windiest.sql: .*mismatched input"
    ):
        project.run("refused")
    project.retry("refused")
    intended = [event for event in project.events("refused") if event["type"] == "remote.intended"]
    assert [event["tries"] for event in intended] == [0, 1]


def test_a_start_that_stays_unknown_is_never_replaced_by_another(project: SqlProject) -> None:
    die_before_the_answer(project, "unknown")
    project.lake.script(refused("StartQueryExecution", "TooManyRequestsException", "slow down", times=0))
    with pytest.raises(OutcomeUnknownError):
        project.retry("unknown")
    project.lake.script()
    project.retry("unknown")
    assert project.count("unknown", "remote.intended") == 1


def test_a_statement_that_athena_refuses_was_never_started(project: SqlProject) -> None:
    ledger = project.ledger("killed")
    ledger.append("run.started", pipeline="wind", steps=[STEP])
    outputs = {"gold.windiest": project.services.lake.version_location("gold.windiest", "killed")}
    kept = {"run_key": "k", "tries": 0, "outputs": outputs, "sql": "UNLOAD nothing", "sql_digest": "d"}
    ledger.append("remote.intended", STEP, **kept)
    project.lake.script(refused("StartQueryExecution", "InvalidRequestException", "mismatched", times=3))
    project.retry("killed")
    assert [e["tries"] for e in project.events("killed") if e["type"] == "remote.intended"] == [0, 1]


def test_a_start_that_this_caller_may_not_repeat_stays_unknown(project: SqlProject) -> None:
    die_before_the_answer(project, "forbidden")
    project.lake.script(refused("StartQueryExecution", "AccessDeniedException", "not allowed", times=0))
    with pytest.raises(OutcomeUnknownError, match="not allowed"):
        project.retry("forbidden")
    assert project.event("forbidden", "step.finished")["start"] == "unknown"


def test_a_scheduler_starts_waits_and_finishes_in_three_processes(project: SqlProject) -> None:
    handle = start_step("wind", STEP, run_id="in-three", settings=project.settings)
    asyncio.run(wait_for_step(handle, project.settings))
    result = finish_step(handle, project.settings)
    assert (handle.verb, result["rows"], result["remote_id"]) == ("started", ROWS, handle.remote_id)


def test_a_query_that_goes_on_is_adopted(project: SqlProject) -> None:
    project.run("adopted")
    done = project.event("adopted", "step.finished")["remote_id"]
    ledger = project.ledger("goes-on")
    ledger.append("run.started", pipeline="wind", steps=[STEP])
    facts = {**project.event("adopted", "remote.intended")}
    kept = {name: facts[name] for name in ("run_key", "tries", "outputs", "sql", "sql_digest")}
    ledger.append("remote.intended", STEP, **kept)
    ledger.append("remote.started", STEP, service="Athena", remote_id=done, state="RUNNING")
    project.lake.script(answered("GetQueryExecution", execution(done, "RUNNING"), times=2))
    step = project.retry("goes-on").steps[0]
    assert (step.verb, step.remote_id) == ("adopted", done)


def test_a_query_that_reads_too_much_is_cancelled_while_it_runs(project: SqlProject) -> None:
    running = answered("GetQueryExecution", execution("q", "RUNNING", scanned=2_000), times=2)
    cancelled = answered("GetQueryExecution", execution("q", "CANCELLED", scanned=2_000), times=0)
    start = answered("StartQueryExecution", {"QueryExecutionId": "q"}, times=0)
    project.lake.script(running, cancelled, start, answered("StopQueryExecution", {}, times=0))
    with (
        VirtualClock(),
        pytest.raises(BudgetError, match=r"2,000 bytes read so far, and sql.windiest.max_scan allows"),
    ):
        project.changed(max_scan="1KB").run("dear")
    assert project.event("dear", "remote.stopped")["stopped_by"] == "sql.windiest.max_scan"
    assert project.event("dear", "cost.actual")["scanned_bytes"] == 2_000


def test_the_budget_of_the_run_limits_what_a_query_reads(project: SqlProject) -> None:
    running = answered("GetQueryExecution", execution("q", "RUNNING", scanned=3 * 10**12), times=0)
    start = answered("StartQueryExecution", {"QueryExecutionId": "q"}, times=0)
    project.lake.script(running, start, answered("StopQueryExecution", {}, times=0))
    with VirtualClock(), pytest.raises(BudgetError, match=r"max_usd of the run allows 2,000,000,000,000"):
        project.changed(max_scan="9TB").run("limited", max_usd=10.0)


def test_a_cancelled_run_cancels_its_query_also_without_the_answer_of_its_start(project: SqlProject) -> None:
    started = die_before_the_answer(project, "stopped")
    description = execution(started.id, "RUNNING")
    description["QueryExecution"]["Query"] = project.event("stopped", "remote.intended")["sql"]
    running = answered("GetQueryExecution", description, times=0)
    project.lake.script(running, answered("StopQueryExecution", {}, times=0))
    (cancelled,) = cancel_run(project.events("stopped"), project.settings)
    assert (cancelled.done, cancelled.remote_id, cancelled.name) == ("stopped", started.id, "windiest")
    assert project.lake.met()["StopQueryExecution"] == 1


def test_who_cancelled_the_query_is_in_the_error(project: SqlProject) -> None:
    start = answered("StartQueryExecution", {"QueryExecutionId": "q"}, times=0)
    project.lake.script(start, answered("GetQueryExecution", execution("q", "CANCELLED"), times=0))
    with pytest.raises(RunFailedError) as failure:
        project.run("by-another")
    assert failure.value.facts["stopped"] == "not by etltctl, but by Athena or another caller; see CloudTrail"


def test_the_log_of_a_query_is_its_state_and_its_reason(project: SqlProject) -> None:
    project.write_query("select nothing from {silver.reading}")
    with pytest.raises(RunFailedError):
        project.run("log")
    lines: list[str] = []
    read_logs(project.events("log"), project.settings, lambda line: lines.append(line.text))
    assert lines[0].startswith("state FAILED, 0 bytes read. COLUMN_NOT_FOUND")


def test_a_cancelled_execution_counts_as_stopped() -> None:
    running = QueryExecution("q", "windiest", "RUNNING")
    assert not running.was_stopped
    assert replace(running, status="CANCELLED").was_stopped
    assert replace(running, status="CANCELLED").state is State.FAILED


def test_a_query_that_exceeds_the_budget_of_the_run_between_two_polls_is_not_published(
    project: SqlProject,
) -> None:
    done = execution("q", "SUCCEEDED", scanned=3 * 10**12)
    done["QueryExecution"]["Status"]["SubmissionDateTime"] = (
        4_000_000_000.0  # so that it is not an earlier query
    )
    ended = answered("GetQueryExecution", done, times=0)
    project.lake.script(ended, answered("StartQueryExecution", {"QueryExecutionId": "q"}, times=0))
    with (
        VirtualClock(),
        pytest.raises(BudgetError, match=r"the run cost 15.00 USD, and its max_usd is 10.00"),
    ):
        project.changed(max_scan="9TB").run("between", max_usd=10.0)
    assert project.count("between", "publish.switched") == 0


def test_to_cancel_a_start_that_never_went_out_starts_no_query(project: SqlProject) -> None:
    project.lake.script(answered("StartQueryExecution", {"QueryExecutionId": "none"}, status=500, times=0))
    with pytest.raises(OutcomeUnknownError):
        project.run("never-out")
    project.lake.script()
    before = project.executions()
    (cancelled,) = cancel_run(project.events("never-out"), project.settings)
    assert (cancelled.remote_id, project.executions()) == ("", before)
    assert "a start may have gone out" in cancelled.done
