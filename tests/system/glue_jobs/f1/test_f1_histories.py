"""Random histories of syncs: Formula 1 made from what is new is what a run over everything makes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random

import pytest
from pyspark.sql import SparkSession

from support.f1_histories import Records, SeasonHistory, entries
from support.f1_lake import REJECTS, SILVER, F1Lake

pytestmark = pytest.mark.spark

CONFIG = {"max_reject_share": 1.0}
SEASONS = range(1991, 2041)  # each is one history
Write = Callable[..., str]


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

    def run(self) -> None:
        """Run both jobs of both lakes, and compare every table."""
        from silver_to_gold_api import TABLES

        version = str(self.bronze.syncs)
        for lake, base in ((self.new, self.last), (self.whole, None)):
            lake.make_f1_silver(version, self.bronze.files, base)
            lake.make_f1_gold(version, base)
        self.last = version
        self.require_equal(version, version, *SILVER, REJECTS, *TABLES)

    def require_equal(self, version: str, other: str, *tables: str) -> None:
        for table in tables:
            assert self.new.counts(table, version) == self.whole.counts(table, other), table
            assert self.new.rows(table, version) == self.whole.rows(table, other), table


def test_every_history_gives_what_a_run_over_everything_gives(
    spark: SparkSession, tmp_path: Path, write_stream: Write
) -> None:
    """Each season is one history: 50 of them, of up to five syncs."""
    from silver_to_gold_api import TABLES

    random = Random("seasons")
    histories = [SeasonHistory(season, "f1") for season in SEASONS]
    late, early = histories[::6], [history for history in histories if history.season % 6 != SEASONS[0] % 6]
    bronze = Bronze(tmp_path / "bronze", write_stream)
    lakes = Lakes(spark, tmp_path, bronze)
    bronze.sync([entries(), *(history.sync() for history in early)])
    lakes.run()

    with_news = random.sample(early, 12)
    bronze.sync([*(history.sync() for history in with_news), *(history.repeated() for history in early)])
    lakes.run()
    assert lakes.new.touched_seasons("2") == {history.season for history in with_news}

    # Records that came before, rejected rows, and drivers: no season differs, so gold is taken over.
    bronze.sync([entries(), *(history.repeated() for history in random.sample(early, 9))])
    lakes.run()
    assert lakes.new.touched_seasons("3") == set()
    assert all(lakes.new.report(table, "3")["replaces"] == [] for table in TABLES)

    # No sync: no file is new, so silver is taken over too, and what it knows of its seasons is handed on.
    lakes.new.seen["3b"] = lakes.new.seen["3"]
    lakes.new.make_f1_silver("3b", bronze.files, "3")
    lakes.new.make_f1_gold("3b", "3")
    lakes.last = "3b"
    assert all(lakes.new.report(table, "3b")["replaces"] == [] for table in (*SILVER, REJECTS, *TABLES))
    lakes.require_equal("3b", "3", *SILVER, REJECTS, *TABLES)

    # Seasons are added, also before those that are there; others are corrected.
    with_news = [*late, *random.sample(early, 3)]
    bronze.sync(history.sync() for history in with_news)
    lakes.run()
    assert lakes.new.touched_seasons("4") == {history.season for history in with_news}

    # A sync over everything lacks some seasons, and its files lie next to the old ones, which are no data any more.
    left = [history for history in histories if history not in late[:3]]
    bronze.sync([*(history.whole() for history in left), *(each.sync() for each in left[:2])], generation=2)
    lakes.run()
    assert {history.season for history in late[:3]} <= lakes.new.touched_seasons("5")
