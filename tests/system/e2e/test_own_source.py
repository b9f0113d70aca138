"""A source of the user's own, from `etltctl source add` to rows in silver, and the test that it comes with."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pymongo
import pytest

from etltctl.local.services.airbyte.mongodb import MongoProcess
from support.workplace import Workplace

pytestmark = [pytest.mark.e2e, pytest.mark.spark]

SHIPS = [
    {"_id": "a", "name": "Anna", "position": {"lat": 53.5, "lon": 10.0}, "built_at": "1999-05-01T08:30:00Z"},
    {"_id": "b", "name": "Berta", "position": None, "built_at": None},
]


@pytest.fixture
def project(tmp_path: Path) -> Workplace:
    """A project with a source `ships`, whose MongoDB runs."""
    mongo = MongoProcess(tmp_path / "mongo")
    place = Workplace(tmp_path / "lake", {"SHIPS_URI": mongo.uri()})
    try:
        with pymongo.MongoClient(mongo.uri()) as client:
            client["harbour"]["ships"].insert_many(SHIPS)
        Workplace(tmp_path).run("init", "lake")
        place.run(
            "source", "add", "ships", "--kind", "mongodb", "--uri", "env:SHIPS_URI",
            "--database", "harbour", "--stream", "ships", "--key", "_id",
        )  # fmt: skip
        yield place
    finally:
        place.run("local", "down")
        mongo.stop()


def test_a_source_that_was_added_reaches_silver_and_its_columns_are_unpacked(project: Workplace) -> None:
    script = project.folder / "glue_jobs" / "bronze_to_silver_ships.py"
    text = script.read_text()
    text = text.replace(
        "JSON: dict[str, dict[str, str]] = {}",
        'JSON = {"silver.ships_ships": {"position": "struct<lat: double, lon: double>"}}',
    )
    text = text.replace("TIMES: dict[str, list[str]] = {}", 'TIMES = {"silver.ships_ships": ["built_at"]}')
    script.write_text(text)
    project.run("run", "ships")
    rows = project.query(
        "select _id, name, position.lat as lat, cast(built_at as varchar) as built_at "
        "from lake_silver.ships_ships order by _id"
    )
    assert [[row["_id"], row["name"], row["lat"], row["built_at"]] for row in rows] == [
        ["a", "Anna", 53.5, "1999-05-01 08:30:00.000"],
        ["b", "Berta", None, None],
    ]
    columns = project.query("select * from lake_silver.ships_ships limit 1")[0].keys()
    assert not [name for name in columns if name.startswith(("_airbyte_", "_ab_"))]


def test_the_test_that_comes_with_the_source_passes(project: Workplace) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/test_bronze_to_silver_ships.py"],
        cwd=project.folder, env=project.full_environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout
