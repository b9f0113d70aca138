"""Incremental jobs of Formula 1 through the whole pipeline, on a day without a race."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.workplace import Workplace

pytestmark = pytest.mark.e2e
SILVER, GOLD = "bronze_to_silver_api", "silver_to_gold_api"
TABLES = {
    "silver.f1_result": "season, round, session, driver_id",
    "gold.f1_driver_championship": "season, driver_id",
    "gold.f1_circuit_wins": "circuit_id, driver_id",
}
OF_THE_RUN = {"run_id", "ingested_at", "source_rows"}


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Workplace]:
    environ = {
        "ETLTCTL__SOURCES__API__SYNC_MODE": "incremental_append",
        "ETLTCTL__GLUE__JOBS__BRONZE_TO_SILVER_API__INCREMENTAL": "true",
        "ETLTCTL__GLUE__JOBS__SILVER_TO_GOLD_API__INCREMENTAL": "true",
    }
    place = Workplace(tmp_path, environ)
    place.run("local", "up")
    yield place
    place.run("local", "down")


def inputs_of(screen: str, job: str) -> str:
    """Return what the line of the job says of its inputs."""
    (text,) = re.findall(rf"{job} .*rows\b.* · (.*(?:new|partitions|seasons))\s*$", screen, re.MULTILINE)
    return str(text)


def makers_of(place: Workplace, table: str) -> list[str]:
    """Return the runs that made the rows of a table."""
    return [row["run_id"] for row in place.query(f"select distinct run_id from pi_m3_{table}")]


def test_a_day_without_a_race_leaves_gold_as_it_is_and_the_line_says_so(place: Workplace) -> None:
    place.run("run", "api", "--run-id", "race-day")
    first = place.content(TABLES, OF_THE_RUN)
    assert all(first.values())

    # The newest season is always read again, so files are new although no fact is.
    screen = place.run("run", "api", "--run-id", "next-day").stderr
    assert inputs_of(screen, SILVER) == "read everything: this job always reads all seasons"
    assert inputs_of(screen, GOLD) == "nothing new"
    assert place.content(TABLES, OF_THE_RUN) == first
    assert makers_of(place, "gold.f1_driver_championship") == ["race-day"]

    # Without a sync no file is new, and the tables of silver are carried over too.
    screen = place.run("run-glue", SILVER, "--wait").stderr
    assert re.fullmatch(r"0 of \d+ files new", inputs_of(screen, SILVER))
    assert place.content(TABLES, OF_THE_RUN) == first
    assert makers_of(place, "silver.f1_result") == ["next-day"]
