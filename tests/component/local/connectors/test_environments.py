"""Environments of connectors: installed once, with hashes, by uv or by pip, whatever is killed or starts at once."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from etltctl.local.services.airbyte.connectors.environment import READY, Environments, environment_key
from etltctl.local.services.airbyte.connectors.installers import python_of
from etltctl.local.services.airbyte.records import SyncCancelledError, SyncError
from support.tiny_connector import NAME, PACKAGE, offline, write_wheel


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    write_wheel(tmp_path / "wheels")
    return tmp_path / "wheels"


def without_uv(environ: dict[str, str]) -> dict[str, str]:
    """Return the variables with a PATH that has no uv."""
    return {**environ, "PATH": "/usr/bin:/bin"}


def environments(folder: Path, wheels: Path, *, uv: bool = True) -> Environments:
    environ = {**os.environ, **offline(wheels)}
    return Environments(folder / "environments", environ if uv else without_uv(environ))


def nothing(_: object) -> None:
    """Do nothing: the pause of a sync that is not cancelled, or a report that no one reads."""


@pytest.mark.parametrize("uv", [True, False])
def test_a_package_is_resolved_with_hashes_and_installed(tmp_path: Path, wheels: Path, *, uv: bool) -> None:
    environments_here = environments(tmp_path, wheels, uv=uv)
    environment = environments_here.of_package(PACKAGE, nothing, nothing)
    lock = environments_here.lock_file(PACKAGE).read_text()
    assert f"{PACKAGE} " in lock
    assert "--hash=sha256:" in lock
    assert list(environment.glob("lib/python*/site-packages/source_tiny.py"))
    assert python_of(environment).exists()


def test_the_second_time_nothing_is_made(tmp_path: Path, wheels: Path) -> None:
    reports: list[str] = []
    environments_here = environments(tmp_path, wheels)
    first = environments_here.of_package(PACKAGE, nothing, reports.append)
    assert "making the connector's environment: 1 packages, once; it takes a minute or more" in reports
    reports.clear()
    assert (
        environments(tmp_path, tmp_path / "no wheels").of_package(PACKAGE, nothing, reports.append) == first
    )
    assert reports == []


@pytest.mark.parametrize("uv", [True, False])
def test_a_wheel_with_another_hash_is_refused(tmp_path: Path, wheels: Path, *, uv: bool) -> None:
    environments_here = environments(tmp_path, wheels, uv=uv)
    environments_here.lock_file(PACKAGE).parent.mkdir(parents=True)
    environments_here.lock_file(PACKAGE).write_text(f"{PACKAGE} \\\n    --hash=sha256:{'0' * 64}\n")
    with pytest.raises(SyncError, match=r"(?i)cannot install the connector's packages: .*hash"):
        environments_here.of_package(PACKAGE, nothing, nothing)
    assert not [each for each in (tmp_path / "environments").iterdir() if each.name != "locks"]


def test_requirements_without_a_hash_are_refused(tmp_path: Path, wheels: Path) -> None:
    file = tmp_path / "requirements.txt"
    for text in (f"{PACKAGE}\n", f"{PACKAGE} --hash=sha256:{'0' * 64}\nother==1\n", ""):
        file.write_text(text)
        with pytest.raises(SyncError, match="has no sha256 hash; make the file with"):
            environments(tmp_path, wheels).of_file(file, nothing, nothing)


@pytest.mark.parametrize("uv", [True, False])
def test_a_package_that_does_not_exist_is_named(tmp_path: Path, wheels: Path, *, uv: bool) -> None:
    with pytest.raises(SyncError, match=f"cannot install the connector's packages: .*{NAME}"):
        environments(tmp_path, wheels, uv=uv).of_package(f"{NAME}==9.9", nothing, nothing)


@pytest.mark.parametrize("uv", [True, False])
def test_a_network_that_is_away_is_named(tmp_path: Path, *, uv: bool) -> None:
    index = "http://127.0.0.1:9/simple"
    of_uv = {"UV_NO_CONFIG": "1", "UV_DEFAULT_INDEX": index, "UV_HTTP_RETRIES": "0", "UV_FIND_LINKS": ""}
    of_pip = {"PIP_INDEX_URL": index, "PIP_EXTRA_INDEX_URL": "", "PIP_FIND_LINKS": "", "PIP_RETRIES": "1"}
    environ = {**os.environ, **of_uv, **of_pip, "PIP_CONFIG_FILE": os.devnull}
    folder = Environments(tmp_path, environ if uv else without_uv(environ))
    with pytest.raises(SyncError, match="cannot reach the package index that this machine is configured for"):
        folder.of_package("airbyte-source-nowhere==1.0", nothing, nothing)


def test_two_syncs_that_start_at_once_make_one_environment(tmp_path: Path, wheels: Path) -> None:
    reports: list[str] = []
    folders: list[Path] = []

    def make() -> None:
        folders.append(environments(tmp_path, wheels).of_package(PACKAGE, nothing, reports.append))

    threads = [threading.Thread(target=make) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert len(set(folders)) == 1
    assert len(folders) == 3
    assert sum("making" in report for report in reports) == 1


def test_what_a_killed_process_left_half_made_is_made_again(tmp_path: Path, wheels: Path) -> None:
    environments_here = environments(tmp_path, wheels)
    environment = environments_here.of_package(PACKAGE, nothing, nothing)
    (environment / READY).unlink()
    left = environment.with_name(f"{environment.name}.making-x")
    left.mkdir()
    assert environments_here.of_package(PACKAGE, nothing, nothing) == environment
    assert (environment / READY).is_file()
    assert not left.exists()


def test_a_cancelled_sync_leaves_no_environment(tmp_path: Path, wheels: Path) -> None:
    def cancelled(_: float) -> None:
        raise SyncCancelledError

    with pytest.raises(SyncCancelledError):
        environments(tmp_path, wheels).of_package(PACKAGE, cancelled, nothing)
    assert [each.name for each in (tmp_path / "environments").iterdir()] == ["locks"]


def test_the_key_is_of_the_requirements(tmp_path: Path) -> None:
    assert environment_key("a==1") == environment_key("a==1") != environment_key("a==2")
