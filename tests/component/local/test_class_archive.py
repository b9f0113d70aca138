"""The class archive: a complete one makes the start faster, and a damaged one only costs speed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from etltctl.local.services.glue.class_archive import (
    BASE,
    MANIFEST,
    SPARK,
    ClassArchive,
    build,
    find_archive,
    installed_archive,
)
from etltctl.local.services.glue.jvm import JAVA_OPTIONS, Jvm, java_home, spark_jars
from etltctl.local.services.glue.spark import SparkPool

pytestmark = pytest.mark.spark


@pytest.fixture(scope="module")
def whole() -> ClassArchive:
    """The installation's own archive, created now if it does not exist."""
    archive = installed_archive()
    assert archive is not None
    assert build(archive)
    return archive


@pytest.fixture
def copy(whole: ClassArchive, tmp_path: Path) -> ClassArchive:
    folder = tmp_path / "cache" / whole.folder.name
    shutil.copytree(whole.folder, folder)
    folder.chmod(0o700)
    return ClassArchive(folder)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[ClassArchive], Jvm]]:
    pools: list[SparkPool] = []

    def started(archive: ClassArchive) -> Jvm:
        pools.append(
            SparkPool(
                tmp_path / f"spark{len(pools)}", tmp_path / "s3", list, "http://127.0.0.1:9", archive=archive
            )
        )
        return pools[-1].take()

    yield started
    for pool in pools:
        pool.close()


def maps(jvm: Jvm, archive: ClassArchive) -> bool:
    """Return whether Linux reports the archive of Spark's classes as mapped into the process's memory."""
    return str(archive.folder / SPARK) in Path(f"/proc/{jvm.process.pid}/maps").read_text()


def overwrite(file: Path, at: int, content: bytes) -> None:
    file.chmod(0o600)
    with file.open("r+b") as stream:
        stream.seek(at)
        stream.write(content)


def cut_off(file: Path) -> None:
    file.chmod(0o600)
    with file.open("r+b") as stream:
        stream.truncate(1_000_000)


def test_a_jvm_maps_the_complete_archive(start: Callable[[ClassArchive], Jvm], copy: ClassArchive) -> None:
    assert copy.is_usable()
    assert maps(start(copy), copy)


@pytest.mark.parametrize("name", [BASE, SPARK])
def test_a_damaged_archive_costs_only_speed(
    start: Callable[[ClassArchive], Jvm], copy: ClassArchive, name: str
) -> None:
    file = copy.folder / name
    overwrite(file, file.stat().st_size // 2, b"\xff" * 1_000_000)
    jvm = start(copy)
    assert jvm.is_alive()
    assert not maps(jvm, copy)


def test_an_archive_that_was_cut_off_is_not_used(copy: ClassArchive) -> None:
    """The start of a JVM without its archive is tested below, after Java has crashed on one."""
    cut_off(copy.folder / SPARK)
    assert not copy.is_usable()
    assert copy.options() == ()


def test_an_archive_that_java_crashes_on_is_removed(
    start: Callable[[ClassArchive], Jvm], copy: ClassArchive
) -> None:
    cut_off(copy.folder / SPARK)
    sizes = {name: (copy.folder / name).stat().st_size for name in (BASE, SPARK)}
    (copy.folder / MANIFEST).write_text(json.dumps(sizes))
    assert copy.is_usable()
    assert start(copy).is_alive()
    assert not copy.folder.exists()


def test_an_archive_that_others_may_write_is_not_used(copy: ClassArchive) -> None:
    copy.folder.chmod(0o777)
    assert not copy.is_usable()
    assert copy.options() == ()


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"base.jsa": 1}'])
def test_an_archive_without_a_readable_manifest_is_not_used(copy: ClassArchive, content: str) -> None:
    (copy.folder / MANIFEST).write_text(content)
    assert not copy.is_usable()


def test_other_jars_and_other_options_have_another_archive(tmp_path: Path) -> None:
    jar = tmp_path / "own.jar"
    jar.write_bytes(b"jar")
    archives = [
        find_archive(java_home(), spark_jars(), JAVA_OPTIONS),
        find_archive(java_home(), [*spark_jars(), jar], JAVA_OPTIONS),
        find_archive(java_home(), spark_jars(), (*JAVA_OPTIONS, "-Xmx2g")),
    ]
    assert archives[0] == installed_archive()
    assert len(set(archives)) == len(archives)
