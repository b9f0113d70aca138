"""A DAG of the factory with ids of connections, in Airflow as its own constraints install it, without its services.

`make airflow-check` installs it, newest and oldest, with Airflow's packages for AWS and Airbyte.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.installed import Installed, recorded_steps
from support.quick import lake_with_two_runs
from support.workplace import Workplace

pytestmark = pytest.mark.airflow

PROJECT = Path(__file__).parents[3]
ROLE = "arn:aws:iam::123456789012:role/pi-m3-glue"  # the jobs' own, which every embedded lake has
DAG_FILE = """
from etltctl.airflow import pipeline_dag

pipeline_dag("api", config={config!r}, aws_conn_id="lake_aws", airbyte_conn_id="lake_airbyte", **{arguments!r})
"""
REFUSED = """
import json
from airflow.exceptions import AirflowFailException
from etltctl.airflow import StepOperator

texts = []
for number, arguments in enumerate({every!r}):
    task = StepOperator(task_id=f"t{{number}}", pipeline="api", step="sync:api", deferrable=True, **arguments)
    task.op_kwargs = {{**task.op_kwargs, "run_id": "refused"}}
    try:
        task.execute({{}})
    except AirflowFailException as error:
        texts.append(str(error))
print("RESULT " + json.dumps(texts))
"""
WHO = """
from etltctl.airflow.settings_source import SettingsSource
from etltctl.aws import Aws

settings = SettingsSource(aws_conn_id="as_a_role").connected()
renews = hasattr(settings.route.credentials, "refresh_needed")
print("RESULT", Aws.from_settings(settings).identity().arn, settings.aws.region, renews)
"""
FIRE = """
import asyncio
from etltctl.airflow.trigger import StepTrigger

