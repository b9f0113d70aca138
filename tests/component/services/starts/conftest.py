"""The clients of Glue and Airbyte, on a server that remembers hundreds of runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from etltctl.airbyte import Airbyte
from etltctl.aws import Aws
from etltctl.glue import Glue
from etltctl.runs import State, SyncJob, Verb
from support.served import Served, remember_runs, serve
from support.starts import OLDER_RUNS, QUICK

API = {
    "kind": "http", "base_url": "sample:", "seasons": "all", "rate": "", "streams": ["races"],
}  # fmt: skip


@pytest.fixture(scope="package")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server that remembers hundreds of earlier runs of the job `often`."""
    state = tmp_path_factory.mktemp("state")
    remember_runs(state, "often", OLDER_RUNS, 30)
    with serve(state, "--keep") as served:
        yield served


@pytest.fixture(scope="package")
def project(server: Served, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    script = tmp_path_factory.mktemp("scripts") / "often.py"
    script.write_text("pass")
    stack = {
        "buckets": ["lake-scripts", "bronze"],
        "jobs": [{"name": "often", "script": str(script), "script_location": "s3://lake-scripts/often.py"}],
        "connections": [{"name": "api", "bucket": "bronze", "path": "api", "source": API}],
    }
    status, answer = server.request("POST", "stack", stack)
    assert status == 200, answer
    return dict(answer)


@pytest.fixture
def spoil(server: Served) -> Iterator[Callable[..., None]]:
    def put_in_force(*rules: dict[str, Any]) -> None:
        status, answer = server.request("POST", "faults", list(rules))
        assert status == 200, answer

    yield put_in_force
    put_in_force()


@pytest.fixture
def glue(aws: Aws, project: dict[str, Any]) -> Glue:
    return Glue(aws, QUICK)


@pytest.fixture
def airbyte(server: Served, project: dict[str, Any]) -> Airbyte:
    signed = project["airbyte"]
    url = f"http://127.0.0.1:{server.port}/airbyte/v1"
    return Airbyte(url, signed["client_id"], signed["client_secret"], search=QUICK)


@pytest.fixture
def sync(airbyte: Airbyte, project: dict[str, Any]) -> Iterator[Callable[[], tuple[Verb, SyncJob]]]:
    yield lambda: airbyte.start_or_adopt(project["connections"]["api"], "api")[:2]
    for job in airbyte.jobs(project["connections"]["api"], "api"):
        if job.state is State.RUNNING:
            QUICK.wait(job, partial(airbyte.poll, job.id, "api"))
