"""What `local status` says of Spark's class archive before there is one."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from etltctl.local.services.glue.class_archive import describe_class_archive, installed_archive


def test_an_archive_that_a_process_makes_now_is_not_promised_to_the_first_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    archive = installed_archive()
    assert archive is not None
    root = archive.folder.parent
    (root / "making-x").mkdir(parents=True)
    with (root / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "is being made in the background" in describe_class_archive()[1]
    assert "as soon as no job uses Spark" in describe_class_archive()[1], "its process was killed"
