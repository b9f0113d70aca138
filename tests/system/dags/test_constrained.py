"""etltctl in the environment of an Airflow that was installed under Airflow's own constraints, newest and oldest."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from support.installed import Installed

pytestmark = pytest.mark.airflow

PROJECT = Path(__file__).parents[3]
CONSTRAINTS = {"3": "airflow-3.3.1.txt", "2": "airflow-2.11.0.txt"}
VERSIONS = """
import json
from importlib.metadata import distributions
print(json.dumps({each.name: each.version for each in distributions()}))
"""
HELPS = """
import json
from etltctl.cli.app import app
from etltctl.cli.groups import built

def helps(command, name, above=None):
    context = command.context_class(command, info_name=name, parent=above, **command.context_settings)
    yield context.command_path, command.get_help(context)
    for name, below in getattr(command, "commands", {}).items():
        yield from helps(below, name, context)

print(json.dumps(dict(helps(built(app), "etltctl"))))
"""


@pytest.fixture(scope="module", params=["3", "2"], ids=["Airflow 3.3.1", "Airflow 2.11.0"])
def airflow(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    programs = PROJECT / f".airflow{request.param}-constrained" / "bin"
    if not (programs / "airflow").exists():
        pytest.skip(f".airflow{request.param} is not here under its constraints: make airflow-check")
    return Installed(programs, tmp_path_factory.mktemp("airflow"))


def named(package: str) -> str:
    return re.sub(r"[-_.]+", "-", package).lower()


def test_every_constrained_package_has_the_version_of_the_constraints(airflow: Installed) -> None:
    text = (
        PROJECT / "requirements" / "constraints" / CONSTRAINTS[airflow.programs.parent.name[8]]
    ).read_text()
    constrained = dict(re.findall(r"^([\w.-]+)==(\S+)", text, re.MULTILINE))
    reported = json.loads(airflow.run("python", "-c", VERSIONS).splitlines()[-1])
    installed = {named(package): version for package, version in reported.items()}
    assert {name: installed.get(name, constrained[name]) for name in constrained} == constrained
    assert installed["apache-airflow"] == constrained["apache-airflow"]
    assert "etltctl" in installed


def test_no_package_contradicts_another(airflow: Installed) -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("uv"), "pip", "check", "--python", airflow.programs / "python"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_operators_import_and_the_command_answers(airflow: Installed) -> None:
    airflow.run("python", "-c", "import etltctl.airflow")
    assert airflow.run("etltctl", "--version").startswith("etltctl ")
    assert "No such command 'rnu'" in airflow.run("etltctl", "rnu", code=2)
    assert "Missing argument" in airflow.run("etltctl", "run", code=2)


def test_every_help_text_is_that_of_the_project_s_own_environment(airflow: Installed) -> None:
    own = subprocess.run([sys.executable, "-c", HELPS], capture_output=True, text=True, check=True)
    texts = json.loads(airflow.run("python", "-c", HELPS).splitlines()[-1])
    assert len(texts) > 50
    assert texts == json.loads(own.stdout.splitlines()[-1])
