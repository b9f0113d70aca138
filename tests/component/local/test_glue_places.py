"""Glue jobs run scripts of the lake, never a file of this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from support.served import Served

ARGUMENTS = ("--extra-py-files", "--extra-files", "--extra-jars", "--TempDir", "--spark-event-logs-path")


@pytest.fixture(scope="module")
def glue(server: Served) -> Any:
    server.request("POST", "stack", {"buckets": ["code"]})
    server.client("s3").put_object(Bucket="code", Key="job.py", Body=b"print('hello')\n")
    client = server.client("glue")
    client.create_job(
        Name="right", Role="r", Command={"Name": "glueetl", "ScriptLocation": "s3://code/job.py"}
    )
    return client


@pytest.fixture
def file(tmp_path: Path) -> str:
    """A file of this machine that would show that it was run."""
    script = tmp_path / "job.py"
    script.write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    return str(script)


def refusal(call: Any, **parameters: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**parameters)
    error = caught.value.response["Error"]
    assert error["Code"] == "InvalidInputException", error
    return str(error["Message"])


@pytest.mark.parametrize("form", ["{}", "file://{}", " {}", "../..{}"])
def test_a_script_of_this_machine_is_refused(glue: Any, file: str, form: str) -> None:
    place = form.format(file)
    command = {"Name": "glueetl", "ScriptLocation": place}
    assert place in refusal(glue.create_job, Name="wrong", Role="r", Command=command)
    assert "wrong" not in glue.list_jobs()["JobNames"]
    assert place in refusal(glue.update_job, JobName="right", JobUpdate={"Role": "r", "Command": command})
    assert glue.get_job(JobName="right")["Job"]["Command"]["ScriptLocation"] == "s3://code/job.py"


@pytest.mark.parametrize("name", ARGUMENTS)
def test_an_argument_that_names_a_file_of_this_machine_is_refused(glue: Any, file: str, name: str) -> None:
    arguments = {name: f"s3://code/job.py,{file}"}
    command = {"Name": "glueetl", "ScriptLocation": "s3://code/job.py"}
    assert name in refusal(
        glue.create_job, Name="wrong", Role="r", Command=command, DefaultArguments=arguments
    )
    runs = len(glue.get_job_runs(JobName="right")["JobRuns"])
    assert name in refusal(glue.start_job_run, JobName="right", Arguments=arguments)
    assert len(glue.get_job_runs(JobName="right")["JobRuns"]) == runs
    assert not Path(file).with_name("ran").exists()
