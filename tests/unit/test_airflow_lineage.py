"""The DAG run as OpenLineage's parent: none without Airflow's provider, and settings that name it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

FILE = Path(__file__).parents[2] / "src" / "etltctl" / "airflow" / "lineage.py"
DAG_RUN = "airflow/dag_api/01a22499-f800-705b-af76-9c816594f9ce"


@pytest.fixture
def lineage() -> ModuleType:
    """The module alone: its package imports Airflow."""
    spec = importlib.util.spec_from_file_location("airflow_lineage", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_without_airflow_s_provider_a_task_names_no_dag_run(lineage: ModuleType) -> None:
    assert lineage.lineage_root({}) == ""
    assert lineage.settings_below("") is None


def test_a_step_below_a_dag_run_has_it_as_parent_and_root(
    lineage: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    named = lineage.settings_below(DAG_RUN).lineage
    assert (named.parent, named.root) == (DAG_RUN, DAG_RUN)
