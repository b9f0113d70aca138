"""`runs logs --errors`: the errors of both logs, each with its trace, and nothing else."""

from __future__ import annotations

import io
from datetime import UTC, datetime

from etltctl.console import Console
from etltctl.logs import ErrorLines, LogLine
from etltctl.pipeline.model import Step
from etltctl.pipeline.run_logs import LogRead
from etltctl.pipeline.sync_step import lines_of_sync
from etltctl.runs import SyncJob

NOISE = [
    "26/11/28 15:22:45 INFO SparkContext: Running Spark version 3.5.6",
    "26/11/28 15:22:45 WARN NativeCodeLoader: Unable to load native-hadoop library",
    "26/11/28 15:22:45 INFO Config: spark.log.level ERROR",
    "read 12 rows",
    "   indented, and no part of a trace",
]
TRACE = [
    "Traceback (most recent call last):",
    '  File "/tmp/ships.py", line 10, in density',
    "    return mass / volume",
    "ZeroDivisionError: division by zero",
]
JVM = [
    "26/11/28 15:22:46 ERROR Executor: Exception in task 0.0 in stage 1.0 (TID 1)",
    "org.apache.spark.api.python.PythonException: Traceback (most recent call last):",
    "\tat org.apache.spark.scheduler.Task.run(Task.scala:141)",
    "Caused by: java.io.EOFException",
    "\t... 14 more",
    "py4j.protocol.Py4JJavaError: An error occurred while calling o247.parquet.",
    ": org.apache.spark.SparkException: Job aborted due to stage failure",
]


def errors_of(*lines: tuple[str, str]) -> list[str]:
    errors = ErrorLines()
    log_lines = [LogLine(datetime.now(UTC), group, "jr_1", text) for group, text in lines]
    return [line.text for line in log_lines if errors.has(line)]


def test_errors_and_their_traces_are_kept_from_both_logs() -> None:
    for group in ("error", "output"):
        whole = [*NOISE, *TRACE, *NOISE, *JVM, *NOISE]
        assert errors_of(*((group, text) for text in whole)) == [*TRACE, *JVM]


def test_lines_of_the_other_log_do_not_split_a_trace() -> None:
    mixed = [("error", TRACE[0]), ("output", "read 12 rows"), *(("error", text) for text in TRACE[1:])]
    assert errors_of(*mixed) == TRACE


def test_an_event_of_several_lines_is_classified_as_one() -> None:
    assert errors_of(("error", "\n".join(TRACE)), ("error", "read 12 rows")) == ["\n".join(TRACE)]


def test_a_line_is_labelled_by_its_writer_and_not_as_an_error() -> None:
    out = io.StringIO()
    shown = Console(plain=True, stdout=out)
    shown.log_line(LogLine(datetime.now(UTC), "error", "jr_1", NOISE[1]))
    shown.log_line(LogLine(datetime.now(UTC), "output", "jr_1", NOISE[3]))
    assert [line.split()[1] for line in out.getvalue().splitlines()] == ["system", "script"]


def test_the_command_for_another_job_s_log_keeps_the_option() -> None:
    read = LogRead("r1", Step("glue", "a"), "jr_1", 0, is_errors_only=True, others=("b",))
    assert str(read.note_if_empty()).endswith("  next: etltctl runs logs r1 b --errors")


def test_a_live_job_run_without_lines_has_written_nothing_yet_and_can_be_followed() -> None:
    read = LogRead("r1", Step("glue", "a"), "jr_1", 0, is_running=True)
    assert str(read.note_if_empty()) == (
        "a (jr_1) has written nothing yet; it is still running\n  next: etltctl runs logs r1 a -f"
    )
    errors = LogRead("r1", Step("glue", "a"), "jr_1", 0, is_errors_only=True, is_running=True)
    assert "has written no error yet" in str(errors.note_if_empty())
    assert str(errors.note_if_empty()).endswith("  next: etltctl runs logs r1 a -f --errors")


def test_the_status_and_reason_of_a_failed_sync_are_errors_and_its_row_counts_are_not() -> None:
    lines = lines_of_sync(SyncJob("7", "api", "failed", "the source is shut", rows=3))
    assert [line.text for line in lines if line.is_failure] == ["state failed", "reason the source is shut"]
    assert not any(line.is_failure for line in lines_of_sync(SyncJob("7", "api", "succeeded", rows=3)))
