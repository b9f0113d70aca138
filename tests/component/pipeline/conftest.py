"""A small project on the embedded services, whose Glue and Airbyte give the answers that a test defines."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from etltctl.testing import EmbeddedLake, VirtualClock, open_lake
from support.sample_settings import on_sample
from support.scripted import PROJECT, Place


@pytest.fixture(scope="package")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedLake]:
    """One embedded server for the tests of this folder, which this process uses until they end."""
    project = tmp_path_factory.mktemp("project")
    (project / "etltctl.toml").write_text(on_sample(PROJECT))
    (project / "often.py").write_text("print('never run: the tests script what Glue answers')\n")
    with open_lake(tmp_path_factory.mktemp("lake"), project=project) as lake:
        yield lake


@pytest.fixture
def place(lake: EmbeddedLake) -> Iterator[Place]:
    """The project, without defined answers yet."""
    lake.script()
    yield Place(lake, lake.settings)
    lake.script()


@pytest.fixture(autouse=True)
def clock() -> Iterator[VirtualClock]:
    """A clock that moves only by sleeping."""
    with VirtualClock() as clock:
        yield clock
