"""The DAGs name the steps of their pipelines and nothing else; with Airflow installed they parse and run."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from etltctl.pipeline import steps
from etltctl.settings import load_settings

DAGS = Path(__file__).parents[2] / "dags"
TASKS = ["trigger_airbyte_sync", "run_glue_job_bronze", "run_glue_job_silver", "refresh_athena"]
needs_airflow = pytest.mark.skipif(
    importlib.util.find_spec("airflow") is None,
    reason="Airflow is not installed: pip install 'etltctl[airflow]'",
)


def constants(file: Path) -> dict[str, Any]:
    """The literals a module assigns at its top, read without importing it."""
    found = {}
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found[node.targets[0].id] = ast.literal_eval(node.value)
    return found


@pytest.mark.parametrize("pipeline", ["mongodb", "api"])
def test_the_tasks_are_the_pipeline_s_steps_in_their_order(pipeline: str, tmp_path: Path) -> None:
    named = constants(DAGS / f"dag_{pipeline}.py")
    assert named["PIPELINE"] == pipeline
    assert list(named["STEPS"]) == TASKS
    wanted = steps(pipeline, load_settings(directory=tmp_path, environ={}))
    assert list(named["STEPS"].values()) == [str(step) for step in wanted]


@pytest.mark.parametrize("pipeline", ["mongodb", "api"])
def test_a_dag_file_imports_no_sdk_and_no_etltctl_at_its_top(pipeline: str) -> None:
    body = ast.parse((DAGS / f"dag_{pipeline}.py").read_text()).body
    tries = [node for node in body if isinstance(node, ast.Try)]
    tops = [
        *body,
        *(inner for node in tries for part in (node.body, node.handlers[0].body) for inner in part),
    ]
    named = {node.module for node in tops if isinstance(node, ast.ImportFrom)}
    named |= {name.name for node in tops if isinstance(node, ast.Import) for name in node.names}
    operators = {"airflow.operators.python", "airflow.providers.standard.operators.python"}
    assert named == {"datetime", "airflow", "airflow.sdk"} | operators


@pytest.fixture(scope="session")
def airflow_home(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An environment in which Airflow keeps everything in a folder of its own."""
    home = tmp_path_factory.mktemp("airflow")
    environ = {
        **{
            name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "ETLTCTL__"))
        },
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "ETLTCTL_STATE_DIR": str(home / "etltctl"),
    }
    subprocess.run(
        [sys.executable, "-m", "airflow", "db", "migrate"], env=environ, check=True, capture_output=True
    )
    return environ


@needs_airflow
@pytest.mark.airflow
def test_airflow_parses_both_dags_without_an_error(airflow_home: dict[str, str]) -> None:
    code = (
        "from airflow.dag_processing.dagbag import DagBag; import json; "
        "bag = DagBag(); "
        "print('DAGS', json.dumps({k: v.task_ids for k, v in bag.dags.items()}), 'ERRORS', bag.import_errors)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=airflow_home, check=False, capture_output=True, text=True
    )
    if done.returncode:  # Airflow 2 keeps it elsewhere
        code = code.replace("airflow.dag_processing.dagbag", "airflow.models.dagbag")
        done = subprocess.run(
            [sys.executable, "-c", code], env=airflow_home, check=True, capture_output=True, text=True
        )
    line = next(line for line in done.stdout.splitlines() if line.startswith("DAGS"))
    assert line.endswith("ERRORS {}")
    dags = json.loads(line.removeprefix("DAGS ").removesuffix(" ERRORS {}"))
    assert dags == {"dag_mongodb": TASKS, "dag_api": TASKS}


@needs_airflow
@pytest.mark.airflow
def test_a_dag_runs_on_the_embedded_endpoints(airflow_home: dict[str, str], tmp_path: Path) -> None:
    """The scheduler's own process runs every task; the server was started beforehand and is told by environment."""
    etltctl = [str(Path(sys.executable).with_name("etltctl"))]
    environ = airflow_home | {"ETLTCTL_STATE_DIR": str(tmp_path / "state")}
    told = subprocess.run(
        [*etltctl, "local", "up", "-o", "json"],
        env=environ,
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )
    try:
        environ |= json.loads(told.stdout)["environ"]
        subprocess.run(
            [sys.executable, "-m", "airflow", "dags", "test", "dag_api"],
            env=environ, cwd=tmp_path, check=True, capture_output=True, text=True, timeout=300,
        )  # fmt: skip
        query = "select count(*) as n from gold.f1_driver_championship where position = 1"
        answer = subprocess.run(
            [*etltctl, "athena", "query", query, "-o", "json"],
            env=environ, cwd=tmp_path, check=True, capture_output=True, text=True,
        )  # fmt: skip
        assert json.loads(answer.stdout)["rows"] == [{"n": 1}]
    finally:
        subprocess.run(
            [*etltctl, "local", "down"], env=environ, cwd=tmp_path, check=True, capture_output=True
        )
