"""A run starts each remote run once: a retry adopts live ones, reuses successful ones and restarts failed ones."""

from __future__ import annotations

import pytest

from etltctl.errors import RunFailedError, UsageError
from etltctl.pipeline import RunOptions, resume, run_pipeline, run_step
from support.scripted import Place, job_run, lists, polled, started

RUN = "20260101-0000-often-aaaa"


def test_a_new_run_starts_its_job_and_records_each_stage(place: Place) -> None:
    place.lake.script(lists(), started(), polled(job_run("RUNNING", "new"), job_run("SUCCEEDED", "new")))
    (step,) = run_pipeline("often", place.settings, RunOptions("new")).steps
    assert (step.verb, step.remote_id) == ("started", "jr_1")
    assert place.types("new") == [
        "run.started",
        "step.planned",
        "remote.intended",
        "remote.started",
        "publish.switched",
        "step.finished",
        "run.finished",
    ]


@pytest.mark.parametrize(("status", "verb"), [("RUNNING", "adopted"), ("SUCCEEDED", "reused")])
def test_a_run_with_a_listed_job_run_starts_no_other(place: Place, status: str, verb: str) -> None:
    place.lake.script(started(), lists(job_run(status, verb)), polled(job_run("SUCCEEDED", verb)))
    (step,) = run_pipeline("often", place.settings, RunOptions(verb)).steps
    assert (step.verb, step.remote_id) == (verb, "jr_1")
    assert place.count("StartJobRun") == 0


def test_a_retry_after_a_failure_starts_again_and_writes_elsewhere(place: Place) -> None:
    place.lake.script(lists(), started(), polled(job_run("FAILED", "again", ErrorMessage="no memory")))
    with pytest.raises(RunFailedError, match="jr_1 of often ended FAILED: no memory") as failure:
        run_pipeline("often", place.settings, RunOptions("again"))
    assert failure.value.hint.endswith("etltctl retry again")
    failed = job_run("FAILED", "again")
    place.lake.script(lists(failed), started("jr_2"), polled(job_run("SUCCEEDED", "again", remote_id="jr_2")))
    (step,) = resume(place.events("again"), place.settings).steps
    assert (step.verb, step.remote_id) == ("started", "jr_2")


def test_a_run_that_succeeded_is_reused_as_a_whole(place: Place) -> None:
    place.lake.script(lists(), started(), polled(job_run("SUCCEEDED", "whole")))
    assert not run_pipeline("often", place.settings, RunOptions("whole")).is_reused
    place.lake.script(started(), lists(job_run("SUCCEEDED", "whole")), polled(job_run("SUCCEEDED", "whole")))
    assert run_pipeline("often", place.settings, RunOptions("whole")).is_reused
    assert place.types("whole").count("publish.switched") == 1


def test_a_retry_of_a_run_that_succeeded_calls_no_service(place: Place) -> None:
    place.lake.script(lists(), started(), polled(job_run("SUCCEEDED", "done")))
    run_pipeline("often", place.settings, RunOptions("done"))
    record = place.events("done")
    place.lake.script(lists(), started("jr_2"), polled(job_run("SUCCEEDED", "done", remote_id="jr_2")))
    again = resume(record, place.settings)
    assert (again.is_reused, again.run_id, [step.verb for step in again.steps]) == (True, "done", ["reused"])
    assert place.events("done") == record
    (step,) = resume(record, place.settings, RunOptions(fresh=True)).steps
    assert step.verb == "started"


def test_fresh_starts_the_job_again_once_for_each_cause(place: Place) -> None:
    place.lake.script(lists(), started(), polled(job_run("SUCCEEDED", "fresh")))
    arguments = {"run_id": "fresh", "fresh": True, "settings": place.settings}
    for cause in ("clear 0", "clear 0", "clear 1"):
        run_step("often", "glue:often", fresh_for=cause, **arguments)
    keys = [event["run_key"] for event in place.events("fresh") if event["type"] == "remote.intended"]
    assert (keys[0] == keys[1], keys[1] == keys[2]) == (True, False)


def test_a_step_needs_the_id_of_its_run(place: Place) -> None:
    with pytest.raises(UsageError, match="needs the id of the run"):
        run_step("often", "glue:often", run_id="", settings=place.settings)


def test_a_run_of_another_pipeline_is_not_resumed_as_this_one(place: Place) -> None:
    place.ledger("other").append("run.started", pipeline="both", steps=["sync:api"])
    with pytest.raises(UsageError, match="run other is a run of both, not of often"):
        run_pipeline("often", place.settings, RunOptions("other"))
