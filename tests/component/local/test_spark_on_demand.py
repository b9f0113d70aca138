"""A JVM is started for scripts that use Spark, and for nothing else."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from etltctl.local.kernel.spark_use import uses_spark
from etltctl.local.services.glue.class_archive import installed_archive
from etltctl.local.services.glue.service import GlueRuns
from etltctl.local.services.glue.spark import SparkPool
from etltctl.local.services.s3.directory import S3Directory
from support.java_processes import java_processes
from support.served import wait_until

ENDED = {"SUCCEEDED", "FAILED", "STOPPED", "TIMEOUT"}
PLAIN = "import sys\nassert 'pyspark' not in sys.modules\nprint('no Spark here')\n"
# No import statement names Spark, so no JVM waits for this script. It needs one only near its end.
LATE = """
import importlib, sys, time
time.sleep(2)
spark = importlib.import_module("pyspark.sql").SparkSession.builder.getOrCreate()
print("rows", spark.range(7).count())
"""
EARLY = "from pyspark.sql import SparkSession\nprint('rows', SparkSession.builder.getOrCreate().range(7).count())\n"


BROKEN_JAVA = {"JAVA_TOOL_OPTIONS": "-agentlib:nothing"}  # a missing library
Run = Callable[[str], dict[str, Any]]


@pytest.fixture
def environ() -> dict[str, str]:
    """Return further environment variables of Java and the scripts."""
    return {}


@pytest.fixture
def idle_s() -> float:
    """Return the seconds after which an idle spare JVM ends."""
    return 600.0


@pytest.fixture
def pool(tmp_path: Path, environ: dict[str, str], idle_s: float) -> Iterator[SparkPool]:
    folders = tmp_path / "spark", tmp_path / "s3"
    pool = SparkPool(*folders, list, "http://127.0.0.1:1", environ, installed_archive(), idle_s)
    yield pool
    pool.close()


@pytest.fixture
def run(tmp_path: Path, pool: SparkPool) -> Run:
    """Run a script as a Glue job and return the record of the run once it has ended."""
    directory = S3Directory(tmp_path / "s3", tmp_path / "s3-meta")
    directory.create_bucket("code")
    job = {"Name": "job", "Command": {"ScriptLocation": "s3://code/job.py"}}
    runs = GlueRuns(tmp_path / "runs", directory, lambda _: job, pool)

    def finish(script: str) -> dict[str, Any]:
        directory.put_object("code", "job.py", script.encode())
        run_id = runs.start({"JobName": "job"})["JobRunId"]
        parameters = {"JobName": "job", "RunId": run_id}
        wait_until(lambda: runs.get(parameters)["JobRun"]["JobRunState"] in ENDED, 120)
        record: dict[str, Any] = runs.get(parameters)["JobRun"]
        return record | {"output": runs.log_file(run_id, "output").read_text()}

    return finish


def has_had_java(tmp_path: Path) -> bool:
    """Return whether the pool has ever started Java, for which it writes this file."""
    return (tmp_path / "spark" / "log4j2.properties").exists()


def test_a_script_without_spark_runs_without_a_jvm(run: Run, tmp_path: Path) -> None:
    record = run(PLAIN)
    assert record["JobRunState"] == "SUCCEEDED"
    assert "no Spark here" in record["output"]
    assert not has_had_java(tmp_path)


@pytest.mark.spark
def test_a_script_that_uses_spark_late_without_an_import_still_gets_it(run: Run, tmp_path: Path) -> None:
    record = run(LATE)
    assert record["JobRunState"] == "SUCCEEDED"
    assert "rows 7" in record["output"]
    assert has_had_java(tmp_path)


@pytest.mark.spark
@pytest.mark.parametrize("idle_s", [0.01])
def test_a_spare_jvm_that_ended_idle_is_replaced_on_demand(run: Run, pool: SparkPool, tmp_path: Path) -> None:
    pool.warm()
    wait_until(lambda: bool(java_processes(tmp_path / "spark")))
    wait_until(lambda: not java_processes(tmp_path / "spark"), 120)
    assert "rows 7" in run(EARLY)["output"]


@pytest.mark.parametrize("idle_s", [1.0])
def test_nothing_counts_as_idle_while_a_run_has_a_jvm(pool: SparkPool, tmp_path: Path) -> None:
    lent = pool.take()
    pool.warm(is_rehearsed=False)  # as the next run does
    wait_until(lambda: len(java_processes(tmp_path / "spark")) == 2)
    pool.take()
    time.sleep(2.5)
    assert len(java_processes(tmp_path / "spark")) == 2
    pool.give_back(lent)


def test_a_jvm_that_is_returned_while_a_spare_starts_is_not_left_running(
    pool: SparkPool, tmp_path: Path
) -> None:
    lent = pool.take()
    pool.warm(is_rehearsed=False)
    pool.give_back(lent)
    assert pool.take() is lent
    wait_until(lambda: len(java_processes(tmp_path / "spark")) == 1)


@pytest.mark.parametrize("environ", [BROKEN_JAVA])
@pytest.mark.parametrize("script", [EARLY, LATE], ids=["announced", "unannounced"])
def test_a_run_whose_jvm_does_not_start_fails_with_java_s_reason(run: Run, script: str) -> None:
    record = run(script)
    assert record["JobRunState"] == "FAILED"
    assert record["ErrorMessage"].startswith("LAUNCH ERROR | the JVM did not start: ")
    assert "nothing" in record["ErrorMessage"]


@pytest.mark.parametrize(
    ("source", "is_spark"),
    [
        ("import pyspark.sql", True),
        ("def f():\n    from pyspark import SparkContext", True),
        ("from awsglue.context import GlueContext", True),
        ("from awsglue import DynamicFrame", True),
        ("from awsglue.utils import getResolvedOptions", False),
        ("import boto3, pysparkling\n# import pyspark", False),
    ],
)
def test_the_imports_of_its_files_decide_whether_a_job_uses_spark(
    tmp_path: Path, source: str, is_spark: bool
) -> None:
    (tmp_path / "job.py").write_text("import helper\n")
    with ZipFile(tmp_path / "helper.zip", "w") as archive:
        archive.writestr("helper.py", source)
    (tmp_path / "settings.json").write_text("import pyspark")
    assert uses_spark(tmp_path / "job.py", [tmp_path / "helper.zip", tmp_path / "settings.json"]) is is_spark
    (tmp_path / "job.py").write_text(source)
    assert uses_spark(tmp_path / "job.py", []) is is_spark


def test_a_damaged_extra_file_does_not_fail_the_check(tmp_path: Path) -> None:
    (tmp_path / "helper.zip").write_bytes(b"no archive")
    assert not uses_spark(tmp_path / "missing.py", [tmp_path / "helper.zip"])


def test_only_modules_that_a_script_imports_count(tmp_path: Path) -> None:
    script, near, far = (tmp_path / name for name in ("job.py", "near.py", "far.py"))
    script.write_text("import json, near as n")
    near.write_text("x = 1")
    far.write_text("import pyspark")
    assert not uses_spark(script, [near, far])
    near.write_text("from far import y")
    assert uses_spark(script, [near, far])


def test_an_encrypted_archive_counts_as_an_archive_without_spark(tmp_path: Path) -> None:
    archive = tmp_path / "closed.zip"
    with ZipFile(archive, "w") as zip_file:
        zip_file.writestr("a.py", "import pyspark")
    content = bytearray(archive.read_bytes())
    for signature, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + at] |= 1  # the flag of encryption
    archive.write_bytes(content)
    assert not uses_spark(tmp_path / "missing.py", [archive])
