"""The code path is one: only the front doors and one fact of the settings know the name of the local environment."""

from __future__ import annotations

import ast
from pathlib import Path

import etltctl
from etltctl.settings import load_settings

PACKAGE = Path(str(etltctl.__file__)).parent
FRONT_DOORS = {"cli", "local", "airflow", "testing", "scaffold", "api.py"}
KNOW_THE_NAME = {"values.py", "settings/model.py", "settings/environments.py"}
# Every other module asks for a fact of `Settings.environment` by its meaning.
MAY_READ_IS_EMBEDDED = {
    "settings/model.py": "chooses the facts of the environment",
    "diagnosis/examination.py": "the doctor checks this machine only where the embedded server does the work",
}


def test_below_the_front_doors_no_module_compares_an_environment_with_local() -> None:
    modules = [
        file for file in PACKAGE.rglob("*.py") if file.relative_to(PACKAGE).parts[0] not in FRONT_DOORS
    ]
    names = {file.relative_to(PACKAGE).as_posix() for file in modules if _knows_local(file)}
    assert names == KNOW_THE_NAME


def test_below_the_front_doors_no_other_module_asks_whether_the_environment_is_embedded() -> None:
    readers = {
        name
        for file in PACKAGE.rglob("*.py")
        if (name := file.relative_to(PACKAGE).as_posix()).split("/")[0] not in FRONT_DOORS
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Attribute) and node.attr == "is_embedded"
    }
    assert readers == MAY_READ_IS_EMBEDDED.keys()


def test_the_settings_say_whether_the_embedded_server_serves_their_environment() -> None:
    assert load_settings(env="local", environ={}).is_embedded
    assert not load_settings(env="aws", environ={}).is_embedded


def _knows_local(file: Path) -> bool:
    """Return whether the module uses the constant `LOCAL`, or compares an `env` with the text."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        # An area of the doctor's checks has the same name as the constant.
        if isinstance(node, ast.Name) and node.id == "LOCAL" and file.name != "findings.py":
            return True
        if isinstance(node, ast.Compare) and "env" in ast.unparse(node.left):
            texts = [one.value for one in node.comparators if isinstance(one, ast.Constant)]
            if "local" in texts:
                return True
    return False
