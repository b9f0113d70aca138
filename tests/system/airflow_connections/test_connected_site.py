"""A DAG of the factory on a real Airflow 3, whose connections are in Airflow's database and nowhere else."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from etltctl.pipeline import RunId
from support.live import Site
from support.services import Airflow
from support.spoilt import SpoiltLake

pytestmark = [pytest.mark.airflow, pytest.mark.e2e]

PROJECT = Path(__file__).parents[3]
WANTED = "ETLTCTL_AIRFLOW_E2E"
FACTORY_DAG = """
from etltctl.airflow import pipeline_dag

pipeline_dag("small", config={config!r}, aws_conn_id="lake_aws", airbyte_conn_id="lake_airbyte", deferrable=True)
"""
TASKS = ["trigger_airbyte_sync", "run_glue_job_small", "refresh_athena"]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    """Yield all services of Airflow 3 under its constraints, in an environment without any key of the lake."""
    program = PROJECT / ".airflow3-constrained" / "bin" / "airflow"
    if not os.environ.get(WANTED) or not program.exists():
        pytest.skip("a real Airflow is not asked for: make airflow-e2e installs it and runs this")
    folder = Path(tempfile.mkdtemp(prefix="airflow-connected-"))
    for name in ("lake", "dags"):
        (folder / name).mkdir()
    lake = SpoiltLake.make(folder / "lake")
    (folder / "dags" / "dag_small.py").write_text(
        FACTORY_DAG.format(config=str(lake.folder / "etltctl.toml"))
    )
    led = lake.json("local", "up")["environ"]
    extra = {name: text for name, text in led.items() if name.endswith(("CONNECTION_ID", "PROXY", "proxy"))}
    extra |= {"ETLTCTL_STATE_DIR": str(lake.folder / ".etltctl"), "AWS_EC2_METADATA_DISABLED": "true"}
    database = f"sqlite:///{folder / 'airflow.db'}"
    airflow = Airflow(3, program, folder / "home", folder / "dags", database, extra, frozenset({"dag_small"}))
    try:
        airflow.start()
        add_connections(airflow, led)
        yield Site(airflow, lake)
    finally:
        airflow.stop()
        lake.run("local", "down")
        shutil.rmtree(folder, ignore_errors=True)


def add_connections(airflow: Airflow, led: dict[str, str]) -> None:
    """Add the two connections as a person does, by Airflow's own API."""
    aws = {"login": led["AWS_ACCESS_KEY_ID"], "password": led["AWS_SECRET_ACCESS_KEY"]}
    aws["extra"] = json.dumps({"region_name": "us-east-1", "endpoint_url": led["AWS_ENDPOINT_URL"]})
    airbyte = {
        "host": led["ETLTCTL__AIRBYTE__URL"],
        "login": led["ETLTCTL__AIRBYTE__CLIENT_ID"],
        "password": led["ETLTCTL__AIRBYTE__CLIENT_SECRET"],
    }
    airflow.ask("POST", "/connections", {"connection_id": "lake_aws", "conn_type": "aws", **aws})
    airflow.ask("POST", "/connections", {"connection_id": "lake_airbyte", "conn_type": "airbyte", **airbyte})


def test_worker_and_triggerer_ask_airflow_for_the_connections_and_no_secret_leaves_them(site: Site) -> None:
    led = site.lake.json("local", "up")["environ"]
    with site.lake.slow_job(20.0):
        run = site.airflow.trigger("dag_small")
        site.airflow.wait_for("dag_small", run, "run_glue_job_small", "deferred", seconds=600)
        site.airflow.wait_for_trigger("dag_small", run, "run_glue_job_small")
        assert site.airflow.wait_for_end("dag_small", run) == "success"
    tasks = site.airflow.tasks("dag_small", run)
    assert {name: task["state"] for name, task in tasks.items()} == dict.fromkeys(TASKS, "success")
    assert [task["try_number"] for task in tasks.values()] == [1, 1, 1]
    logs = "".join(site.airflow.log("dag_small", run, task) for task in TASKS)
    assert "the wait is handed to the triggerer" in logs
    assert "polls for itself" not in logs
    events = site.lake.events(RunId(f"dag_small-{run}").safe)
    assert [event["verb"] for event in events if event["type"] == "step.finished"][:2] == ["started"] * 2
    folder = site.airflow.home.parent
    kept = [*site.airflow.home.rglob("*"), *folder.glob("airflow.db*"), *(folder / "lake").rglob("*.ndjson")]
    texts = [file.read_bytes() for file in kept if file.is_file()]
    for secret in (led["AWS_SECRET_ACCESS_KEY"], led["ETLTCTL__AIRBYTE__CLIENT_SECRET"]):
        assert not any(secret.encode() in text for text in texts)


def test_a_connection_that_airflow_does_not_have_fails_the_task_at_once_and_is_named(site: Site) -> None:
    site.airflow.ask("DELETE", "/connections/lake_airbyte")
    run = site.airflow.trigger("dag_small")
    assert site.airflow.wait_for_end("dag_small", run) == "failed"
    time.sleep(1)  # the log is written to its end
    task = site.airflow.tasks("dag_small", run)["trigger_airbyte_sync"]
    assert task["try_number"] == 1
    log = site.airflow.log("dag_small", run, "trigger_airbyte_sync")
    assert "Airflow has no connection lake_airbyte, which airbyte_conn_id names" in log
    assert "AIRFLOW_CONN_LAKE_AIRBYTE" in log
