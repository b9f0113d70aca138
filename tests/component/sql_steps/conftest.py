"""One embedded lake with a small input table, for all tests of the folder."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from etltctl.testing import EmbeddedLake
from support.sql_project import QUERY, SqlProject, open_sql_lake


@pytest.fixture(scope="package")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedLake]:
    """One embedded server, and the input table."""
    with open_sql_lake(tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("lake")) as lake:
        yield lake


@pytest.fixture
def project(lake: EmbeddedLake) -> Iterator[SqlProject]:
    """The project with its query as it should be, and without scripted answers."""
    lake.script()
    project = SqlProject(lake, lake.settings)
    project.write_query(QUERY)
    yield project
    lake.script()
