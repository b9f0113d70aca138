"""Airflow 3.x and 2.11 as `make airflow-e2e` installs them, each with a lake on the embedded endpoints."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.database import database
from support.live import Site
from support.services import Airflow
from support.spoilt import SpoiltLake

PROJECT = Path(__file__).parents[3]
WANTED = "ETLTCTL_AIRFLOW_E2E"
SMALL_DAG = '''"""A job of a duration that the test sets: a trigger waits for it, or the worker does."""

from datetime import timedelta

from etltctl.airflow import DAG, StepOperator, tell_failure

TRIES = {"retries": 2, "retry_delay": timedelta(seconds=2), "on_failure_callback": tell_failure}

with DAG("dag_small", schedule=None, catchup=False, default_args=TRIES, params={"fresh": False}):
    StepOperator(task_id="deferred", pipeline="small", step="glue:small")

with DAG("dag_held", schedule=None, catchup=False, default_args=TRIES, params={"fresh": False}):
    StepOperator(task_id="held", pipeline="small", step="glue:small", deferrable=False)
'''


@pytest.fixture(scope="module", params=[3, 2], ids=["Airflow 3", "Airflow 2.11"])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """Yield all services of one version, newly started; their logs are kept if a test fails."""
    program = PROJECT / f".airflow{request.param}" / "bin" / "airflow"
    if not os.environ.get(WANTED) or not program.exists():
        pytest.skip("a real Airflow is not asked for: make airflow-e2e installs both versions and runs this")
    failed_before = request.session.testsfailed
    folder = Path(tempfile.mkdtemp(prefix=f"airflow{request.param}-"))
    folder.chmod(0o755)  # the user of PostgreSQL's tests passes through
    lake = SpoiltLake.make(_made(folder / "lake"))
    dags = shutil.copytree(PROJECT / "dags", folder / "dags", ignore=shutil.ignore_patterns("__pycache__"))
    (dags / "dag_small.py").write_text(SMALL_DAG)
    environ = lake.json("local", "up")["environ"]
    places = {"ETLTCTL_CONFIG": lake.folder / "etltctl.toml", "ETLTCTL_STATE_DIR": lake.folder / ".etltctl"}
    extra = {**environ, **{name: str(place) for name, place in places.items()}}
    try:
        with database(folder) as url:
            airflow = Airflow(request.param, program, folder / "home", dags, url, extra)
            try:
                airflow.start()
                yield Site(airflow, lake)
            finally:
                airflow.stop()
    finally:
        lake.run("local", "down")
    if request.session.testsfailed == failed_before:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(autouse=True)
def _nothing_left(site: Site) -> Iterator[None]:
    """End what a test left running, after a failure too, so that the next test does not meet it."""
    yield
    site.settle()


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
