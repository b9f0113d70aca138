"""A receiver of lineage events, and the project of the folder above whose runs are reported to it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from etltctl.testing import EmbeddedLake
from support.lineage_receiver import LineageReceiver, lineage_receiver
from support.sql_project import QUERY, SqlProject


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
        {"lineage": {"url": receiver.url, "api_key": "k-3f"}}, lake.settings.route
    )
    project = replace(SqlProject(lake, settings))
    project.write_query(QUERY)
    yield project
    lake.script()
