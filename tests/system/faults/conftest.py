"""A lake with a small pipeline on a kept server, whose answers a test can make faulty."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.spoilt import SCRIPT, SpoiltLake


@pytest.fixture(scope="session")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SpoiltLake]:
    """Yield a lake in which the pipeline `small` ran once, undisturbed."""
    spoilt_lake = SpoiltLake.make(tmp_path_factory.mktemp("spoilt"))
    spoilt_lake.run("local", "up")
    try:
        spoilt_lake.run_installed("run", "small", "--run-id", "undisturbed")
        (spoilt_lake.folder / "small.py").write_text(SCRIPT)
        yield spoilt_lake
    finally:
        spoilt_lake.run("local", "down")


@pytest.fixture(autouse=True)
def _no_faults_left(lake: SpoiltLake) -> Iterator[None]:
    yield
    lake.spoil()
    lake.settle()
