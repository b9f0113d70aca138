"""The remote run of a step: polled and followed from its start, by the library's own clients."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from etltctl.aws import Aws
from etltctl.ledger import Ledger
from etltctl.pipeline import StepHandle, wait_for_step
from etltctl.pipeline.glue_step import GlueRun
from etltctl.pipeline.model import Step
from etltctl.pipeline.services import Services
from etltctl.pipeline.step_run import StepRun
from etltctl.pipeline.step_wait import wait_for_end
from etltctl.runs import JobRun
from etltctl.settings import load_settings
from etltctl.testing import VirtualClock
from support.sample_settings import on_sample
from support.served import Served, remember_runs, serve

OLDER_RUNS, USUALLY_S, SO_FAR_S = 250, 600.0, 540.0
RUN = {"Id": "jr_adopted", "JobName": "often", "Arguments": {}}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server that remembers more than a page of runs of the job `often`, of ten minutes each."""
    state = tmp_path_factory.mktemp("state")
    remember_runs(state, "often", OLDER_RUNS, USUALLY_S)
    with serve(state, "--keep") as served:
        command = {"Name": "glueetl", "ScriptLocation": "s3://lake-scripts/often.py"}
        served.client("glue").create_job(Name="often", Role="r", Command=command)
        yield served


@pytest.fixture
def services(aws: Aws, tmp_path: Path) -> Services:
    (tmp_path / "etltctl.toml").write_text(
        on_sample('[glue.jobs.often]\nscript = "none.py"\nwrites = ["gold.often"]\n')
    )
    environ = {"ETLTCTL_STATE_DIR": str(tmp_path / "state")}
    return Services(load_settings(config=tmp_path / "etltctl.toml", env="local", environ=environ))


@pytest.fixture
def spoil(server: Served) -> Iterator[Any]:
    def put_in_force(*rules: dict[str, Any]) -> None:
        assert server.request("POST", "faults", list(rules))[0] == 200

    yield put_in_force
    put_in_force()


def run_with(word: str, **facts: float) -> dict[str, Any]:
    run = {**RUN, "JobRunState": word, "StartedOn": time.time() - SO_FAR_S, **facts}
    return {"status": 200, "body": {"JobRun": run}}


@pytest.mark.parametrize("driver", ["wait_for_step", "wait_for_end"])
def test_an_adopted_run_is_polled_when_its_end_is_likely_counted_from_its_start(
    services: Services, spoil: Any, driver: str
) -> None:
    """Nine of ten minutes are over when it is adopted, so one more is expected, and not ten."""
    running = {"call": "GetJobRun", "refuse": run_with("RUNNING"), "times": 3}
    spoil(running, {"call": "GetJobRun", "refuse": run_with("SUCCEEDED"), "times": 0})
    with VirtualClock() as clock:
        if driver == "wait_for_step":
            began = datetime.now(UTC).timestamp()
            asyncio.run(
                wait_for_step(
                    StepHandle("often", "glue:often", "r", began, remote_id="jr_adopted"), services.settings
                )
            )
        else:
            ledger = Ledger(services.store, "r", "local")
            remote_run = GlueRun(services, "often", "jr_adopted")
            step_run = StepRun("often", Step("glue", "often"), services, ledger)
            wait_for_end(step_run, remote_run.poll(), remote_run, is_ours=True)
    assert 0 < clock.now < USUALLY_S - SO_FAR_S + 10
    assert len(clock.slept) <= 3


def test_the_retry_of_a_failed_run_is_searched_for_no_further_back_than_the_run(
    server: Served, services: Services, spoil: Any
) -> None:
    ended = JobRun("jr_failed", "often", "FAILED", started=datetime.now(UTC))
    spoil({"call": "GetJobRuns", "delay": 0.0, "times": 0})
    assert GlueRun(services, "often", ended.id).successor(ended) is None
    assert server.request("GET", "faults")[1][0]["met"] == 1, "one page was enough"
