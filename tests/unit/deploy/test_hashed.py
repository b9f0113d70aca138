"""Installation from hashed files: no step takes the newest version of an index."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[3]
INSTALLING = re.compile(r"pip install (?P<options>.*)")


@pytest.mark.parametrize("file", ["Makefile", "deploy/airflow/Dockerfile"])
def test_every_installation_is_hashed_or_installs_only_this_checkout(file: str) -> None:
    installations = [match["options"] for match in INSTALLING.finditer((PROJECT / file).read_text())]
    assert installations
    for options in installations:
        is_own = "--no-deps" in options and "--no-build-isolation" in options
        assert "--require-hashes" in options or is_own, options


@pytest.mark.parametrize("file", sorted((PROJECT / "requirements").glob("*.txt")), ids=lambda path: path.name)
def test_every_requirement_has_a_version_and_a_hash(file: Path) -> None:
    requirements = re.split(r"\n(?=\S)", file.read_text().strip())
    for requirement in requirements:
        assert re.match(r"[\w.\[\],-]+==[^ ]+ ", requirement), requirement
        assert "--hash=sha256:" in requirement, requirement


def test_the_build_backend_is_among_the_hashed_requirements() -> None:
    needed = tomllib.loads((PROJECT / "pyproject.toml").read_text())["build-system"]["requires"]
    locked = re.findall(r"^([\w.-]+)==", (PROJECT / "requirements" / "build.txt").read_text(), re.MULTILINE)
    assert {re.split(r"[<>=!~ ]", name)[0] for name in needed} <= set(locked)
    assert "editables" in locked, "hatchling installs a checkout with it"


def test_a_package_in_two_files_of_one_environment_has_one_version() -> None:
    """Check this because the build requirements are installed into the same environment."""

    def pins(name: str) -> dict[str, str]:
        return dict(
            re.findall(r"^([\w.-]+)==(\S+)", (PROJECT / "requirements" / name).read_text(), re.MULTILINE)
        )

    build = pins("build.txt")
    airflow = ("airflow2.txt", "airflow3.txt", "airflow2-constrained.txt", "airflow3-constrained.txt")
    for name in ("local.txt", "dev.txt", *airflow, "airflow-peers.txt"):
        both = build.keys() & pins(name).keys()
        assert {each: build[each] for each in both} == {each: pins(name)[each] for each in both}, name
