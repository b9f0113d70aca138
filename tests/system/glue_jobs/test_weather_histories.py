"""Random histories of syncs: weather made from what is new is what a full run makes."""

from pathlib import Path
from random import Random
from typing import Any

import pytest
from pyspark.sql import SparkSession

from support.weather_files import write_file
from support.weather_histories import PlaceHistory
from support.weather_lake import REJECTS, SILVER, WeatherLake

pytestmark = pytest.mark.spark

CONFIG = {"max_reject_share": 1.0, "min_hours_per_day": 2}
SHARE_OF_SYNC = 0.6  # of the places, the share that has news in a sync


def sync_of(places: list[PlaceHistory], bronze: Path, sync: int, shape: str, random: Random) -> list[str]:
    """Write what a sync brings of some of the places, and return the files.

    Nested documents are in one file a place: an old file is read only if it holds documents of the place's rows.
    Others are in up to three files.
    """
    # One place in eight is a new one later on.
    with_news = [
        place for place in places if (place.number % 8 if sync == 0 else random.random() < SHARE_OF_SYNC)
    ]
    documents = [(place.number, document) for place in with_news for document in place.sync(sync)]
    random.shuffle(documents)
    count = random.randint(1, 3)
    parts: dict[int, list[dict[str, Any]]] = {}
    for at, (number, document) in enumerate(documents):
        parts.setdefault(number if shape == "nested" else at % count, []).append(document)
    return [
        write_file(bronze / f"2026_01_0{sync + 1}_{sync}_{at}.parquet", part, shape, sync=sync)
        for at, part in sorted(parts.items())
    ]


@pytest.mark.parametrize(
    ("shape", "histories", "syncs", "with_gold"),
    [("nested", 120, 3, True), ("schemaless", 200, 2, False), ("flat", 190, 2, False)],
)
def test_every_history_gives_what_a_run_over_everything_gives(
    spark: SparkSession, tmp_path: Path, shape: str, histories: int, syncs: int, with_gold: bool
) -> None:
    """Each place is one history: 510 of them, of two or three syncs."""
    from silver_to_gold import TABLES

    places, random = [PlaceHistory(number, len(shape)) for number in range(histories)], Random(shape)
    lake, whole = WeatherLake(spark, tmp_path / "new", CONFIG), WeatherLake(spark, tmp_path / "all", CONFIG)
    files = sync_of(places, tmp_path / "bronze", 0, shape, random)
    lake.make_silver("0", files)
    for sync in range(1, syncs):
        files += sync_of(places, tmp_path / "bronze", sync, shape, random)
        lake.make_silver(str(sync), files, base=str(sync - 1))
        whole.make_silver(str(sync), files)
        require_equal(lake, whole, str(sync), SILVER, REJECTS)
        assert "replaces" in lake.report(SILVER, str(sync)), "not everything was read"
        documents = [each.state(SILVER, str(sync))["documents"] for each in (lake, whole)]
        assert documents[0] == documents[1]
    if with_gold:
        last = str(syncs - 1)
        lake.make_gold(str(syncs - 2))
        lake.make_gold(last, base=str(syncs - 2))
        whole.make_gold(last)
        require_equal(lake, whole, last, *TABLES)
    print(f"{histories} histories of {syncs} syncs, {shape}")


def require_equal(lake: WeatherLake, whole: WeatherLake, version: str, *tables: str) -> None:
    for table in tables:
        assert lake.counts(table, version) == whole.counts(table, version), table
        assert lake.rows(table, version) == whole.rows(table, version), table
