"""The DAGs in Airflow itself, without a running Airflow service: parsed, and run by `dag.test()`.

Airflow is installed in separate environments by `make airflow-e2e`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.installed import Installed, recorded_steps
from support.quick import lake_with_two_runs
from support.spoilt import ROWS
from support.workplace import Workplace

pytestmark = pytest.mark.airflow

PROJECT = Path(__file__).parents[3]
TASKS = ["trigger_airbyte_sync", "run_glue_job_bronze", "run_glue_job_silver", "refresh_athena"]
PARSE = """
import json
try:
    from airflow.dag_processing.dagbag import DagBag
except ImportError:
    from airflow.models.dagbag import DagBag
bag = DagBag()
assert not bag.import_errors, bag.import_errors
facts = {
    name: {
        "tasks": dag.task_ids,
        "max_active_runs": dag.max_active_runs,
        "after": {task.task_id: sorted(task.upstream_task_ids) for task in dag.tasks},
        "outlets": {task.task_id: [outlet.uri for outlet in task.outlets] for task in dag.tasks},
        "timeouts": [task.execution_timeout is not None for task in dag.tasks],
        "retries": [task.retries for task in dag.tasks],
        "has_docs": bool(dag.doc_md),
        "params": dict(dag.params),
    }
    for name, dag in bag.dags.items()
}
print("RESULT", json.dumps(facts))
"""
FACTORY = """
import sys
sys.path.insert(0, dags_folder)
import dag_api, dag_mongodb
from etltctl.airflow import pipeline_dag

def facts(dag):
    return {
        "id": dag.dag_id,
        "tasks": [
            (
                task.task_id, sorted(task.upstream_task_ids), [outlet.uri for outlet in task.outlets], task.op_kwargs,
                task.retries, task.execution_timeout.total_seconds(), task.deferrable, task.max_retry_delay.seconds,
            )
            for task in dag.tasks
        ],
        "runs": (dag.max_active_runs, dag.dagrun_timeout.total_seconds(), dag.catchup, dict(dag.params)),
    }

def task_of(module):
    return next(value for value in vars(module).values() if hasattr(value, "task_id"))

for module, name in ((dag_api, "api"), (dag_mongodb, "mongodb")):
    assert facts(pipeline_dag(name)) == facts(task_of(module).dag), name
own = pipeline_dag(
    "api", dag_id="nightly", default_args={"retries": 9}, params={"max_usd": 5}, tags=["mine"], max_active_runs=3,
    task_ids={"sync:api": "sync"}, aws_conn_id="a", airbyte_conn_id="b", max_usd=4, deferrable=True,
)
assert (own.dag_id, own.max_active_runs, set(own.tags)) == ("nightly", 3, {"mine"})
assert dict(own.params) == {"fresh": False, "max_usd": 5}
assert own.task_ids[0] == "sync"
assert {(t.retries, t.aws_conn_id, t.airbyte_conn_id, t.max_usd, t.deferrable) for t in own.tasks} == {
    (9, "a", "b", 4, True)
}
print("RESULT the same")
"""
NAMES = """
import json
from etltctl.airflow.pipeline_dag import task_names
steps = ["sync:a", "sync:b", "glue:bronze_to_silver", "glue:silver_to_gold_a", "glue:clean", "sql:t", "tableau:x y"]
more = ["glue:bronze_to_silver_a", "glue:bronze_to_silver_b", "athena:refresh", "sync:a"]
print("RESULT", json.dumps([task_names(steps, {"sql:t": "totals"}), task_names(more, {})]))
"""
BROKEN = """
from airflow.exceptions import AirflowException
from etltctl.airflow import pipeline_dag
for name, arguments in (("apo", {}), ("api", {"config": "/no/such.toml"}), ("api", {"task_ids": {"sync:apo": "x"}})):
    try:
        pipeline_dag(name, **arguments)
    except AirflowException as error:
        print("RESULT", error)
"""
NO_PACKAGE = """
from airflow.exceptions import AirflowFailException
from etltctl.airflow import StepOperator

task = StepOperator(task_id="t", pipeline="api", step="sync:api", aws_conn_id="lake", deferrable=True)
task.op_kwargs = {**task.op_kwargs, "run_id": "refused"}
try:
    task.execute({})
except AirflowFailException as error:
    print("RESULT", error)
"""
FIRE = """
import asyncio, time
from etltctl.airflow.trigger import StepTrigger

trigger = StepTrigger(pipeline="api", step="glue:bronze_to_silver_api", run_id="over", began=time.time())

async def fire():
    return [event.payload async for event in trigger.run()]

