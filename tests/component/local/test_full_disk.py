"""A full disk: new starts are refused, ended runs stay recorded, and with room again everything continues."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from etltctl.local.services.airbyte.jobs import Jobs, Status
from etltctl.local.services.s3.directory import S3Directory
from support.served import serve, wait_until

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("mount"), reason="only root mounts a small disk"
)
JOB = {"Name": "j", "Role": "r", "Command": {"Name": "glueetl", "ScriptLocation": "s3://lake/none.py"}}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 24 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "none", folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def fill_up(disk: Path) -> Path:
    """Fill the disk; return the file that takes the room."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as stream:
        try:
            while stream.write(b"x" * 4096):
                pass
        except OSError:
            return filler


def refused(call: Any, **parameters: Any) -> str:
    """Return the service's message that refuses the call."""
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    return str(caught.value)


def test_starts_are_refused_by_name_and_leave_nothing_behind(disk: Path) -> None:
    with serve(disk / "state", "--keep") as server:
        glue, athena = server.client("glue"), server.client("athena")
        server.client("s3").create_bucket(Bucket="lake")
        glue.create_job(**JOB)
        query = {"QueryString": "select 1", "ResultConfiguration": {"OutputLocation": "s3://lake/r/"}}
        filler = fill_up(disk)

        for _ in range(2):  # the second refusal would name a held slot
            message = refused(glue.start_job_run, JobName="j")
            assert "InternalServiceException" in message
            assert "no space left on device" in message
        assert glue.get_job_runs(JobName="j")["JobRuns"] == []
        assert "no space left on device" in refused(athena.start_query_execution, **query)
        assert athena.list_query_executions()["QueryExecutionIds"] == []
        assert "no space left" in refused(glue.create_database, DatabaseInput={"Name": "late"})
        put = refused(server.client("s3").put_object, Bucket="lake", Key="k", Body=b"x" * 9000)
        assert "the disk of the embedded S3 is full; nothing was stored" in put

        filler.unlink()
        run = glue.start_job_run(JobName="j")["JobRunId"]
        wait_until(lambda: state(glue, run) == "FAILED")
        assert glue.get_job_runs(JobName="j")["JobRuns"][0]["ErrorMessage"].startswith("LAUNCH ERROR")
        assert "late" not in (disk / "state/server/aws.json").read_text()


def state(glue: Any, run: str) -> str:
    """Return the current state of the run."""
    return str(glue.get_job_run(JobName="j", RunId=run)["JobRun"]["JobRunState"])


def test_a_sync_that_cannot_be_recorded_does_not_start_and_one_that_ends_stays_recorded(disk: Path) -> None:
    file = disk / "jobs.json"
    jobs = Jobs(file, time.time)
    running = jobs.create("one")
    filler = fill_up(disk)
    with pytest.raises(OSError, match="No space left"):
        jobs.create("other")
    assert jobs.current("other") is None
    jobs.end(running.id, Status.SUCCEEDED)
    assert jobs.current("one") is None
    filler.unlink()
    jobs.flush()
    assert json.loads(file.read_text())["jobs"][0]["status"] == "succeeded"


def test_facts_that_cannot_be_written_leave_no_file_behind(disk: Path) -> None:
    directory = S3Directory(disk / "s3", disk / "meta")
    directory.create_bucket("lake")
    directory.put_object("lake", "k", b"bytes", metadata={"name": "old"})
    fill_up(disk)
    with pytest.raises(OSError, match="No space left"):
        directory.describe_again("lake", "k", lambda old: replace(old, metadata={"name": "new"}))
    assert list((disk / "meta" / ".scratch").iterdir()) == []
    assert directory.head_object("lake", "k").metadata == {"name": "old"}


def test_a_catalog_change_that_is_refused_never_happens_and_those_before_it_stay(disk: Path) -> None:
    table = {"Name": "t", "StorageDescriptor": {}, "PartitionKeys": [{"Name": "p", "Type": "string"}]}
    batch = {"DatabaseName": "early", "TableName": "t", "PartitionInputList": [{"Values": ["1"]}]}
    with serve(disk / "state", "--keep") as server:
        glue = server.client("glue")
        glue.create_database(DatabaseInput={"Name": "early"})
        glue.create_table(DatabaseName="early", TableInput=table)
        glue.batch_create_partition(**batch)
        filler = fill_up(disk)
        for _ in range(2):  # the same message: the first call created nothing
            assert "no space left" in refused(glue.create_database, DatabaseInput={"Name": "late"})
        assert "no space left" in refused(glue.delete_database, Name="early")
        assert databases(glue) == ["early"]
        filler.unlink()
        glue.create_database(DatabaseInput={"Name": "next"})
    with serve(disk / "state", "--keep") as server:
        glue = server.client("glue")
        assert databases(glue) == ["early", "next"]
        partitions = glue.get_partitions(DatabaseName="early", TableName="t")["Partitions"]
        assert [partition["Values"] for partition in partitions] == [["1"]]


def databases(glue: Any) -> list[str]:
    """Return the names of the catalog's databases."""
    return [database["Name"] for database in glue.get_databases()["DatabaseList"]]
