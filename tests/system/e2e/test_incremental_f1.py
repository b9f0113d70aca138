"""Incremental jobs of Formula 1 through the whole pipeline: a day without a race, and a season that is new."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from support.f1_seasons import make_pack
from support.workplace import Workplace

pytestmark = pytest.mark.e2e
SEASONS = "ETLTCTL__SOURCES__API__SEASONS"
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
        "ETLTCTL_DATA_PACK": str(make_pack(tmp_path / "pack", [2098, 2099])),
        SEASONS: "[2098]",
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
    (text,) = re.findall(
        rf"{job} .*rows\b.* · (.*(?:new|partitions|seasons|requested))\s*$", screen, re.MULTILINE
    )
    return str(text)


def makers_of(place: Workplace, table: str) -> list[str]:
    """Return the runs that made the rows of a table."""
    return [row["run_id"] for row in place.query(f"select distinct run_id from pi_m3_{table}")]


def test_gold_is_made_again_only_of_seasons_that_differ(place: Workplace) -> None:
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

    # A season that the source did not read before is new, and gold keeps the rows of the other one.
    place = replace(place, environ={**place.environ, SEASONS: "[2098, 2099]"})
    screen = place.run("run", "api", "--run-id", "new-season").stderr
    assert re.fullmatch(r"\d+ changed partitions", inputs_of(screen, GOLD))
    makers = "select distinct season, run_id from pi_m3_gold.f1_driver_championship order by season"
    assert [tuple(row.values()) for row in place.query(makers)] == [
        (2098, "race-day"),
        (2099, "new-season"),
    ]
    both = place.content(TABLES, OF_THE_RUN)
    screen = place.run("run-glue", GOLD, "--full", "--wait").stderr
    assert inputs_of(screen, GOLD).startswith("read everything: ")
    assert place.content(TABLES, OF_THE_RUN) == both != first
