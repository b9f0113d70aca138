"""Tests of this lake's settings. Run them: pytest"""

import ast
from pathlib import Path

import pytest

import etltctl

HERE = Path(__file__).parents[1]


@pytest.mark.parametrize("env", ["local", "aws"])
def test_the_settings_of_every_environment_are_valid(env):
    assert etltctl.load_settings(directory=HERE, env=env).env == env


def test_every_dag_is_valid_python():
    for file in (HERE / "dags").glob("*.py"):
        ast.parse(file.read_text())