trigger = StepTrigger(source={source!r}, **{handle!r})
print("RESULT", [event.payload for event in [asyncio.run(anext(trigger.run()))]])
"""


@pytest.fixture(scope="module", params=[3, 2], ids=["Airflow 3", "Airflow 2.11"])
def airflow(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    programs = PROJECT / f".airflow{request.param}-constrained" / "bin"
    if not (programs / "airflow").exists():
        pytest.skip(f".airflow{request.param} is not here under its constraints: make airflow-check")
    home = tmp_path_factory.mktemp(f"airflow{request.param}")
    (home / "dags").mkdir()
    installed = Installed(programs, home, home / "dags")
    installed.run("airflow", "db", "migrate")
    return installed


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workplace]:
    """Yield a lake with the shipped pipelines, whose jobs finish at once; the command has run `api` twice."""
    with lake_with_two_runs(tmp_path_factory.mktemp("lake")) as place:
        yield place


@pytest.fixture
def secrets(lake: Workplace) -> list[str]:
    led = lake.json("local", "up")["environ"]
    return [led["AWS_SECRET_ACCESS_KEY"], led["ETLTCTL__AIRBYTE__CLIENT_SECRET"]]


@pytest.fixture
def environ(lake: Workplace) -> dict[str, str]:
    """Return the variables of the tasks: the sources' connections, and Airflow's connections in place of keys."""
    led = lake.json("local", "up")["environ"]
    kept = {name: text for name, text in led.items() if name.endswith(("CONNECTION_ID", "PROXY", "proxy"))}
    extra = {"region_name": "us-east-1", "endpoint_url": led["AWS_ENDPOINT_URL"]}
    aws = {"login": led["AWS_ACCESS_KEY_ID"], "password": led["AWS_SECRET_ACCESS_KEY"], "extra": extra}
    airbyte = {
        "host": led["ETLTCTL__AIRBYTE__URL"],
        "login": led["ETLTCTL__AIRBYTE__CLIENT_ID"],
        "password": led["ETLTCTL__AIRBYTE__CLIENT_SECRET"],
    }
    return {
        **kept,
        "ETLTCTL_STATE_DIR": str(lake.folder / ".etltctl"),
        "AIRFLOW_CONN_LAKE_AWS": json.dumps({"conn_type": "aws", **aws}),
        "AIRFLOW_CONN_LAKE_AIRBYTE": json.dumps({"conn_type": "airbyte", **airbyte}),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }


def test_connections_of_airflow_run_the_pipeline_and_their_secrets_stay_in_them(
    airflow: Installed, lake: Workplace, environ: dict[str, str], secrets: list[str]
) -> None:
    config = str(lake.folder / "etltctl.toml")
    text = DAG_FILE.format(config=config, arguments={"deferrable": False, "dag_id": "connected"})
    (airflow.dags / "dag_connected.py").write_text(text)
    runs = lake.folder / ".etltctl" / "runs"
    before = set(runs.glob("*.ndjson"))
    output = airflow.run("airflow", "dags", "test", "connected", **environ)
    (of_the_dag,) = set(runs.glob("*.ndjson")) - before
    assert recorded_steps(of_the_dag) == recorded_steps(runs / "by-command.ndjson")
    kept = [file.read_bytes() for file in (*airflow.home.rglob("*"), of_the_dag) if file.is_file()]
    assert not [
        secret for secret in secrets if secret in output or any(secret.encode() in each for each in kept)
    ]
    with sqlite3.connect(airflow.home / "airflow.db") as database:
        rendered = str(
            database.execute("select rendered_fields from rendered_task_instance_fields").fetchall()
        )
    assert "lake_aws" in rendered


def test_a_trigger_asks_for_the_connections_itself(
    airflow: Installed, lake: Workplace, environ: dict[str, str], secrets: list[str]
) -> None:
    runs = lake.folder / ".etltctl" / "runs" / "by-command.ndjson"
    started = [json.loads(line) for line in runs.read_text().splitlines()]
    (job,) = [e for e in started if e["type"] == "remote.started" and e["step"] == "sync:api"]
    handle = {"pipeline": "api", "step": "sync:api", "run_id": "by-command", "began": 0.0}
    handle |= {"remote_id": job["remote_id"], "is_running": True}
    source = {"config": str(lake.folder / "etltctl.toml"), "aws_conn_id": "lake_aws"}
    source["airbyte_conn_id"] = "lake_airbyte"
    program = FIRE.format(source=source, handle=handle)
    output = airflow.run("python", "-c", program, AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL="0", **environ)
    assert job["remote_id"] in output
    assert "polls for itself" not in output
    assert not [secret for secret in secrets if secret in output]


def test_the_role_of_a_connection_is_assumed_and_its_credentials_renew(
    airflow: Installed, environ: dict[str, str]
) -> None:
    connection = json.loads(environ["AIRFLOW_CONN_LAKE_AWS"])
    url = connection["extra"]["endpoint_url"]
    # Airflow asks STS for a role at the endpoint of that service only.
    connection["extra"] |= {"role_arn": ROLE, "service_config": {"sts": {"endpoint_url": url}}}
    output = airflow.run("python", "-c", WHO, **environ, AIRFLOW_CONN_AS_A_ROLE=json.dumps(connection))
    assert output.splitlines()[-1] == (
        "RESULT arn:aws:sts::123456789012:assumed-role/pi-m3-glue/airflow_as_a_role us-east-1 True"
    )


def test_a_connection_that_cannot_serve_fails_the_task_before_a_start_and_is_named(
    airflow: Installed, lake: Workplace, environ: dict[str, str]
) -> None:
    url = "https://airbyte.example.com"
    connections = {
        "BARE": {"conn_type": "airbyte", "host": url},
        "HOSTED": {"conn_type": "airbyte", "host": "airbyte.example.com", "login": "a", "password": "b"},
        "ODD": {"conn_type": "airbyte", "host": url, "login": "a", "password": "b", "schema": "v2/token"},
        "EMPTY": {"conn_type": "aws"},
    }
    named = {f"AIRFLOW_CONN_{name}": json.dumps(each) for name, each in connections.items()}
    refused = {
        ("aws_conn_id", "lake_asw"): "Airflow has no connection lake_asw, which aws_conn_id names",
        ("airbyte_conn_id", "lake"): "Airflow has no connection lake, which airbyte_conn_id names",
        ("airbyte_conn_id", "bare"): "lacks login (Client ID), password (Client Secret)",
        ("airbyte_conn_id", "hosted"): "is not a URL: airbyte.example.com",
        ("airbyte_conn_id", "odd"): "has the token URL v2/token",
        ("aws_conn_id", "empty"): "gives no credentials of AWS",
    }
    config = str(lake.folder / "etltctl.toml")
    every = [{"config": config, argument: conn_id} for argument, conn_id in refused]
    output = airflow.run("python", "-c", REFUSED.format(every=every), **environ, **named)
    texts = json.loads(output.splitlines()[-1].removeprefix("RESULT "))
    assert len(texts) == len(refused)
    for text, error in zip(texts, refused.values(), strict=True):
        assert error in text
        assert "; next: " in text
    assert not (lake.folder / ".etltctl" / "runs" / "refused.ndjson").exists()
