"""A start whose answer was lost: the next try adopts its run, and starts no second one."""

from __future__ import annotations

import pytest

from etltctl.errors import EtltctlError, OutcomeUnknownError
from etltctl.pipeline import RunId, RunOptions, cancel_run, run_pipeline
from etltctl.testing import VirtualClock, answered
from support.scripted import JOB, Place, job_run, lists, polled, started, stoppable


def leave_unanswered_start(place: Place, run_id: str) -> None:
    """Record the events of a process that is killed between its start and the answer."""
    ledger = place.ledger(run_id)
    key = RunId(run_id).key(JOB, env="local", pipeline="often")
    ledger.append("run.started", pipeline="often", steps=[str(JOB)])
    ledger.append("step.planned", str(JOB))
    ledger.append("remote.intended", str(JOB), run_key=key)


def test_the_next_try_waits_for_the_listing_and_adopts_the_run(place: Place, clock: VirtualClock) -> None:
    leave_unanswered_start(place, "late")
    late = job_run("RUNNING", "late")
    place.lake.script(
        *(answered("GetJobRuns", {"JobRuns": runs}, times=3) for runs in ([],)),
        lists(late),
        started("jr_second"),
        polled(job_run("SUCCEEDED", "late")),
    )
    (step,) = run_pipeline("often", place.settings, RunOptions("late")).steps
    assert (step.verb, step.remote_id, place.count("StartJobRun")) == ("adopted", "jr_1", 0)
    assert clock.now > 0, "it waited for the listing"
    warnings = [e["message"] for e in place.events("late") if e["type"] == "warning.degraded"]
    assert warnings[0].startswith("an earlier try may have started it")


def test_a_start_that_was_never_sent_is_sent_after_the_wait(place: Place, clock: VirtualClock) -> None:
    leave_unanswered_start(place, "unsent")
    place.lake.script(lists(), started(), polled(job_run("SUCCEEDED", "unsent")))
    (step,) = run_pipeline("often", place.settings, RunOptions("unsent")).steps
    assert (step.verb, place.count("StartJobRun")) == ("started", 1)
    assert clock.now > 50, "a listing may show a run a minute late"


def test_a_recorded_error_decides_the_start(place: Place, clock: VirtualClock) -> None:
    leave_unanswered_start(place, "refused")
    place.ledger("refused").append("step.finished", str(JOB), outcome="failed")
    place.lake.script(lists(), started(), polled(job_run("SUCCEEDED", "refused")))
    run_pipeline("often", place.settings, RunOptions("refused"))
    assert clock.now < 10


def lose_the_answer(place: Place, run_id: str) -> None:
    """Run the pipeline with a start whose answer is lost, and whose run is not listed in time."""
    place.lake.script(lists(), answered("StartJobRun", {"message": "internal error"}, status=500, times=0))
    with pytest.raises(OutcomeUnknownError):
        run_pipeline("often", place.settings, RunOptions(run_id))


def test_cancel_stops_a_run_that_was_listed_only_after_the_start_had_failed(place: Place) -> None:
    lose_the_answer(place, "open-end")
    assert place.events("open-end")[-2]["start"] == "unknown"
    running = job_run("RUNNING", "open-end")
    place.lake.script(lists(running), polled(running), stoppable())
    (cancelled,) = cancel_run(place.events("open-end"), place.settings, "wrong day")
    assert (cancelled.remote_id, cancelled.done, place.count("BatchStopJobRun")) == ("jr_1", "stopped", 1)


def test_a_retry_adopts_a_run_that_was_listed_only_after_the_start_had_failed(place: Place) -> None:
    lose_the_answer(place, "late-list")
    place.lake.script(lists(job_run("RUNNING", "late-list")), polled(job_run("SUCCEEDED", "late-list")))
    (step,) = run_pipeline("often", place.settings, RunOptions("late-list")).steps
    assert (step.verb, place.count("StartJobRun")) == ("adopted", 0)


def test_cancel_stops_the_run_of_an_unanswered_start(place: Place) -> None:
    leave_unanswered_start(place, "cut-off")
    place.lake.script(
        lists(job_run("RUNNING", "cut-off")), polled(job_run("RUNNING", "cut-off")), stoppable()
    )
    (cancelled,) = cancel_run(place.events("cut-off"), place.settings, "wrong day")
    assert (cancelled.remote_id, cancelled.done, place.count("BatchStopJobRun")) == ("jr_1", "stopped", 1)
    stopped = place.events("cut-off")[-1]
    assert (stopped["type"], stopped["stopped_by"], stopped["reason"]) == (
        "remote.stopped",
        "runs cancel",
        "wrong day",
    )


def test_an_interrupt_during_a_start_says_so_when_no_run_is_listed(place: Place) -> None:
    place.lake.script(lists(), started())

    def interrupt(event: object) -> None:
        if isinstance(event, dict) and event["type"] == "remote.intended":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_pipeline("often", place.settings, RunOptions("open", on_event=interrupt))
    messages = [e["message"] for e in place.events("open") if e["type"] == "warning.degraded"]
    assert (
        "glue:often: a start may have gone out; etltctl retry open finds it (no run of it is listed)"
        in messages
    )


def test_a_listing_that_fails_meanwhile_does_not_hide_the_interrupt(place: Place) -> None:
    refused = {"__type": "AccessDeniedException", "message": "not allowed"}

    def interrupt(event: object) -> None:
        if isinstance(event, dict) and event["type"] == "remote.intended":
            place.lake.script(answered("GetJobRuns", refused, status=400, times=0))
            raise KeyboardInterrupt

    place.lake.script(lists())
    with pytest.raises(KeyboardInterrupt) as caught:
        run_pipeline("often", place.settings, RunOptions("denied", on_event=interrupt))
    assert isinstance(caught.value.__cause__, EtltctlError)
