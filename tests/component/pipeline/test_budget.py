"""A budget refuses a start that costs too much, and stops a run that does. A process that only waits stops nothing."""

from __future__ import annotations

import asyncio

import pytest

from etltctl.errors import BudgetError
from etltctl.pipeline import RunOptions, finish_step, run_pipeline, start_step, wait_for_step
from support.scripted import JOB, Place, job_run, lists, polled, started, stoppable

DEAR = {"DPUSeconds": 36_000.0}  # 10 DPU hours, 4.40 USD


def test_a_run_over_its_budget_is_stopped_and_billed(place: Place) -> None:
    running, stopped = job_run("RUNNING", **DEAR), job_run("STOPPED", **DEAR)
    place.lake.script(lists(), started(), polled(running, stopped), stoppable())
    with pytest.raises(
        BudgetError, match=r"was stopped: 4\.40 USD so far, and max_usd of the run leaves 2\.00 USD"
    ):
        run_pipeline("often", place.settings, RunOptions("dear", max_usd=2.0))
    events = place.events("dear")
    stopping = next(event for event in events if event["type"] == "remote.stopping")
    bill = next(event for event in events if event["type"] == "cost.actual")
    assert (stopping["stopped_by"], place.count("BatchStopJobRun"), bill["usd"]) == (
        "max_usd of the run",
        1,
        4.4,
    )


def test_a_run_that_ended_over_its_budget_keeps_its_result(place: Place) -> None:
    place.lake.script(lists(), started(), polled(job_run("SUCCEEDED", **DEAR)))
    (step,) = run_pipeline("often", place.settings, RunOptions("ended", max_usd=2.0)).steps
    assert step.facts["usd"] == 4.4


def test_a_start_that_costs_more_than_the_rest_of_the_budget_is_not_sent(place: Place) -> None:
    place.lake.script(started(), lists(job_run("SUCCEEDED", **DEAR)))
    with pytest.raises(BudgetError, match=r"not started: its latest runs cost up to 4\.40 USD"):
        run_pipeline("often", place.settings, RunOptions("too-dear", max_usd=2.0))
    assert place.count("StartJobRun") == 0


def test_the_cost_of_earlier_tries_counts(place: Place) -> None:
    place.ledger("spent").append("cost.actual", str(JOB), usd=2.0, remote_id="jr_0")
    place.lake.script(started(), lists())
    with pytest.raises(BudgetError, match=r"not started: max_usd of the run leaves 0\.00 USD"):
        run_pipeline("often", place.settings, RunOptions("spent", max_usd=2.0))


@pytest.mark.parametrize(("max_usd", "why"), [(0.0, "0.00 USD"), (2.0, "cost up to 4.40 USD")])
def test_a_job_that_costs_more_than_the_budget_is_refused_before_the_sync_that_comes_first(
    place: Place, max_usd: float, why: str
) -> None:
    place.lake.script(started(), lists(job_run("SUCCEEDED", **DEAR)))
    with pytest.raises(BudgetError, match=rf"Glue job often was not started: .*{why}"):
        run_pipeline("both", place.settings, RunOptions(f"early-{max_usd}", max_usd=max_usd))
    assert place.types(f"early-{max_usd}") == ["run.started", "run.finished"]
    assert place.count("StartJobRun") == 0


def test_jobs_that_cost_more_than_the_budget_together_are_refused_before_the_first(place: Place) -> None:
    place.lake.script(started(), lists(job_run("SUCCEEDED", **DEAR)))
    with pytest.raises(BudgetError, match=r"latest runs of often, rarely cost up to 8\.80 USD together"):
        run_pipeline("twice", place.settings, RunOptions("sum", max_usd=5.0))
    assert place.types("sum") == ["run.started", "run.finished"]


def test_a_waiting_process_returns_at_the_limit_and_the_driver_stops_the_run(
    place: Place,
) -> None:
    dear = job_run("RUNNING", **DEAR)
    place.lake.script(lists(), started(), polled(job_run("RUNNING"), dear), stoppable())
    handle = start_step("often", str(JOB), run_id="waits", max_usd=2.0, settings=place.settings)
    asyncio.run(wait_for_step(handle, place.settings))
    assert place.count("BatchStopJobRun") == 0
    with pytest.raises(BudgetError):
        finish_step(handle, place.settings)
    assert place.count("BatchStopJobRun") == 1
