"""Incremental syncs through the whole pipeline: what is new is read, and the tables are those of a full read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import pymongo
import pytest

from etltctl.local.samples import weather_documents
from etltctl.local.services.airbyte.mongodb import MongoProcess
from support.workplace import Workplace

pytestmark = pytest.mark.e2e
FIRST, NEW = 2_000, 20
SILVER = "glue:bronze_to_silver"
# What a run writes about itself; the rest is what the data say.
OF_THE_RUN = {"run_id", "ingested_at", "source_file", "source_rows"}
TABLES = {"silver.weather_observation": "city_key, observed_at", "gold.weather_daily": "city_key, local_date"}


@pytest.fixture
def collection(tmp_path: Path) -> Iterator[tuple[str, Any]]:
    mongo = MongoProcess(tmp_path / "mongo")
    with pymongo.MongoClient[dict[str, Any]](mongo.uri()) as client:
        yield mongo.uri(), client["weather"]["observations"]
    mongo.stop()


@pytest.fixture
def place(tmp_path: Path, collection: tuple[str, Any]) -> Iterator[Workplace]:
    environ = {
        "MONGODB_URI": collection[0],
        "ETLTCTL__SOURCES__MONGODB__URI": "env:MONGODB_URI",
        "ETLTCTL__SOURCES__MONGODB__SYNC_MODE": "incremental_append",
        "ETLTCTL__GLUE__JOBS__BRONZE_TO_SILVER__INCREMENTAL": "true",
        "ETLTCTL__GLUE__JOBS__SILVER_TO_GOLD__INCREMENTAL": "true",
    }
    (tmp_path / "lake").mkdir()
    place = Workplace(tmp_path / "lake", environ)
    place.run("local", "up")
    yield place
    place.run("local", "down")


def rows_of_sync(place: Workplace) -> tuple[str, str | int]:
    """Run the pipeline, and return what its line says of the rows, and how the job of silver chose what to read."""
    done = place.run("run", "mongodb", "-o", "json")
    (words,) = re.findall(r"[\d,]+ new rows", done.stderr)
    (inputs,) = (step["inputs"] for step in json.loads(done.stdout)["steps"] if step["step"] == SILVER)
    return words, inputs.get("everything", inputs.get("new_files"))


def test_a_run_after_new_documents_reads_those_alone_and_makes_the_tables_of_a_full_read(
    place: Workplace, collection: tuple[str, Any]
) -> None:
    documents = sorted(islice(weather_documents(None), 4_000), key=lambda document: document["_id"])
    observations = collection[1]
    observations.insert_many(documents[:FIRST])
    first = "silver.weather_observation has no published version yet"
    assert rows_of_sync(place) == ("2,000 new rows", first)

    observations.insert_many(documents[FIRST : FIRST + NEW])
    assert rows_of_sync(place) == ("20 new rows", 1)
    incremental = place.content(TABLES, OF_THE_RUN)

    refused = place.run("sync", "mongodb", "--full", code=5)
    assert "nothing was deleted or started" in refused.stderr
    full = place.json("sync", "mongodb", "--full", "--yes")
    assert (full["rows"], full["incremental"]) == (FIRST + NEW, True)

    words, why = rows_of_sync(place)
    assert words == "0 new rows"
    assert re.fullmatch(r"the file \S+\.parquet of bronze\.mongodb_observations is gone", str(why))
    assert place.content(TABLES, OF_THE_RUN) == incremental
    assert len(incremental["silver.weather_observation"]) > FIRST / 2


def test_a_state_that_cannot_be_read_fails_with_the_command_that_resets_it(
    place: Workplace, collection: tuple[str, Any]
) -> None:
    collection[1].insert_many([{"_id": number, "dt": number} for number in range(3)])
    assert place.json("sync", "mongodb")["rows"] == 3
    (file,) = (place.folder / ".etltctl" / "airbyte").glob("states-*.json")
    file.write_text("{")
    failed = place.run("sync", "mongodb", code=1)
    assert "is damaged (JSONDecodeError" in failed.stderr
    assert "etltctl sync mongodb --full" in failed.stderr
    done = place.run("sync", "mongodb", "--full", "--yes")
    assert "3 new rows in bronze" in done.stdout


def test_a_full_sync_is_refused_where_it_would_read_nothing_more(place: Workplace) -> None:
    refused = place.run("sync", "api", "--full", "--yes", code=2)
    assert "every sync reads everything, so there is nothing to reset" in refused.stderr


def test_a_full_sync_that_fails_after_the_clear_does_not_call_bronze_good(
    place: Workplace, collection: tuple[str, Any]
) -> None:
    collection[1].insert_many([{"_id": 1, "dt": 1}, {"_id": 2, "dt": 2}])
    place.run("sync", "mongodb")
    done = place.run(
        "sync", "mongodb", "--full", "--yes", code=1, ETLTCTL__SOURCES__MONGODB__CURSOR="no_such_field"
    )
    assert "mongodb was cleared, so bronze holds no rows of it or only those of this sync" in done.stderr
    assert "keeps the last good sync" not in done.stderr
    why = place.run("why").stdout
    assert "Bronze of mongodb was cleared for this full sync" in why
    assert "Your data is safe" not in why
