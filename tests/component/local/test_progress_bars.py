"""The progress bar of Spark's stages, as the embedded Glue keeps it: a separate stream, and no line of the log."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from etltctl.aws import Aws
from etltctl.local.services.glue.progress_bar import keep_bars, newest_picture, without_pictures
from etltctl.logs import Logs, ProgressBar
from etltctl.runs import JobRun, SparkStage
from support.served import Served, serve, wait_until

DRAWN = b"one\n\r[Stage 0:>  (0 + 2) / 4]\r\r[Stage 0:=> (2 + 2) / 4]\r26/11/29 WARN Task: slow\n\r        \rtwo\n"
SLOW = """
import time
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
spark.sparkContext.parallelize(range(4), 4).map(lambda number: time.sleep(2) or number).count()
"""


def test_the_newest_picture_is_the_bar_and_the_lines_stay_whole() -> None:
    assert newest_picture(DRAWN) == "[Stage 0:=> (2 + 2) / 4]"
    assert newest_picture(b"no bar\n") == ""
    assert without_pictures(DRAWN) == b"one\n26/11/29 WARN Task: slow\ntwo\n"


def test_a_bar_is_kept_once_for_each_change(tmp_path: Path) -> None:
    class Ended(Event):
        """Ends after four rounds, without the time between them."""

        rounds = 0

        def wait(self, timeout: float | None = None) -> bool:
            self.rounds += 1
            return self.rounds > 4

    logs = iter([b"", DRAWN, DRAWN, DRAWN + b"\r[Stage 1:> (0 + 1) / 2]\r"])
    keep_bars(lambda most: next(logs)[-most:], tmp_path / "bars.log", Ended(), lambda: 1.5)
    bars = (tmp_path / "bars.log").read_text()
    assert bars == "1500\t[Stage 0:=> (2 + 2) / 4]\n1500\t[Stage 1:> (0 + 1) / 2]\n"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Served]:
    with serve(tmp_path / "state", "--keep") as served:
        script = tmp_path / "slow.py"
        script.write_text(SLOW)
        job = {"name": "slow", "script": str(script), "script_location": "s3://code/slow.py"}
        assert served.request("POST", "stack", {"buckets": ["code"], "jobs": [job]})[0] == 200
        yield served


@pytest.mark.spark
def test_a_job_run_on_spark_shows_its_stage_and_logs_no_bar(
    server: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in server.environ.items():
        monkeypatch.setenv(name, value)
    glue, aws = server.client("glue"), Aws(region="us-east-1")
    run_id = glue.start_job_run(JobName="slow")["JobRunId"]
    run, stages = JobRun(run_id, "slow", "RUNNING"), []

    def has_ended() -> bool:
        # A new reader each time: one reader gives a run up that has no bar for many polls.
        stages.append(ProgressBar(aws).newest_stage(run))
        return bool(glue.get_job_run(JobName="slow", RunId=run_id)["JobRun"]["JobRunState"] == "SUCCEEDED")

    wait_until(has_ended, 120)
    assert {(stage.number, stage.tasks) for stage in stages if isinstance(stage, SparkStage)} == {(0, 4)}
    assert [line.text for line in Logs(aws).new_lines(run) if "Stage" in line.text] == []
