"""Earlier runs of a job and of a query, read by the library's own clients."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from etltctl.athena import Athena
from etltctl.aws import Aws
from etltctl.glue import Glue
from etltctl.runs import State, Verb
from etltctl.worker_sizes import WorkerSize
from support.served import Served, serve, wait_until


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A separate server for this module: the JVM that waits for its next run ends with it."""
    with serve(tmp_path_factory.mktemp("state"), "--keep") as served:
        yield served


@pytest.fixture
def glue(server: Served, aws: Aws, tmp_path: Path) -> Glue:
    script = tmp_path / "job.py"
    script.write_text("pass")
    job = {"name": "quick", "script": str(script), "script_location": "s3://lake-scripts/job.py"}
    stack = {"buckets": ["lake-scripts", "results"], "jobs": [job]}
    stack["workgroup"] = {"name": "pi-m3", "output_location": "s3://results/"}
    assert server.request("POST", "stack", stack)[0] == 200
    return Glue(aws)


def test_the_history_of_a_job_is_read(glue: Glue) -> None:
    for number in range(3):
        _, run = glue.start_or_adopt("quick", f"key-{number}", lambda _: {})
        wait_until(lambda run=run: glue.poll("quick", run.id).state is not State.RUNNING, 60)
    assert len(glue.durations("quick")) == 3
    assert glue.dpu_seconds("quick") == [0.0] * 3, "no one is billed for this machine"


def test_the_same_key_finds_the_same_query_again(glue: Glue, aws: Aws) -> None:
    athena = Athena(aws, "pi-m3")
    assert athena.start("select 7", "key").id == athena.start("select 7", "key").id


def test_glue_s_own_retry_of_a_failed_run_is_found(
    server: Served, glue: Glue, aws: Aws, tmp_path: Path
) -> None:
    marker = tmp_path / "tried"
    once = f"p = Path({str(marker)!r})\nif not p.exists():\n    p.touch()\n    raise ValueError"
    script = f"from pathlib import Path\n{once}"
    aws.client("s3").put_object(Bucket="lake-scripts", Key="twice.py", Body=script.encode())
    command = {"Name": "glueetl", "ScriptLocation": "s3://lake-scripts/twice.py"}
    aws.client("glue").create_job(Name="twice", Role="r", Command=command, MaxRetries=1)
    _, first = glue.start_or_adopt("twice", "key", lambda _: {})
    wait_until(lambda: glue.poll("twice", first.id).state is State.FAILED, 60)
    retry = glue.retry_of(first)
    assert retry is not None
    wait_until(lambda: glue.poll("twice", retry.id).state is not State.RUNNING, 60)
    verb, run = glue.start_or_adopt("twice", "key", lambda _: {})
    assert (verb, run.id, run.status) == (Verb.REUSED, retry.id, "SUCCEEDED")


def test_a_run_gets_the_workers_that_its_start_names_and_the_next_one_those_of_the_job(
    glue: Glue, aws: Aws
) -> None:
    sizes = {}
    for key, size in (("large", WorkerSize("R.2X", 3)), ("plain", None)):
        _, run = glue.start_or_adopt("quick", key, lambda _: {}, size=size)
        wait_until(lambda run=run: glue.poll("quick", run.id).state is not State.RUNNING, 60)
        sizes[key] = glue.poll("quick", run.id).size
        described = aws.client("glue").get_job_run(JobName="quick", RunId=run.id)["JobRun"]
        assert described["MaxCapacity"] == (6.0 if size else 2.0)
    assert sizes == {"large": WorkerSize("R.2X", 3), "plain": WorkerSize("G.1X", 2)}
