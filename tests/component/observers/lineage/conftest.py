"""One embedded lake with a table that a query makes, and a receiver of lineage events."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from etltctl.testing import EmbeddedLake, open_lake
from support.lineage_receiver import LineageReceiver, lineage_receiver
from support.sql_project import PROJECT, QUERY, READINGS, SqlProject


@pytest.fixture(scope="package")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedLake]:
    """One embedded server, and the input table."""
    project = tmp_path_factory.mktemp("project")
    (project / "etltctl.toml").write_text(PROJECT)
    (project / "none.py").write_text("print('never run')\n")
    with open_lake(tmp_path_factory.mktemp("lake"), project=project) as lake:
        SqlProject(lake, lake.settings).publish_readings(READINGS, "first")
        yield lake


@pytest.fixture
def receiver() -> Iterator[LineageReceiver]:
    """A receiver of lineage events."""
    with lineage_receiver() as receiver:
        yield receiver


@pytest.fixture
def project(lake: EmbeddedLake, receiver: LineageReceiver) -> Iterator[SqlProject]:
    """The project, whose runs are reported to the receiver."""
    lake.script()
    settings = lake.settings.overlaid(
        {"lineage": {"url": receiver.url, "api_key": "k-3f"}}, lake.settings.endpoint
    )
    project = replace(SqlProject(lake, settings))
    project.write_query(QUERY)
    yield project
    lake.script()
