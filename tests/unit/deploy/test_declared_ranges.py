"""The declared ranges: they keep the packages of Airflow, and the installed versions are within them."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
DECLARED = {
    (requirement := Requirement(text)).name: requirement.specifier for text in PROJECT["dependencies"]
}


@pytest.mark.parametrize(
    ("package", "release"),
    [
        ("typer", "0.16.1"),  # the oldest version that is tested
        ("typer", "0.26.1"),  # required by the fastapi-cli of Airflow 3.3
        ("typer", "0.29.2"),  # part of Airflow 3.3.2
        ("click", "8.1.0"),
        ("click", "8.5.1"),
    ],
)
def test_packages_that_airflow_brings_are_not_replaced(package: str, release: str) -> None:
    assert release in DECLARED[package]


@pytest.mark.parametrize("package", ["typer", "click"])
def test_installed_packages_are_within_the_declared_range(package: str) -> None:
    assert version(package) in DECLARED[package]


@pytest.mark.parametrize(
    "file", sorted((ROOT / "requirements" / "constraints").glob("*.txt")), ids=lambda path: path.stem
)
def test_the_constraints_of_airflow_are_within_the_declared_ranges(file: Path) -> None:
    """The files name the versions that Airflow's own constraints give to these packages."""
    constrained = dict(re.findall(r"^([\w.-]+)==(\S+)", file.read_text(), re.MULTILINE))
    common = constrained.keys() & DECLARED.keys()
    assert common >= {"boto3", "click", "httpx", "pyarrow", "pydantic", "rich", "tenacity", "pyyaml"}
    assert [name for name in sorted(common) if constrained[name] not in DECLARED[name]] == []
