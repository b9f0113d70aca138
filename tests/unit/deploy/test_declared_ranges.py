"""The declared ranges leave what stands next to etltctl as it is, and the installed typer is within them."""

from __future__ import annotations

import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

PROJECT = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text("utf-8"))["project"]
DECLARED = {(found := Requirement(text)).name: found.specifier for text in PROJECT["dependencies"]}


@pytest.mark.parametrize(
    ("package", "release"),
    [
        ("typer", "0.20.0"),  # the oldest that is tried
        ("typer", "0.26.1"),  # which the fastapi-cli of Airflow 3.3 asks for
        ("typer", "0.29.2"),  # which Airflow 3.3.2 brings
        ("click", "8.1.0"),
        ("click", "8.5.1"),
    ],
)
def test_packages_that_airflow_brings_are_not_replaced(package: str, release: str) -> None:
    assert release in DECLARED[package]


@pytest.mark.parametrize("package", ["typer", "click"])
def test_installed_packages_are_within_the_declared_range(package: str) -> None:
    assert version(package) in DECLARED[package]
