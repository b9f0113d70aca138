"""A retry may start its first Glue job with other workers: once, at their price, and without adopting what failed."""

from __future__ import annotations

from typing import Any

import pytest

from etltctl.errors import BudgetError, UsageError
from etltctl.pipeline import RunOptions, run_pipeline
from etltctl.worker_sizes import WorkerSize, WorkerType
from support.scripted import JOB, Place, job_run, lists, polled, started, stoppable

SMALL = {"WorkerType": "G.1X", "NumberOfWorkers": 2}
LARGE = {"WorkerType": "G.2X", "NumberOfWorkers": 2}
HOUR = {"DPUSeconds": 7_200.0}  # two DPU for an hour, 0.88 USD


def larger(run_id: str, **options: Any) -> RunOptions:
    """Return the options of a retry on G.2X."""
    return RunOptions(run_id, worker_type="G.2X", **options)


def test_a_retry_on_larger_workers_starts_anew_after_the_run_that_failed(place: Place) -> None:
    failed = job_run("FAILED", "larger", remote_id="jr_0", **SMALL)
    place.ledger("larger").append("run.started", pipeline="often", steps=[str(JOB)])
    place.ledger("larger").append("step.finished", str(JOB), outcome="failed")
    place.lake.script(lists(failed), started(), polled(job_run("SUCCEEDED", "larger", **LARGE)))
    (step,) = run_pipeline("often", place.settings, larger("larger")).steps
    assert (step.verb, step.remote_id, place.count("StartJobRun")) == ("started", "jr_1", 1)
    options = [event["options"] for event in place.events("larger") if "options" in event]
    assert options == [{"worker_type": "G.2X", "workers_of": str(JOB)}]


def test_the_next_try_has_the_workers_of_the_settings_again_and_keeps_its_limit(place: Place) -> None:
    place.lake.script(lists(), started(), polled(job_run("FAILED", "once", **LARGE)))
    for options in (larger("once", max_usd=2.0), RunOptions("once")):
        with pytest.raises(Exception, match="ended FAILED"):
            run_pipeline("often", place.settings, options)
    assert place.ledger("once").options == {"max_usd": 2.0}


def test_the_estimate_and_the_budget_have_the_price_of_the_larger_workers(place: Place) -> None:
    place.lake.script(started(), lists(job_run("SUCCEEDED", **SMALL, **HOUR)))
    with pytest.raises(BudgetError, match=r"not started: its latest runs cost up to 1\.76 USD"):
        run_pipeline("often", place.settings, larger("price", max_usd=1.0))
    assert place.count("StartJobRun") == 0


def test_a_live_run_is_stopped_by_the_price_of_its_own_workers(place: Place) -> None:
    # 90 % of the limit is spent: a poll comes in time only if the price of the next second is that of 200 DPU.
    huge = {"WorkerType": "G.8X", "NumberOfWorkers": 25}
    running, over = (job_run("RUNNING", "live", **huge, DPUSeconds=usd / 0.44 * 3600) for usd in (1.8, 2.1))
    place.lake.script(lists(running), polled(running, over), stoppable())
    with pytest.raises(BudgetError, match=r"2\.10 USD so far"):
        run_pipeline("often", place.settings, RunOptions("live", max_usd=2.0))


def test_a_live_run_is_adopted_as_it_is_with_a_warning(place: Place) -> None:
    running = job_run("RUNNING", "goes-on", **SMALL)
    place.lake.script(lists(running), polled(job_run("SUCCEEDED", "goes-on", **SMALL)))
    (step,) = run_pipeline("often", place.settings, larger("goes-on")).steps
    assert (step.verb, place.count("StartJobRun")) == ("adopted", 0)
    (warning,) = [e["message"] for e in place.events("goes-on") if e["type"] == "warning.degraded"]
    assert warning == "job run jr_1 is adopted with the workers that it was started with, not 2 x G.2X"


def test_the_second_job_of_the_retry_has_its_own_workers(place: Place) -> None:
    place.lake.script(started(), lists(job_run("SUCCEEDED", **SMALL, **HOUR)))
    with pytest.raises(BudgetError, match=r"often, rarely cost up to 2\.64 USD together"):
        run_pipeline("twice", place.settings, larger("two", max_usd=2.0))


def test_a_retry_without_a_glue_job_to_start_refuses_the_option(place: Place) -> None:
    place.ledger("done").append("step.finished", str(JOB), outcome="succeeded")
    place.lake.script(started(), lists())
    with pytest.raises(UsageError, match="has no Glue job to start, so no worker type can be chosen"):
        run_pipeline("often", place.settings, larger("done"))
    assert place.count("StartJobRun") == 0


@pytest.mark.parametrize("wrong", [{"worker_type": "G.3X"}, {"workers": 1}, {"workers": -2}])
def test_workers_that_glue_does_not_have_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        RunOptions("x", **wrong)


@pytest.mark.parametrize(
    ("size", "next_size"), [("G.1X", "G.2X"), ("G.4X", "G.8X"), ("G.8X", None), ("R.1X", "R.2X"), ("", "")]
)
def test_the_next_larger_type_is_of_the_same_family(size: str, next_size: str | None) -> None:
    larger_one = WorkerSize(size, 3).larger
    assert (larger_one.type if larger_one else None) == (next_size or None)
    if larger_one:
        assert larger_one.dpus == 2 * WorkerSize(size, 3).dpus


def test_options_of_a_damaged_record_change_no_worker() -> None:
    size = WorkerSize("G.1X", 2)
    assert size.overridden({"worker_type": 5, "workers": "many"}) == size
    assert size.overridden({"worker_type": WorkerType.R_8X, "workers": 4}) == WorkerSize("R.8X", 4)
