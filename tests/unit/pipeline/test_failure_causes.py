"""The cause of etltctl's own errors, by their words and else by their class."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from etltctl.errors import (
    RETRY,
    AccessError,
    AlreadyRunningError,
    BlockedError,
    BudgetError,
    ConfigurationError,
    DetachedError,
    DrivenElsewhereError,
    EtltctlError,
    NextStep,
    OutcomeUnknownError,
    ServiceError,
    UnreachableError,
    UnverifiedError,
    WaitTimeoutError,
)
from etltctl.logs import LogLine
from etltctl.pipeline.failure_cause import (
    diagnosis_of,
    diagnosis_of_run,
    error_facts,
    name_cause,
    recorded_cause,
)
from etltctl.runs import JobRun

DENIED = "User: arn:aws:sts::1:assumed-role/x/y is not authorized to perform: glue:StartJobRun"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BudgetError("Glue job big was not started: too dear"), "C110"),
        (BudgetError("the query scanned 12 GB bytes, more than the 10 GB it may"), "Q107"),
        (WaitTimeoutError("Glue run jr of job is still RUNNING after 900 s"), "C112"),
        (OutcomeUnknownError("Glue left open whether a run was started"), "C113"),
        (DrivenElsewhereError("run r is being driven by 12"), "C111"),
        (AccessError(f"glue StartJobRun: {DENIED} (AccessDeniedException)"), "E201"),
        (AccessError("the door is shut"), "E201"),
        (UnreachableError("glue did not answer: it sleeps"), "N103"),
        (ConfigurationError("sources.x.uri is env:X_URI, but X_URI is not set"), "M102"),
        (ConfigurationError("tables.x names a table that the settings do not know"), "M103"),
        (BlockedError("the new version of silver.x fails its checks"), "C103"),
        (BlockedError("silver.x has the columns a and A, which differ in case only"), "C108"),
        (UnverifiedError("the report that the job wrote on silver.x cannot be read"), "C106"),
        (UnverifiedError("sync of api succeeded, but 0 rows landed in bronze"), "C101"),
        (AlreadyRunningError("another run of Glue job orders holds its only slot"), "G104"),
        (ServiceError("glue StartJobRun: Rate exceeded (ThrottlingException)", code="ThrottlingException"), "E221"),
        (EtltctlError("query FAILED: COLUMN_NOT_FOUND: line 1:8: Column 'x' cannot be resolved"), "Q102"),
        (EtltctlError("the mainspring came off"), "U000"),
    ],
)  # fmt: skip
def test_an_error_has_the_cause_that_its_words_or_its_class_name(error: EtltctlError, code: str) -> None:
    assert diagnosis_of(error).cause.code == code


def test_an_error_without_a_next_command_gets_that_of_its_cause() -> None:
    error = ServiceError("athena StartQueryExecution: No output location provided")
    name_cause(error, step="athena:refresh", run_id="r1")
    assert error.facts["cause"] == "Q109 No output location"
    assert "etltctl infra deploy" in error.hint
    name_cause(error, step="athena:refresh", run_id="r2")  # a second call changes nothing
    assert error.facts["cause"] == "Q109 No output location"


def test_an_error_with_its_own_next_command_keeps_it() -> None:
    error = BlockedError("the new version of silver.x fails its checks", hint=NextStep("look, then: ", RETRY))
    name_cause(error, step="glue:job", run_id="r1")
    assert error.hint == "look, then: etltctl retry RUN"


def test_a_detached_run_and_an_unknown_cause_get_no_cause_line() -> None:
    for error in (DetachedError("detached: run goes on"), EtltctlError("the mainspring came off")):
        name_cause(error, step="glue:job", run_id="r1")
        assert "cause" not in error.facts
    assert error_facts(DetachedError("detached")) == {}


def test_an_interrupt_is_a_cause_and_a_fault_of_etltctl_is_none() -> None:
    assert recorded_cause(KeyboardInterrupt())["cause"] == "M107"
    assert recorded_cause(ZeroDivisionError()) == {}


def test_each_line_of_a_log_has_its_process_and_time() -> None:
    at = datetime(2026, 11, 23, 3, 1, 44, tzinfo=UTC)
    log = [
        LogLine(at, "error", "jr_1-driver", "ERROR TaskSetManager: Task 1 failed 4 times; aborting job"),
        LogLine(at, "error", "jr_1-4", "java.lang.OutOfMemoryError: Java heap space"),
    ]
    diagnosis = diagnosis_of_run(JobRun("jr_1", "job", "FAILED", "exit status 1"), log)
    assert diagnosis.cause.code == "G117"
    assert diagnosis.evidence[0].source == "executor-4"
    assert diagnosis.evidence[0].at == "2026-11-23T03:01:44+00:00"


def test_the_changes_that_broke_a_contract_are_evidence_without_their_files() -> None:
    changes = (
        "~ position string → struct<lat:double>  retyped, blocked: no reader  in s3://b/t/v=1/part-0.parquet",
        "- wind double  dropped, blocked",
    )
    error = BlockedError(
        "silver.x breaks its contract: position retyped, and 1 more", difference="\n".join(changes)
    )
    name_cause(error, step="glue:job", run_id="r1")
    assert error.record["cause"] == "C104"
    assert [line["text"] for line in error.record["evidence"]] == [
        error.message,
        "~ position string → struct<lat:double>  retyped, blocked: no reader",
        "- wind double  dropped, blocked",
    ]
