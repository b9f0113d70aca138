"""The lines that every Spark job writes hide no cause and make none up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from etltctl.causes import UNKNOWN, Failure, Line, diagnose
from support.recorded_failures import Recorded, recorded

BEFORE = """\
Preparing ...
/usr/bin/java -cp /tmp -Xmx5g -XX:OnOutOfMemoryError=kill -9 %p -Dspark.driver.maxResultSize=4g com.amazonaws.Launcher
24/05/01 10:00:01 WARN NativeCodeLoader: Unable to load native-hadoop library for your platform
24/05/01 10:00:02 INFO SparkContext: Running Spark version 3.5.6
24/05/01 10:00:02 INFO SignalUtils: Registering signal handler for TERM
24/05/01 10:00:04 INFO SecurityManager: authentication disabled; ui acls disabled
24/05/01 10:00:05 WARN ObjectStore: Failed to get database global_temp, returning NoSuchObjectException
24/05/01 10:00:06 WARN MetricsConfig: Cannot locate configuration: tried hadoop-metrics2-s3a-file-system.properties
24/05/01 10:00:08 INFO MemoryStore: Block broadcast_1 stored as values in memory (estimated size 12 MB, free 2.1 GB)
24/05/01 10:00:10 WARN TaskSetManager: Stage 3 contains a task of very large size (1713 KiB).
24/05/01 10:00:12 WARN S3AInstrumentation: retry after connection reset
""".splitlines()
AFTER = """\
24/05/01 10:09:11 INFO SparkContext: SparkContext is stopping with exitCode 0.
24/05/01 10:09:12 INFO ShutdownHookManager: Shutdown hook called
24/05/01 10:09:12 ERROR TransportResponseHandler: Still have 1 requests outstanding when a connection is closed
24/05/01 10:09:12 ERROR TransportRequestHandler: Error sending result ChunkFetchSuccess; closing connection
java.io.IOException: Broken pipe
\tat sun.nio.ch.FileDispatcherImpl.write0(Native Method)
24/05/01 10:09:13 ERROR YarnScheduler: Lost executor 3 on 10.0.0.9: Executor decommission.
24/05/01 10:09:13 WARN TaskSetManager: Lost task 3.0 in stage 4.0 (TID 9) (10.0.0.9 executor 3): TaskKilled (Stage over)
24/05/01 10:09:14 ERROR TransportClientFactory: Exception while bootstrapping client after 3 ms
java.io.IOException: Connection reset by peer
24/05/01 10:09:15 ERROR AsyncEventQueue: Listener EventLoggingListener threw an exception
24/05/01 10:09:16 WARN HeartbeatReceiver: Removing executor 3 with no recent heartbeats: 160 ms exceeds timeout 120 ms
24/05/01 10:09:17 WARN S3AFileSystem: Connection pool shut down
""".splitlines()
BEFORE_SYNC = """\
2024-05-01 10:00:00 platform > Executing worker wrapper. Airbyte version: 0.50.33
2024-05-01 10:00:00 platform > Using default value for environment variable SIDECAR_KUBE_CPU_LIMIT: '2.0'
2024-05-01 10:00:01 platform > start sync worker. job id: 12 attempt id: 0
2024-05-01 10:00:02 ERROR i.a.v.j.JsonSchemaValidator(test):71 - JSON schema validation failed.
errors: $.credentials: is missing but it is required, $.format_type: does not have a value in the enumeration [Avro]
2024-05-01 10:00:02 platform > Starting source heartbeat check. Will check threshold of 10800 seconds, every 1 minutes.
2024-05-01 10:00:05 source > Backing off _send(...) for 5.0s (DefaultBackoffException: Response Code: 429, rate limit)
2024-05-01 10:00:06 source > Caught retryable error 'HTTP 503' after 1 tries. Waiting 5 seconds then retrying...
2024-05-01 10:00:07 platform > Records read: 5000 (1 MB)
""".splitlines()
AFTER_SYNC = """\
2024-05-01 10:05:00 platform > Source has no more messages, closing connection.
2024-05-01 10:05:01 destination > WARN i.a.c.i.d.AsyncStreamConsumer(close) Airbyte message consumer: failed.
2024-05-01 10:05:02 platform > thread status... heartbeat thread: false , replication thread: true
2024-05-01 10:05:02 platform > State capture: No new state, falling back on input state
2024-05-01 10:05:02 platform > Sync worker failed.
java.util.concurrent.ExecutionException: SourceException: Source process exited with non-zero exit code 1
\tSuppressed: WorkerException: Source process exit with code 1. This warning is normal if the job was cancelled.
2024-05-01 10:05:03 platform > failures: [ {
  "failureOrigin" : "source",
  "internalMessage" : "Source process exited with non-zero exit code 1",
} ]
2024-05-01 10:05:05 platform > Failing job: 12, reason: Job failed after too many retries for connection 5ad1
""".splitlines()
RECORDED = [each for held in (False, True) for each in recorded(held_out=held)]
OF_JOBS = [each for each in RECORDED if each.failure.service == "Glue"]
OF_SYNCS = [each for each in RECORDED if each.failure.service == "Airbyte"]


def among_noise(failure: Failure, before: Sequence[str] = BEFORE, after: Sequence[str] = AFTER) -> Failure:
    """Return the failure with the lines of a whole log around its own."""
    reasons = [line for line in failure.lines if line.source == "reason"]
    log = [line for line in failure.lines if line.source != "reason"]
    first, last = ([Line(text, "driver") for text in lines] for lines in (before, after))
    return replace(failure, lines=(*reasons, *first, *log, *last))


@pytest.mark.parametrize("each", OF_JOBS, ids=lambda each: each.name)
def test_a_failure_among_the_lines_of_a_whole_log_has_the_same_cause(each: Recorded) -> None:
    assert diagnose(among_noise(each.failure)).cause == diagnose(each.failure).cause


@pytest.mark.parametrize("each", OF_SYNCS, ids=lambda each: each.name)
def test_a_failure_among_the_lines_of_a_whole_sync_has_the_same_cause(each: Recorded) -> None:
    among = among_noise(each.failure, BEFORE_SYNC, AFTER_SYNC)
    assert diagnose(among).cause == diagnose(each.failure).cause


def test_the_lines_of_a_whole_sync_without_an_error_are_no_cause() -> None:
    assert diagnose(among_noise(Failure((), "Airbyte", "failed"), BEFORE_SYNC, AFTER_SYNC)).cause == UNKNOWN


@pytest.mark.parametrize("reason", ["exit status 1", "Command failed with exit code 1", "Job aborted."])
def test_the_lines_of_a_log_without_an_error_are_no_cause(reason: str) -> None:
    assert diagnose(among_noise(Failure((Line(reason),), "Glue", "FAILED"))).cause == UNKNOWN


def test_a_log_that_was_cut_in_the_middle_of_a_trace_is_read() -> None:
    text = (
        "java.lang.OutOfMemoryError: Java heap space\n\tat org.apache.spark.executor.Executor$TaskRunner.ru"
    )
    assert diagnose(Failure((Line(text, "driver"),), "Glue", "FAILED")).cause.code == "G117"


@pytest.mark.parametrize(
    "line",
    [
        "2024-05-01 10:00:00 ERROR i.a.w.DefaultReplicationWorker(run):141 - Sync worker failed.",
        "2024-05-01 10:00:00 platform > Source process exited with non-zero exit code 1",
        "2024-05-01 10:00:00 platform > Attempting to update workload: 1_2_0_sync to FAILED.",
        "2024-05-01 10:00:00 platform > Transitioning workload to failure",
        "2024-05-01 10:00:00 platform > Heartbeat monitor thread stopped.",
        "2024-05-01 10:00:00 ERROR c.n.s.DateTimeValidator: The supplied format does not match the specification",
        "2024-05-01 10:00:00 source > Backing off _send(...) for 5.0s (ConnectionError: Read timed out)",
        "2024-05-01 10:00:00 source > Exception while syncing stream laps",
        "2024-05-01 10:00:00 platform > Job failed after too many retries for connection 5ad1",
        "2024-05-01 10:00:00 source > Something went wrong in the connector. See the logs for more details.",
    ],
)
def test_the_lines_of_every_failed_sync_are_no_cause(line: str) -> None:
    lines = (Line("exit status 1"), Line(line, "driver"))
    assert diagnose(Failure(lines, "Airbyte", "failed")).cause == UNKNOWN


def test_a_warning_among_the_lines_of_a_log_is_no_cause() -> None:
    warned = Line("24/05/01 10:00:12 WARN Laps: read timed out for 3 ms", "driver")
    assert diagnose(Failure((Line("exit status 1"), warned), "Glue", "FAILED")).cause == UNKNOWN


def test_an_option_of_java_is_not_the_error_that_it_names() -> None:
    reason = (
        "ExecutorLostFailure (executor 9 exited) Reason: Container marked as failed. Exit status: 134. "
        "Command: java -server -XX:OnOutOfMemoryError='kill %p' -Dspark.driver.maxResultSize=4g Backend"
    )
    assert diagnose(Failure((Line(reason),), "Glue", "FAILED")).cause.code == "G110"


def test_an_error_in_a_document_of_several_lines_is_read() -> None:
    log = '{\n  "duration": "2.5 secs",\n  "message": "org.example.SqlException: Table not found: laps"\n}'
    lines = [Line(text, "driver") for text in log.splitlines()]
    assert diagnose(Failure(tuple(lines), "Glue", "FAILED")).cause.code == "G134"


def test_a_task_that_failed_like_one_before_is_read_though_its_level_is_info() -> None:
    log = (
        "14/09/19 09:27:38 INFO TaskSetManager: Lost task 0.1 in stage 3.0 (TID 4) on executor 10.0.0.9: "
        "java.lang.ClassNotFoundException (org.example.Laps) [duplicate 1]"
    )
    assert diagnose(Failure((Line(log, "driver"),), "Glue", "FAILED")).cause.code == "G144"
