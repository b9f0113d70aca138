"""Java in the embedded server: it is started for commands that run a Spark job, and not for a sync alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.workplace import Workplace

RUN_FAILED = 1
UNREACHABLE = {
    "ETLTCTL__SOURCES__API__BASE_URL": "http://127.0.0.1:9/ergast/f1",
    "ETLTCTL__SOURCES__API__SEASONS": "[2023]",
}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Workplace]:
    place = Workplace(tmp_path)
    place.run("local", "up")
    yield place
    place.run("local", "down")


def has_had_java(place: Workplace) -> bool:
    """Return whether the server has ever started Java, for which it writes this file."""
    return (place.folder / ".etltctl" / "glue" / "spark" / "log4j2.properties").exists()


def test_a_sync_alone_starts_no_java(place: Workplace) -> None:
    place.run("sync", "api")
    place.run("run", "api", "--to", "sync:api")
    place.run("athena", "query", "select 1")
    assert not has_had_java(place)


def test_a_run_has_java_started_before_its_sync_ends(place: Workplace) -> None:
    """The sync fails, so no job asks for a JVM: the announcement of the job has started it."""
    place.run("run", "api", code=RUN_FAILED, **UNREACHABLE)
    assert has_had_java(place)
