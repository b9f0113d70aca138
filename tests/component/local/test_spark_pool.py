"""The pool of JVMs: every process that it started ends with it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from etltctl.local.services.glue.spark import SparkPool
from support.java_processes import java_processes

PATIENCE_S = 30.0

pytestmark = pytest.mark.skipif(not Path("/proc/self/cmdline").exists(), reason="no /proc on this system")


def test_a_closing_pool_ends_the_java_that_is_still_starting(tmp_path: Path) -> None:
    pool = SparkPool(tmp_path / "spark", tmp_path / "s3", list, "http://127.0.0.1:1")
    pool.warm()
    deadline = time.monotonic() + PATIENCE_S
    while not java_processes(tmp_path):
        assert time.monotonic() < deadline, "no Java was started"
        time.sleep(0.01)
    pool.close()
    assert java_processes(tmp_path) == []
    assert not (tmp_path / "spark").exists()


def test_a_closed_pool_starts_nothing(tmp_path: Path) -> None:
    pool = SparkPool(tmp_path / "spark", tmp_path / "s3", list, "http://127.0.0.1:1")
    pool.close()
    pool.warm()
    pool.prepare_python()
    assert java_processes(tmp_path) == []