began = time.monotonic()
assert asyncio.run(fire()) == [trigger.handle]
print("RESULT", time.monotonic() - began)
"""
LIMITS = """
import json
from etltctl.airflow import StepOperator
from etltctl.airflow.operator import _limit
operator = StepOperator(task_id="t", pipeline="api", step="sync:api", max_usd=5)
params = [{}, {"max_usd": 2}, {"max_usd": None}, None]
print("RESULT " + json.dumps([_limit(operator.max_usd, {"params": each}) for each in params]))
"""


@pytest.fixture(scope="session", params=[3, 2], ids=["Airflow 3", "Airflow 2.11"])
def airflow(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    programs = PROJECT / f".airflow{request.param}" / "bin"
    if not (programs / "airflow").exists():
        pytest.skip(f"{programs.parent.name} is not here: make airflow-e2e installs it")
    installed = Installed(programs, tmp_path_factory.mktemp(f"airflow{request.param}"))
    installed.run("airflow", "db", "migrate")
    return installed


def test_airflow_reads_both_dags_as_intended(airflow: Installed) -> None:
    line = next(x for x in airflow.run("python", "-c", PARSE).splitlines() if x.startswith("RESULT "))
    dags = json.loads(line.removeprefix("RESULT "))
    assert set(dags) == {"dag_mongodb", "dag_api"}
    for dag in dags.values():
        assert dag["tasks"] == TASKS
        assert [dag["after"][task] for task in TASKS] == [[], TASKS[:1], TASKS[1:2], TASKS[2:3]]
        assert (dag["max_active_runs"], dag["params"], dag["has_docs"]) == (1, {"fresh": False}, True)
        assert set(dag["timeouts"]) == {True}
        assert min(dag["retries"]) > 0
    assert "x-etltctl://gold/weather_daily" in dags["dag_mongodb"]["outlets"]["run_glue_job_silver"]


def test_the_factory_makes_the_shipped_dags_and_takes_what_the_caller_names(airflow: Installed) -> None:
    program = f"dags_folder = {str(airflow.dags)!r}\n{FACTORY}"
    assert "RESULT the same" in airflow.run("python", "-c", program)


def test_a_task_is_named_after_the_layer_that_its_job_reads_or_after_its_step(airflow: Installed) -> None:
    line = next(x for x in airflow.run("python", "-c", NAMES).splitlines() if x.startswith("RESULT "))
    assert [list(names.values()) for names in json.loads(line.removeprefix("RESULT "))] == [
        [
            "trigger_airbyte_sync_a", "trigger_airbyte_sync_b", "run_glue_job_bronze", "run_glue_job_silver",
            "run_glue_job_clean", "totals", "publish_tableau_x_y",
        ],
        [
            "run_glue_job_bronze_to_silver_a", "run_glue_job_bronze_to_silver_b", "refresh_athena",
            "trigger_airbyte_sync",
        ],
    ]  # fmt: skip


def test_a_mistake_in_the_factory_s_arguments_is_an_import_error_with_the_fix(airflow: Installed) -> None:
    lines = [x for x in airflow.run("python", "-c", BROKEN).splitlines() if x.startswith("RESULT ")]
    assert len(lines) == 3
    assert "has no pipeline apo, did you mean api?; next: " in lines[0]
    assert "there is no settings file /no/such.toml; next: name another" in lines[1]
    assert (
        "task_ids names the step sync:apo, which pipeline api does not have, did you mean sync:api?"
        in lines[2]
    )


def test_a_connection_to_aws_without_airflow_s_package_for_it_is_an_error_that_names_it(
    airflow: Installed,
) -> None:
    line = airflow.run("python", "-c", NO_PACKAGE).splitlines()[-1]
    assert "RESULT aws_conn_id is lake, but Airflow has no package for connections to AWS" in line
    assert "pip install apache-airflow-providers-amazon" in line


def test_the_dag_run_s_limit_overrides_the_operator_s(airflow: Installed) -> None:
    line = next(x for x in airflow.run("python", "-c", LIMITS).splitlines() if x.startswith("RESULT "))
    assert json.loads(line.removeprefix("RESULT ")) == [{"max_usd": limit} for limit in (5.0, 2.0, 5.0, 5.0)]


def test_a_trigger_with_nothing_to_wait_for_fires_after_the_worker_has_released_the_task(
    airflow: Installed,
) -> None:
    """Airflow 3 would treat an earlier resumption as a killed task and retry it; Airflow 2 handles the case."""
    is_3 = airflow.programs.parent.name == ".airflow3"
    environ = {"AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "7"} if is_3 else {}
    output = airflow.run("python", "-c", FIRE, **environ)
    took = float(output.splitlines()[-1].removeprefix("RESULT "))
    assert 14.0 <= took < 34.0 if is_3 else took < 10.0


@pytest.fixture(scope="session")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workplace]:
    """Yield a lake with the shipped pipelines, whose jobs finish at once; the command has run `api` twice."""
    with lake_with_two_runs(tmp_path_factory.mktemp("dags")) as place:
        yield place


@pytest.mark.parametrize("deferrable", ["false", "true"])
def test_a_dag_run_leaves_the_same_events_as_the_command(
    airflow: Installed, lake: Workplace, deferrable: str
) -> None:
    runs = lake.folder / ".etltctl" / "runs"
    before = set(runs.glob("*.ndjson"))
    led = lake.json("local", "up")["environ"]
    led |= {"ETLTCTL_CONFIG": str(lake.folder / "etltctl.toml"), "ETLTCTL_STATE_DIR": str(runs.parent)}
    airflow.run("airflow", "dags", "test", "dag_api", **led, ETLTCTL__AIRFLOW__DEFERRABLE=deferrable)
    (of_the_dag,) = set(runs.glob("*.ndjson")) - before
    assert recorded_steps(of_the_dag) == recorded_steps(runs / "by-command.ndjson")
    assert recorded_steps(of_the_dag)[-1] == ("run.finished", "", "succeeded", None)
    versions = {row["table"]: row["version"] for row in lake.json("athena", "tables")["rows"]}
    assert versions["f1_driver_championship"] == of_the_dag.stem
    assert lake.query("select count(*) as n from pi_m3_gold.f1_driver_championship") == [{"n": ROWS}]
