"""The exit code of a failure is that of its cause, and every refusal of etltctl's own has a cause."""

from __future__ import annotations

import pytest

from etltctl.causes import catalogue
from etltctl.errors import (
    AlreadyRunningError,
    BlockedError,
    ConfigurationError,
    DetachedError,
    DrivenElsewhereError,
    EtltctlError,
    ExitCode,
    NextStep,
    ServiceError,
    UnverifiedError,
    UsageError,
    command,
)
from etltctl.pipeline.failure_cause import name_cause

CHANGED = "the files of version v1 of silver.a are not those that were published: something wrote to x since"
SECRET = "etltctl.toml:7:1: sources.mongodb.uri is env:MONGODB_URI, but MONGODB_URI is not set"


@pytest.mark.parametrize(
    ("error", "code", "exit_code"),
    [
        (
            ServiceError("glue StartJobRun: ConcurrentRunsExceededException: Concurrent runs exceeded"),
            "G104",
            7,
        ),
        (
            ServiceError("s3 PutObject: ExpiredToken: The provided token has expired", code="ExpiredToken"),
            "E211",
            4,
        ),
        (AlreadyRunningError("another run of Glue job slow holds its only slot"), "G104", 7),
        (AlreadyRunningError("a run of Glue job a still reads what a sync of b would replace"), "C114", 7),
        (AlreadyRunningError("a run of Glue job a still reads what a clear of b would delete"), "C114", 7),
        (AlreadyRunningError("run r was taken over by another process while this one slept"), "C111", 7),
        (AlreadyRunningError("silver.a is being published by process 5 on vm"), "C109", 7),
        (AlreadyRunningError("the files of x are replaced while they are read"), "C114", 7),
        (AlreadyRunningError("it is in use"), "C114", 7),
        (DrivenElsewhereError("run r is being driven by process 5"), "C111", 7),
        (ConfigurationError("nothing was started: the run would fail", problems=(SECRET,)), "M102", 3),
        (BlockedError("the new version of silver.a fails its checks"), "C103", 5),
        (UnverifiedError(CHANGED), "C115", 6),
        (EtltctlError("the embedded server at http://127.0.0.1:4 ended: it was stopped"), "M109", 1),
    ],
)
def test_a_refusal_has_its_cause_and_the_exit_code_of_it(
    error: EtltctlError, code: str, exit_code: int
) -> None:
    name_cause(error, step="glue:job", run_id="r")
    assert (error.record["cause"], error.exit_code) == (code, exit_code)
    assert catalogue()[code].exit_code == exit_code


def test_an_error_of_several_tables_has_the_cause_of_what_is_wrong_with_them() -> None:
    error = UnverifiedError("2 of 5 tables could not be refreshed: silver.a, silver.b")
    error.facts = {"silver.a": NextStep(CHANGED), "silver.b": NextStep(CHANGED)}
    name_cause(error, step="athena:refresh", run_id="r")
    assert error.record["cause"] == "C115"


@pytest.mark.parametrize(
    "error", [UsageError("no such step"), DetachedError("detached"), EtltctlError("odd")]
)
def test_an_error_whose_cause_is_not_known_keeps_its_exit_code_and_prints_no_cause(
    error: EtltctlError,
) -> None:
    exit_code = type(error).exit_code
    for _ in range(2):  # by the step, then by its run
        name_cause(error, step="glue:job", run_id="r")
    assert error.exit_code == exit_code
    assert "cause" not in error.facts
    assert "proof" not in error.facts


def test_an_interrupt_in_the_words_of_a_service_is_no_interrupt_of_the_command() -> None:
    error = ServiceError("glue GetJobRun: the container got SIGTERM")
    name_cause(error, step="glue:job", run_id="r")
    assert error.exit_code == ExitCode.FAILED


def test_the_fix_of_a_rollback_names_the_rollback() -> None:
    error = AlreadyRunningError("silver.a is being published by process 5 on vm")
    again = command("rollback", "silver.a")
    name_cause(error, step="", run_id="r", again=again)
    assert str(again) in error.hint
    assert "retry" not in error.hint
