"""A reader of the embedded S3 gets an object as it was before or after a write, never a mixture."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from pathlib import Path
from threading import Event, Thread

import pytest

from etltctl.local.services.s3.directory import S3Directory
from etltctl.local.services.s3.kept import Description

BODIES = {"one": b"1" * 50, "two": b"2" * 50}
ROUNDS = 150


@pytest.fixture
def directory(tmp_path: Path) -> S3Directory:
    s3_directory = S3Directory(tmp_path / "s3", tmp_path / "meta")
    s3_directory.create_bucket("lake")
    return s3_directory


def put(directory: S3Directory, name: str) -> str:
    return directory.put_object("lake", "k", BODIES[name], metadata={"name": name}).etag


def md5(name: str) -> str:
    return hashlib.md5(BODIES[name], usedforsecurity=False).hexdigest()


def mixtures(directory: S3Directory, ended: Event) -> list[str]:
    """Read the object until the writer has ended; return every answer that is neither object."""
    whole = {(BODIES[name], md5(name), name) for name in BODIES}
    parts = {(etag, name) for _, etag, name in whole}
    wrong = []
    while not ended.is_set():
        stream, info = directory.open_object("lake", "k")
        with stream:
            answer = (stream.read(), info.etag, info.metadata.get("name", ""))
        if answer not in whole:
            wrong.append(f"get {answer}")
        info = directory.head_object("lake", "k")
        if (info.etag, info.metadata.get("name", "")) not in parts:
            wrong.append(f"head {info}")
    return wrong


def test_every_answer_is_one_of_the_objects_that_were_put(directory: S3Directory) -> None:
    put(directory, "one")
    ended, wrong = Event(), list[str]()
    readers = [Thread(target=lambda: wrong.extend(mixtures(directory, ended))) for _ in range(2)]
    for reader in readers:
        reader.start()
    try:
        for _ in range(ROUNDS):
            assert put(directory, "two") == md5("two")
            assert put(directory, "one") == md5("one")
    finally:
        ended.set()
        for reader in readers:
            reader.join()
    assert wrong == []


def test_objects_of_one_size_written_at_the_same_moment_are_distinguished(directory: S3Directory) -> None:
    for name in ("one", "two"):
        with directory.scratch_file() as (path, stream):
            stream.write(BODIES[name])
            stream.close()
            os.utime(path, ns=(10**18, 10**18))
            described = Description(metadata={"name": name})
            info = directory.adopt_file("lake", "k", path, description=described)
            assert (info.etag, info.metadata) == (md5(name), {"name": name})
    times = directory.path("lake", "k").stat().st_mtime_ns
    assert times != 10**18


def test_a_write_that_fails_before_its_rename_leaves_the_object_complete(
    directory: S3Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(directory, "one")

    def fail(path: Path, target: Path) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as broken:
        broken.setattr(Path, "rename", fail)
        for _ in range(2):
            with pytest.raises(OSError, match="Input/output error"):
                put(directory, "two")
    info = directory.head_object("lake", "k")
    assert (info.etag, info.metadata) == (md5("one"), {"name": "one"})


def test_facts_of_an_older_version_still_hold(directory: S3Directory, tmp_path: Path) -> None:
    put(directory, "one")
    (file,) = (tmp_path / "meta" / "lake").glob("*.json")
    facts = json.loads(file.read_text())
    facts.pop("before", None)
    file.write_text(json.dumps(facts))
    assert directory.head_object("lake", "k").metadata == {"name": "one"}
