"""A failed run keeps its cause on record, and `why` explains it from the record alone."""

from __future__ import annotations

import socket

import pytest

from etltctl.errors import AccessError, AlreadyRunningError, EtltctlError, ExitCode, RunFailedError
from etltctl.explanation import Explanation, document, explain, text_of
from etltctl.pipeline import RunOptions, run_pipeline
from support.scripted import Place, job_run, lists, polled, started

OUT_OF_MEMORY = (
    "An error occurred while calling o81.parquet. Job aborted due to stage failure: Task 0 failed 4 times, "
    "most recent failure: Lost task 0.3 in stage 3.0 (TID 19) (10.0.0.9 executor 4): "
    "java.lang.OutOfMemoryError: Java heap space"
)


def run_into(place: Place, run_id: str, status: str, reason: str) -> EtltctlError:
    """Return the error of a run whose job ends in this status for this reason."""
    place.lake.script(lists(), started(), polled(job_run(status, run_id, ErrorMessage=reason)))
    with pytest.raises(EtltctlError) as failure:
        run_pipeline("often", place.settings, RunOptions(run_id))
    return failure.value


def why(place: Place, run_id: str) -> Explanation:
    """Return the explanation of a run, made without a network."""

    def refuse(*_: object) -> None:
        raise AssertionError("the explanation opened a connection")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", refuse)
        return explain(place.settings, run_id)


def test_the_error_shows_cause_proof_and_the_setting_to_change(place: Place) -> None:
    error = run_into(place, "memory", "FAILED", OUT_OF_MEMORY)
    assert list(error.facts)[:2] == ["cause", "proof"]
    assert error.facts["cause"] == "G117 An executor of the job ran out of memory."
    assert "OutOfMemoryError" in str(error.facts["proof"])
    assert "glue.jobs.often.worker_type" in error.hint
    assert error.hint.startswith("published tables stay as they were; ")
    assert error.hint.endswith("etltctl retry memory")


def test_the_ledger_keeps_the_cause_and_why_needs_no_service(place: Place) -> None:
    run_into(place, "kept", "FAILED", OUT_OF_MEMORY)
    (event,) = [event for event in place.events("kept") if event["type"] == "step.finished"]
    assert event["cause"] == "G117"
    assert event["evidence"][0]["source"] == "reason"
    explanation = why(place, "kept")
    assert explanation.diagnosis is not None
    assert explanation.diagnosis.cause.code == "G117"
    assert explanation.step == "glue:often"
    assert explanation.stopped_by == "Glue itself (not a person, not etltctl)"
    text = text_of(explanation)
    assert "Cause   G117  Executor out of memory" in text
    assert "A plain retry would very likely fail the same way" in text
    assert "etltctl runs logs kept often --errors" in text


@pytest.mark.parametrize(
    ("run_id", "reason", "kind", "exit_code"),
    [
        (
            "refused",
            "Insufficient Lake Formation permission(s) on silver.orders",
            AccessError,
            ExitCode.ACCESS,
        ),
        (
            "slot",
            "Max concurrent runs exceeded",
            AlreadyRunningError,
            ExitCode.ALREADY_RUNNING,
        ),
        ("zero", "ZeroDivisionError: division by zero", RunFailedError, ExitCode.FAILED),
    ],
)
def test_the_exit_code_follows_the_cause(
    place: Place, run_id: str, reason: str, kind: type[EtltctlError], exit_code: int
) -> None:
    error = run_into(place, run_id, "FAILED", reason)
    assert type(error) is kind
    assert error.exit_code == exit_code
    assert "etltctl retry" in error.hint


def test_an_unknown_failure_says_so_and_keeps_the_services_words(place: Place) -> None:
    error = run_into(place, "odd", "FAILED", "the mainspring came off")
    assert str(error.facts["cause"]).startswith("U000 The cause is not known")
    assert error.facts["proof"] == "reason: the mainspring came off"
    assert error.hint == "published tables stay as they were; fix the cause, then: etltctl retry odd"
    assert document(why(place, "odd"))["cause"]["code"] == "U000"


def test_a_run_that_a_person_stopped_says_who_may_have_done_it(place: Place) -> None:
    run_into(place, "stopped-by-hand", "STOPPED", "")
    explanation = why(place, "stopped-by-hand")
    assert explanation.diagnosis is not None
    assert explanation.diagnosis.cause.code == "G109"
    assert "not by etltctl, but by Glue or another caller" in explanation.stopped_by


def test_a_run_that_succeeded_is_not_explained(place: Place) -> None:
    place.lake.script(lists(), started(), polled(job_run("SUCCEEDED", "well")))
    run_pipeline("often", place.settings, RunOptions("well"))
    explanation = why(place, "well")
    assert explanation.diagnosis is None
    assert "succeeded: there is nothing to explain" in text_of(explanation)
    assert document(explanation)["cause"] is None


def test_what_readers_see_is_the_version_of_the_last_run_that_published(place: Place) -> None:
    place.lake.script(lists(), started(), polled(job_run("SUCCEEDED", "good")))
    run_pipeline("often", place.settings, RunOptions("good"))
    run_into(place, "bad", "FAILED", "KeyError: 'season'")
    explanation = why(place, "bad")
    assert {table.run_id for table in explanation.tables} <= {"good"}
    assert explanation.comparison
