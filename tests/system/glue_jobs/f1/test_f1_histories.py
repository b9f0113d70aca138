"""Random histories of syncs: Formula 1 made from what is new is what a full run makes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from random import Random

import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from support.f1_histories import Records, SeasonHistory, entries
from support.f1_lake import GOLD, REJECTS, SILVER, F1Lake

pytestmark = pytest.mark.spark

CONFIG = {"max_reject_share": 1.0}
SEASONS = range(1991, 2041)  # each is one history
Write = Callable[..., str]


@pytest.fixture
def small(spark: SparkSession) -> Iterator[SparkSession]:
    """Yield the session as the jobs have it: every table is one small task."""
    from lake import spark_session

    partitions = spark.conf.get("spark.sql.shuffle.partitions")
    yield spark_session("tests", is_small=True)
    spark_session("tests")
    spark.conf.set("spark.sql.shuffle.partitions", str(partitions))


class Bronze:
    """The files that syncs have brought, by stream."""

    def __init__(self, folder: Path, write_stream: Write) -> None:
        self.folder, self.write_stream, self.syncs = folder, write_stream, 0
        self.files: dict[str, list[str]] = defaultdict(list)

    def sync(self, parts: Iterable[Records], generation: int = 1) -> None:
        """Write what a sync brings, one file a stream."""
        self.syncs += 1
        brought: Records = defaultdict(list)
        for part in parts:
            for stream, records in part.items():
                brought[stream] += records
        for stream, records in brought.items():
            place = str(self.folder / stream)
            self.write_stream(stream, records, place, synced_at=self.syncs, generation=generation)
            self.files[stream].append(f"{place}/2026_01_02_{self.syncs}_0.parquet")


class Lakes:
    """A lake whose versions are made from those before, and one whose versions are made from everything."""

    def __init__(self, spark: SparkSession, folder: Path, bronze: Bronze) -> None:
        self.bronze = bronze
        self.new, self.whole = (F1Lake(spark, folder / name, CONFIG) for name in ("new", "whole"))
        self.last: str | None = None

    def make(self, version: str) -> set[int]:
        """Run both jobs on what is new, and return the seasons that gold was to make again."""
        self.new.make_f1_silver(version, self.bronze.files, self.last)
        self.new.make_f1_gold(version, self.last)
        is_first, self.last = self.last is None, version
        return set() if is_first else self.new.touched_seasons(version)

    def make_whole(self, version: str) -> None:
        """Run both jobs on everything."""
        self.whole.make_f1_silver(version, self.bronze.files)
        self.whole.make_f1_gold(version)

    def require_equal(self, version: str, whole: str) -> None:
        """Compare every table of a version with that of a full run."""
        for table in (*SILVER, REJECTS, *GOLD):
            assert self.new.counts(table, version) == self.whole.counts(table, whole), table
            assert self.new.rows(table, version) == self.whole.rows(table, whole), table

    def was_carried_over(self, version: str, *tables: str) -> bool:
        return all(self.new.report(table, version).get("replaces") == [] for table in tables)


def test_every_history_gives_what_a_full_run_gives(
    small: SparkSession, tmp_path: Path, write_stream: Write
) -> None:
    """Each season is one history: 50 of them, of up to four syncs."""
    random = Random("seasons")
    histories = [SeasonHistory(season, "f1") for season in SEASONS]
    late = histories[::6]
    early = [history for history in histories if history not in late]
    bronze = Bronze(tmp_path / "bronze", write_stream)
    lakes = Lakes(small, tmp_path, bronze)
    bronze.sync([entries(), *(history.sync() for history in early)])
    lakes.make("first")

    with_news = random.sample(early, 12)
    bronze.sync([*(history.sync() for history in with_news), *(history.repeated() for history in early)])
    assert lakes.make("news") == seasons_of(with_news)
    lakes.make_whole("news")
    lakes.require_equal("news", "news")
    assert kept_seasons(lakes.new, "news") == seasons_of(early) - seasons_of(with_news)

    # Records that came before, rejected rows, and drivers: no season differs.
    bronze.sync([entries(), *(history.repeated() for history in random.sample(early, 9))])
    assert lakes.make("repeats") == set()
    lakes.make_whole("repeats")
    lakes.require_equal("repeats", "repeats")
    assert lakes.was_carried_over("repeats", *GOLD)
    assert not lakes.was_carried_over("repeats", *SILVER)

    # No sync, so no file is new.
    assert lakes.make("nothing") == set()
    lakes.require_equal("nothing", "repeats")
    assert lakes.was_carried_over("nothing", *SILVER, REJECTS, *GOLD)

    # Of a version without reports the counts are not known, so everything is made again.
    for table in (SILVER[0], GOLD[0]):
        lakes.new.forget_report(table, "nothing")
    assert lakes.make("unreported") == set()
    lakes.require_equal("unreported", "repeats")
    assert all("replaces" not in lakes.new.report(table, "unreported") for table in (*SILVER, *GOLD))

    # Seasons are added, also between those that are there; others are corrected.
    with_news = [*late, *random.sample(early, 3)]
    bronze.sync(history.sync() for history in with_news)
    assert lakes.make("seasons") == seasons_of(with_news)
    lakes.make_whole("seasons")
    lakes.require_equal("seasons", "seasons")

    # A full sync lacks some seasons. The old files still lie next to its files, and do not count.
    gone, left = late[:3], [history for history in histories if history not in late[:3]]
    for history in left[:2]:
        history.sync()
    bronze.sync((history.whole() for history in left), generation=2)
    assert lakes.make("gone") >= seasons_of([*gone, *left[:2]])
    lakes.make_whole("gone")
    lakes.require_equal("gone", "gone")
    assert kept_seasons(lakes.new, "gone")


def seasons_of(histories: Iterable[SeasonHistory]) -> set[int]:
    return {history.season for history in histories}


def kept_seasons(lake: F1Lake, version: str) -> set[int]:
    """Return the seasons whose rows of gold an earlier run made."""
    rows = pq.read_table(lake.place("gold.f1_driver_points_progression", version)).to_pylist()
    return {row["season"] for row in rows if row["run_id"] != f"run-{version}"}
