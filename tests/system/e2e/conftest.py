"""Lakes on the embedded endpoints, in separate folders."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.workplace import Workplace


@pytest.fixture(scope="session")
def sample_lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workplace]:
    """Yield a lake in which both pipelines ran once on the samples, in a new project as `etltctl init` creates it."""
    above = Workplace(tmp_path_factory.mktemp("sample"))
    above.run_installed("init", "my-lake")
    place = Workplace(above.folder / "my-lake", first_results=above.first_results)
    yield from _kept_lake(place)


@pytest.fixture(scope="session")
def pack_lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workplace]:
    """Yield a lake in which both pipelines ran once on the data pack."""
    pack = os.environ.get("ETLTCTL_DATA_PACK")
    if not pack:
        pytest.skip("ETLTCTL_DATA_PACK is not set: the real Formula 1 records and weather are not here")
    place = Workplace(tmp_path_factory.mktemp("pack"), {"ETLTCTL_DATA_PACK": pack})
    yield from _kept_lake(place)


def _kept_lake(place: Workplace) -> Iterator[Workplace]:
    place.run_installed("local", "up")
    try:
        place.run_installed("run", "mongodb", "--run-id", "first-mongodb")
        place.run_installed("run", "api", "--run-id", "first-api")
        seen = place.folder / ".etltctl" / "server" / "witness.jsonl"
        # The calls of the two pipelines only.
        (place.folder / "first-runs.jsonl").write_text(seen.read_text())
        yield place
    finally:
        place.run("local", "down")


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workplace]:
    """Yield a folder with a running server and no settings, for tests that leave nothing there for others to meet."""
    place = Workplace(tmp_path_factory.mktemp("served"))
    place.run("local", "up")
    yield place
    place.run("local", "down")


@pytest.fixture
def workplace(tmp_path: Path) -> Iterator[Workplace]:
    """Yield an empty folder; a server that a test leaves there is stopped."""
    place = Workplace(tmp_path)
    yield place
    (tmp_path / "etltctl.toml").unlink(missing_ok=True)
    if (tmp_path / ".etltctl").exists():
        place.run("local", "down")
