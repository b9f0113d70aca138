"""The modules of Airflow's side that need no Airflow: the lineage above a step, and where its settings come from."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from etltctl.errors import ConfigurationError

FOLDER = Path(__file__).parents[2] / "src" / "etltctl" / "airflow"
DAG_RUN = "airflow/dag_api/01a22499-f800-705b-af76-9c816594f9ce"


def alone(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return the module without its package, which imports Airflow."""
    spec = importlib.util.spec_from_file_location(f"airflow_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def sources(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    monkeypatch.chdir(tmp_path)
    for name in ("ETLTCTL_CONFIG", "ETLTCTL_ENV"):
        monkeypatch.delenv(name, raising=False)
    return alone("settings_source", monkeypatch)


def test_without_airflow_s_provider_a_task_names_no_dag_run(monkeypatch: pytest.MonkeyPatch) -> None:
    assert alone("lineage", monkeypatch).lineage_root({}) == ""


def test_a_step_below_a_dag_run_has_it_as_parent_and_root(sources: ModuleType) -> None:
    named = sources.SettingsSource().load(DAG_RUN).lineage
    assert (named.parent, named.root) == (DAG_RUN, DAG_RUN)
    assert sources.SettingsSource().load().lineage.parent == ""


def test_a_task_s_file_and_environment_are_those_of_its_operator(sources: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "lake.toml").write_text('project = "mine"\n')
    task = SimpleNamespace(
        config=str(tmp_path / "lake.toml"), env="aws", aws_conn_id=None, airbyte_conn_id=""
    )
    source = sources.SettingsSource.of_task(task)
    settings = source.load()
    assert (settings.project, settings.env) == ("mine", "aws")
    assert sources.SettingsSource(**source.as_dict()) == source


def test_a_task_without_such_names_has_the_usual_settings_and_needs_no_connection(
    sources: ModuleType,
) -> None:
    source = sources.SettingsSource.of_task(object())
    assert source.as_dict() == {}
    assert source.load().env == "local"


def test_a_file_that_is_not_there_is_an_error_of_the_configuration(sources: ModuleType) -> None:
    with pytest.raises(ConfigurationError, match=r"there is no settings file .*absent\.toml"):
        sources.SettingsSource(config="absent.toml").load()
