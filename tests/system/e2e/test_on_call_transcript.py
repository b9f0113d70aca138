"""The night of the page for operators: a job runs out of memory, `why` says so, and a retry ends it."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
from pathlib import Path

import pytest

from etltctl.local.kernel.processes import wait_until
from support.sample_settings import on_sample
from support.transcripts import agree, transcripts
from support.workplace import ETLTCTL, Workplace

PAGE = "docs/how-to/at-3-am.md"
LONGEST_S = 180.0
PROJECT = """
version = 1

[sources.api]
kind = "http"
base_url = "sample:"
seasons = "all"
rate = "1000/s"
streams = ["races"]
connection_id = "given by the server"

[pipelines.races]
steps = ["sync:api", "glue:races_to_silver", "athena:refresh"]

[glue.jobs.races_to_silver]
script = "glue_jobs/races_to_silver.py"
reads = ["bronze.api_races"]
writes = ["silver.race"]
"""
# The embedded services have one size of heap, so the script takes from the type of its workers how much it may collect.
SCRIPT = """
import json
import pathlib
import sys
import time

import boto3
from awsglue.utils import getResolvedOptions
from pyspark.sql import SparkSession

options = getResolvedOptions(sys.argv, ["JOB_NAME", "JOB_RUN_ID", "outputs"])
spark = SparkSession.builder.getOrCreate()
run = boto3.client("glue").get_job_run(JobName=options["JOB_NAME"], RunId=options["JOB_RUN_ID"])["JobRun"]
if run["WorkerType"] == "G.1X":
    spark.range(1).selectExpr("repeat('x', 2000000000) as laps").collect()
while not pathlib.Path(GO_ON).exists():
    time.sleep(0.1)
for location in json.loads(options["outputs"]).values():
    spark.range(24).selectExpr("id as race").coalesce(1).write.parquet(location)
"""


@pytest.fixture
def place(workplace: Workplace) -> Workplace:
    (workplace.folder / "etltctl.toml").write_text(on_sample(PROJECT))
    (workplace.folder / "glue_jobs").mkdir()
    go_on = str(workplace.folder / "go-on")
    (workplace.folder / "glue_jobs" / "races_to_silver.py").write_text(f"GO_ON = {go_on!r}\n{SCRIPT}")
    return workplace


def events(folder: Path) -> list[dict[str, object]]:
    [file] = (folder / ".etltctl" / "runs").glob("*.ndjson")
    return [json.loads(line) for line in file.read_text().splitlines() if line.endswith("}")]


def retried(place: Workplace, command: str) -> subprocess.CompletedProcess[str]:
    """Run the retry, and press Ctrl-C once its job runs."""
    words = [ETLTCTL, *shlex.split(command)]
    with subprocess.Popen(
        words,
        cwd=place.folder,
        env=place.full_environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        try:
            assert wait_until(lambda: is_job_running(events(place.folder)), LONGEST_S)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=LONGEST_S)
        finally:
            process.kill()
    return subprocess.CompletedProcess(words, process.returncode, out, err)


def is_job_running(run: list[dict[str, object]]) -> bool:
    """Return whether the job of the second try is seen to run."""
    starts = [number for number, event in enumerate(run) if event["type"] == "run.started"]
    later = run[starts[-1] :] if len(starts) > 1 else []
    return any(event.get("state") == "RUNNING" for event in later)


@pytest.mark.e2e
def test_the_night_goes_as_the_page_shows(place: Workplace) -> None:
    shown = transcripts(PAGE)
    commands = [command for command, _ in shown]
    assert [command.split()[0] for command in commands] == ["why", "retry", "runs"]
    place.run("run", "races", code=1)
    for command, lines in shown:
        if command.startswith("retry"):
            done = retried(place, command)
            assert done.returncode == 130
            (place.folder / "go-on").touch()
        else:
            run_id = str(events(place.folder)[1]["run_id"])
            done = place.run(*(run_id[-4:] if word == "p3xa" else word for word in shlex.split(command)))
        printed = [line for line in lines if line != "^C"]
        assert agree(printed, done), "\n".join(printed) + f"\n\n{done.stderr}{done.stdout}"
