"""An interrupt stops a remote run or leaves it, and records that. Runs that etltctl did not start continue."""

from __future__ import annotations

import pytest

from etltctl.errors import DetachedError, ExitCode
from etltctl.ledger import Event
from etltctl.pipeline import RunOptions, run_pipeline, stop_step
from etltctl.pipeline.options import DETACH, Listener
from etltctl.testing import sync_job
from support.scripted import JOB, Place, job_run, lists, polled, started, stoppable


def at(type_: str, error: type[BaseException]) -> Listener:
    """Return a listener that interrupts the run at its first event of a type."""

    def interrupt(event: Event) -> None:
        if event["type"] == type_:
            raise error

    return interrupt


@pytest.fixture
def running(place: Place) -> Place:
    """A Glue that starts a run which continues until it is stopped."""
    place.lake.script(lists(), started(), polled(job_run("RUNNING")), stoppable())
    return place


def test_an_interrupt_stops_the_run_and_records_its_origin(running: Place) -> None:
    options = RunOptions("stopped", on_event=at("step.progress", KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        run_pipeline("often", running.settings, options)
    assert running.count("BatchStopJobRun") == 1
    types = running.types("stopped")[3:]
    assert types == ["remote.started", "remote.stopping", "remote.stopped", "step.finished", "run.finished"]
    stopping, finished = running.events("stopped")[-4], running.events("stopped")[-1]
    assert (stopping["stopped_by"], finished["outcome"]) == ("interrupt", "interrupted")


@pytest.mark.parametrize(("error", "code"), [(KeyboardInterrupt, None), (SystemExit, ExitCode.TERMINATED)])
def test_detach_leaves_the_run_and_names_the_command_to_resume_it(
    running: Place, error: type[BaseException], code: ExitCode | None
) -> None:
    run_id = f"detached-{error.__name__}"
    options = RunOptions(run_id, on_interrupt=lambda *_: DETACH, on_event=at("step.progress", error))
    with pytest.raises(DetachedError, match="Glue run jr_1 of often goes on") as detached:
        run_pipeline("often", running.settings, options)
    assert f"etltctl runs watch {run_id}" in detached.value.hint
    assert detached.value.exit_code == (code or DetachedError.exit_code)
    assert running.count("BatchStopJobRun") == 0
    assert running.events(run_id)[-1]["outcome"] == "detached"


def test_an_interrupt_right_after_the_answer_of_a_start_stops_the_run(running: Place) -> None:
    options = RunOptions("right-after", on_event=at("remote.started", KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        run_pipeline("often", running.settings, options)
    assert running.count("BatchStopJobRun") == 1


def test_a_run_that_another_process_is_stopping_is_not_stopped_twice(running: Place) -> None:
    def interrupt(event: Event) -> None:
        if event["type"] == "step.progress":
            assert stop_step(str(JOB), run_id="twice", by="Airflow", settings=running.settings)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_pipeline("often", running.settings, RunOptions("twice", on_event=interrupt))
    assert running.count("BatchStopJobRun") == 1
    messages = [e["message"] for e in running.events("twice") if e["type"] == "warning.degraded"]
    assert messages == ["jr_1 is being stopped already, by Airflow"]


def test_a_sync_that_another_caller_started_continues(place: Place) -> None:
    place.ledger("foreign").append("remote.adopted", "sync:api", remote_id="900001", ours=False)
    place.lake.script(sync_job("running"))
    options = RunOptions("foreign", only="sync:api", on_event=at("step.progress", KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        run_pipeline("both", place.settings, options)
    warnings = [e["message"] for e in place.events("foreign") if e["type"] == "warning.degraded"]
    assert warnings[0] == "900001 goes on: it is not of this run"
    assert "remote.stopping" not in place.types("foreign")
