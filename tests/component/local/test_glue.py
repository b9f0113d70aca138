"""Glue job runs, started by unmodified boto3: they really run, and end as on Glue."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from etltctl.local.services.glue.service import GlueRuns
from etltctl.local.services.glue.spark import SparkPool, parse_conf
from etltctl.local.services.s3.directory import S3Directory
from support.served import Served, serve, wait_until

ENDED = {"SUCCEEDED", "FAILED", "STOPPED", "TIMEOUT"}
SCRIPT = """
import os, sys, time
from awsglue.utils import getResolvedOptions
from shared_words import WORD
options = getResolvedOptions(sys.argv, ["JOB_NAME", "do"])
print(WORD, options["JOB_NAME"], sorted(os.environ))
if options["do"] == "raise":
    raise ValueError("no such luck\\nsecond line")
if options["do"] == "sleep":
    time.sleep(120)
if options["do"] == "exit":
    sys.exit(3)
if options["do"] == "die":
    os._exit(7)
if options["do"] == "spark":
    from pyspark.sql import SparkSession
    spark = SparkSession.builder.getOrCreate()
    spark.range(10).write.mode("error").parquet(sys.argv[sys.argv.index("--out") + 1])
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A separate server for this module: the JVM that waits for its next run ends with it."""
    with serve(tmp_path_factory.mktemp("state"), "--keep") as served:
        yield served


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scripts")
    (folder / "job.py").write_text(SCRIPT)
    (folder / "shared_words.py").write_text("WORD = 'hello'\n")
    return folder


def stack(scripts: Path) -> dict[str, Any]:
    job = {
        "name": "job",
        "script": str(scripts / "job.py"),
        "extra_files": [str(scripts / "shared_words.py")],
        "script_location": "s3://lake-scripts/glue_jobs/job.py",
        "role": "glue",
        "glue_version": "5.1",
        "worker_type": "G.1X",
        "workers": 2,
        "timeout_minutes": 5,
    }
    return {"buckets": ["lake", "lake-scripts"], "jobs": [job]}


@pytest.fixture
def glue(server: Served, scripts: Path) -> Any:
    assert server.request("POST", "stack", stack(scripts))[0] == 200
    return server.client("glue")


def ended(glue: Any, run_id: str) -> dict[str, Any]:
    wait_until(lambda: glue.get_job_run(JobName="job", RunId=run_id)["JobRun"]["JobRunState"] in ENDED, 60)
    run: dict[str, Any] = glue.get_job_run(JobName="job", RunId=run_id)["JobRun"]
    return run


def run(glue: Any, **arguments: str) -> dict[str, Any]:
    job_arguments = {f"--{name}": value for name, value in arguments.items()}
    return ended(glue, glue.start_job_run(JobName="job", Arguments=job_arguments)["JobRunId"])


def lines(server: Served, run_id: str, kind: str) -> str:
    answer = server.client("logs").filter_log_events(
        logGroupName=f"/aws-glue/jobs/{kind}", logStreamNamePrefix=run_id
    )
    return "\n".join(event["message"] for event in answer["events"])


def test_a_run_succeeds_with_a_full_record(glue: Any, server: Served) -> None:
    record = run(glue, do="print")
    assert record["JobRunState"] == "SUCCEEDED"
    assert "ErrorMessage" not in record
    assert record["StartedOn"] <= record["CompletedOn"]
    assert record["Arguments"]["--do"] == "print"
    assert (record["GlueVersion"], record["WorkerType"], record["NumberOfWorkers"]) == ("5.1", "G.1X", 2)
    assert record["LogGroupName"] == "/aws-glue/jobs"
    assert lines(server, record["Id"], "output").startswith("hello job")


def test_a_script_sees_nothing_of_the_user_s_environment(glue: Any, server: Served) -> None:
    seen = lines(server, run(glue, do="print")["Id"], "output")
    assert "AWS_ENDPOINT_URL" in seen
    assert "PYTEST_CURRENT_TEST" not in seen


def test_an_exception_fails_the_run_with_its_message(glue: Any, server: Served) -> None:
    record = run(glue, do="raise")
    assert (record["JobRunState"], record["ErrorMessage"]) == ("FAILED", "ValueError: no such luck")
    written = lines(server, record["Id"], "output")
    assert "Traceback" in written
    assert "second line" in written
    assert "Traceback" not in lines(server, record["Id"], "error")


@pytest.mark.parametrize(
    ("do", "message"), [("exit", "SystemExit: 3"), ("die", "Command failed with exit code 7")]
)
def test_a_script_that_exits_early_fails_too(glue: Any, do: str, message: str) -> None:
    record = run(glue, do=do)
    assert (record["JobRunState"], record["ErrorMessage"]) == ("FAILED", message)


def test_a_second_concurrent_run_is_refused_at_once(glue: Any) -> None:
    first = glue.start_job_run(JobName="job", Arguments={"--do": "sleep"})["JobRunId"]
    with pytest.raises(ClientError) as caught:
        glue.start_job_run(JobName="job", Arguments={"--do": "print"})
    assert caught.value.response["Error"]["Code"] == "ConcurrentRunsExceededException"
    glue.batch_stop_job_run(JobName="job", JobRunIds=[first])
    assert ended(glue, first)["JobRunState"] == "STOPPED"


def test_a_stopped_run_leaves_no_process(glue: Any, server: Served) -> None:
    run_id = glue.start_job_run(JobName="job", Arguments={"--do": "sleep"})["JobRunId"]
    wait_until(lambda: "hello" in lines(server, run_id, "output"))
    before = server.family()
    answer = glue.batch_stop_job_run(JobName="job", JobRunIds=[run_id, "jr_unknown"])
    assert [one["JobRunId"] for one in answer["SuccessfulSubmissions"]] == [run_id]
    assert [one["ErrorDetail"]["ErrorCode"] for one in answer["Errors"]] == ["EntityNotFoundException"]
    record = ended(glue, run_id)
    assert record["JobRunState"] == "STOPPED"
    assert "ErrorMessage" not in record
    assert (
        len(server.family() & before) < len(before) - 1
    )  # neither the script nor the process that monitors it
    again = glue.batch_stop_job_run(JobName="job", JobRunIds=[run_id])
    assert again["Errors"][0]["ErrorDetail"]["ErrorCode"] == "InvalidInputException"


def test_a_missing_resource_is_reported_in_glue_s_words(glue: Any) -> None:
    for call in (
        lambda: glue.start_job_run(JobName="nothing"),
        lambda: glue.get_job_run(JobName="job", RunId="jr_unknown"),
        lambda: glue.get_job_runs(JobName="nothing"),
    ):
        with pytest.raises(ClientError) as caught:
            call()
        assert caught.value.response["Error"]["Code"] == "EntityNotFoundException"


def test_runs_are_listed_newest_first_page_by_page(glue: Any) -> None:
    newest = [run(glue, do="print")["Id"] for _ in range(3)][::-1]
    first = glue.get_job_runs(JobName="job", MaxResults=2)
    second = glue.get_job_runs(JobName="job", MaxResults=2, NextToken=first["NextToken"])
    assert [job_run["Id"] for job_run in first["JobRuns"] + second["JobRuns"]][:3] == newest


def test_a_missing_bucket_fails_the_run(glue: Any) -> None:
    record = run(glue, do="spark", out="s3://nowhere/t/")
    assert record["JobRunState"] == "FAILED"
    assert "The specified bucket does not exist: nowhere" in record["ErrorMessage"]


@pytest.mark.spark
def test_spark_writes_objects_and_its_second_run_is_quick(glue: Any, server: Served) -> None:
    assert run(glue, do="spark", out="s3://lake/t/v=1/")["JobRunState"] == "SUCCEEDED"
    started = time.monotonic()
    assert run(glue, do="spark", out="s3://lake/t/v=2/")["JobRunState"] == "SUCCEEDED"
    assert time.monotonic() - started < 10
    keys = [
        entry["Key"]
        for entry in server.client("s3").list_objects_v2(Bucket="lake", Prefix="t/v=2/")["Contents"]
    ]
    assert "t/v=2/_SUCCESS" in keys
    assert not [key for key in keys if key.endswith(".crc") or "_temporary" in key]
    again = run(glue, do="spark", out="s3://lake/t/v=2/")
    assert again["JobRunState"] == "FAILED"
    assert "PATH_ALREADY_EXISTS" in again["ErrorMessage"]


def test_the_next_server_reports_the_run_of_a_killed_server_as_failed(tmp_path: Path, scripts: Path) -> None:
    with serve(tmp_path / "state", "--keep") as served:
        served.request("POST", "stack", stack(scripts))
        run_id = served.client("glue").start_job_run(JobName="job", Arguments={"--do": "sleep"})["JobRunId"]
        wait_until(lambda: "hello" in lines(served, run_id, "output"))
        os.kill(served.process.pid, signal.SIGKILL)
        served.process.wait()
        wait_until(lambda: not served.family())
    with serve(tmp_path / "state", "--keep") as served:
        record = served.client("glue").get_job_run(JobName="job", RunId=run_id)["JobRun"]
        assert record["JobRunState"] == "FAILED"
        assert record["ErrorMessage"] == "the embedded server that ran it ended before the run did"


def test_a_run_past_its_timeout_ends_as_timeout(tmp_path: Path, scripts: Path) -> None:
    """A minute lasts a twentieth of a second in this test."""
    directory = S3Directory(tmp_path / "s3", tmp_path / "s3-meta")
    directory.create_bucket("code")
    directory.put_object("code", "job.py", b"import time\ntime.sleep(60)\n")
    job = {"Name": "slow", "Command": {"ScriptLocation": "s3://code/job.py"}, "Timeout": 10}
    pool = SparkPool(tmp_path / "spark", tmp_path / "s3", directory.buckets, "http://127.0.0.1:1")
    runs = GlueRuns(tmp_path / "runs", directory, lambda _: job, pool, minute_s=0.05)
    try:
        run_id = runs.start({"JobName": "slow"})["JobRunId"]
        parameters = {"JobName": "slow", "RunId": run_id}
        wait_until(lambda: runs.get(parameters)["JobRun"]["JobRunState"] in ENDED)
        record = runs.get(parameters)["JobRun"]
        assert record["JobRunState"] == "TIMEOUT"
        assert "timeout of 10 minutes" in record["ErrorMessage"]
    finally:
        pool.close()


def test_spark_settings_are_accepted_as_glue_s_users_write_them() -> None:
    assert parse_conf("a.b=1 --conf c.d='x y'") == {"a.b": "1", "c.d": "x y"}
    assert parse_conf("") == {}
