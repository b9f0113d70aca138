"""The pytest fixtures of etltctl, in every environment that also has pytest. An unused fixture costs nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from etltctl.testing import EmbeddedLake, VirtualClock


@pytest.fixture(scope="session")
def _embedded_lake_of_session(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EmbeddedLake]:
    # Imported late: pytest loads this file in every project of the environment.
    from etltctl.testing.lake import serve_lake

    with serve_lake(tmp_path_factory.mktemp("etltctl"), project=request.config.rootpath) as lake:
        yield lake


@pytest.fixture
def embedded_lake(_embedded_lake_of_session: EmbeddedLake) -> Iterator[EmbeddedLake]:
    """Yield real embedded services for one test, with the project's settings; what a test scripted ends with it.

    The server and its data are shared by the tests of a session: give each run a different id.
    """
    lake = _embedded_lake_of_session
    with lake.leading():
        yield lake
    lake.script()


@pytest.fixture
def virtual_clock() -> Iterator[VirtualClock]:
    """Let etltctl's waits take no time in this test; the clock counts how long they would have been."""
    from etltctl.testing import VirtualClock

    with VirtualClock() as clock:
        yield clock


@pytest.fixture(scope="session")
def glue_spark() -> Iterator[Any]:
    """Yield a Spark session for tests of Glue scripts: the embedded Glue's engine on one thread, in UTC."""
    from etltctl.testing.spark import open_spark

    with open_spark() as session:
        yield session
