"""The DAG files name only the steps of their pipelines; they are read as text, without Airflow."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest

from etltctl.pipeline import steps
from etltctl.settings import Settings, load_settings

PROJECT = Path(__file__).parents[3]
TASKS = ["trigger_airbyte_sync", "run_glue_job_bronze", "run_glue_job_silver", "refresh_athena"]
PIPELINES = ["mongodb", "api"]


@pytest.fixture(params=PIPELINES)
def pipeline(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(directory=tmp_path, environ={})


def text_of(pipeline: str) -> str:
    return (PROJECT / "dags" / f"dag_{pipeline}.py").read_text("utf-8")


def calls(pipeline: str, function: str) -> list[ast.Call]:
    nodes = (node for node in ast.walk(ast.parse(text_of(pipeline))) if isinstance(node, ast.Call))
    return [node for node in nodes if isinstance(node.func, ast.Name) and node.func.id == function]


def literals(call: ast.Call) -> dict[str, Any]:
    """Return the keyword arguments that are literals."""
    values = {}
    for keyword in call.keywords:
        if keyword.arg and isinstance(keyword.value, ast.Constant | ast.Dict | ast.List):
            values[keyword.arg] = ast.literal_eval(keyword.value)
    return values


def imported(text: str) -> set[str]:
    """Return the modules that are imported at the top, in either form."""
    body = ast.parse(text).body
    whole = {alias.name for node in body if isinstance(node, ast.Import) for alias in node.names}
    return whole | {node.module for node in body if isinstance(node, ast.ImportFrom) and node.module}


def test_the_tasks_are_the_pipeline_s_steps_in_their_order(pipeline: str, settings: Settings) -> None:
    tasks = [literals(call) for call in calls(pipeline, "StepOperator")]
    assert [task["task_id"] for task in tasks] == TASKS
    assert {task["pipeline"] for task in tasks} == {pipeline}
    assert [task["step"] for task in tasks] == [str(step) for step in steps(pipeline, settings)]
    assert text_of(pipeline).rstrip().endswith("sync >> bronze >> silver >> athena")


def test_the_assets_are_the_gold_tables_that_the_pipeline_writes(pipeline: str, settings: Settings) -> None:
    (named,) = calls(pipeline, "tables")
    jobs = [settings.glue.jobs[step.name] for step in steps(pipeline, settings) if step.kind == "glue"]
    written = [table for job in jobs for table in job.writes if table.startswith("gold.")]
    assert [ast.literal_eval(name) for name in named.args] == written


def test_dag_runs_are_one_at_a_time_offer_a_fresh_start_and_are_documented(pipeline: str) -> None:
    (dag,) = calls(pipeline, "DAG")
    assert ast.literal_eval(dag.args[0]) == f"dag_{pipeline}"
    assert (
        literals(dag).items() >= {"max_active_runs": 1, "params": {"fresh": False}, "catchup": False}.items()
    )
    assert {keyword.arg for keyword in dag.keywords} >= {"doc_md", "tags", "dagrun_timeout", "default_args"}


def test_a_dag_file_is_short_and_has_no_logic(pipeline: str) -> None:
    assert len(text_of(pipeline).splitlines()) < 40
    logic = (ast.If, ast.For, ast.While, ast.Try, ast.FunctionDef, ast.Lambda, ast.ListComp, ast.IfExp)
    assert not [node for node in ast.walk(ast.parse(text_of(pipeline))) if isinstance(node, logic)]


def test_a_dag_file_imports_no_sdk(pipeline: str) -> None:
    body = ast.parse(text_of(pipeline)).body
    assert not [node for node in body if isinstance(node, ast.Import)]
    assert {node.module for node in body if isinstance(node, ast.ImportFrom)} == {
        "datetime",
        "etltctl.airflow",
    }


def test_etltctl_modules_that_a_dag_file_imports_import_no_sdk_at_the_top() -> None:
    """Airflow brings some of them itself, so the sources are read instead of `sys.modules`."""
    allowed = {"airflow", "__future__", "asyncio", "collections", "contextlib", "dataclasses", "datetime"}
    allowed |= {"functools", "itertools", "logging", "os", "pathlib", "re", "typing"}
    parsed = (
        "__init__",
        "assets",
        "callbacks",
        "lineage",
        "operator",
        "pipeline_dag",
        "settings_source",
        "versions",
    )
    files = [PROJECT / "src/etltctl/airflow" / f"{name}.py" for name in parsed]
    for file in files:
        named = imported(file.read_text("utf-8"))
        ours = {name for name in named if name.startswith("etltctl")}
        assert {name.split(".")[0] for name in named - ours} <= allowed, file
        assert ours <= {"etltctl.errors", *(f"etltctl.airflow.{f.stem}" for f in files)}, file
