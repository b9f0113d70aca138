"""What an incremental run costs, compared with a full run: sync, silver, gold and publish on one machine.

`python benchmarks/incremental.py` puts 5 million weather documents into bronze, made from the data pack
(`ETLTCTL_DATA_PACK`), and runs the pipeline over all of them. Then it adds new documents to MongoDB, 10,000 to
1,000,000, and runs the pipeline each time. Processor seconds are of all processes: command, server, MongoDB and Spark.

The full run counts without the sync of its documents, so the ratio says less than what is saved. The new documents
are observations of earlier years of some places. The last line has as many as the line of 1 %, spread over all places.

The share of bronze that was read is that of the files that Spark opened, by their time of access, whatever it read of
them.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, islice, product
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pymongo
from processes import adopt_orphans, spent_seconds, wait_until_quiet
from weather_bronze import make_bronze, pack_documents

from etltctl.local.services.airbyte.mongodb import MongoProcess

ETLTCTL = Path(sys.executable).with_name("etltctl")
INCREMENTAL = {
    "ETLTCTL__SOURCES__MONGODB__URI": "env:MONGODB_URI",
    "ETLTCTL__SOURCES__MONGODB__SYNC_MODE": "incremental_append",
    "ETLTCTL__GLUE__JOBS__BRONZE_TO_SILVER__INCREMENTAL": "true",
    "ETLTCTL__GLUE__JOBS__SILVER_TO_GOLD__INCREMENTAL": "true",
    "ETLTCTL__GLUE__JOBS__BRONZE_TO_SILVER__TIMEOUT_MINUTES": "600",
    "ETLTCTL__GLUE__JOBS__SILVER_TO_GOLD__TIMEOUT_MINUTES": "600",
}
STREAM = "s3/lake-bronze/mongodb/weather/observations"
EARLIER_S = 2 * 366 * 86_400  # more than any place of the pack covers
GENERATION = "_airbyte_generation_id"
FILES = 40  # of bronze, as many syncs would have left
OLD = 1  # nanoseconds since 1970: a time of access before every time of change
MOST_CPU, MOST_BYTES = 0.1, 0.02


@dataclass(frozen=True)
class Lake:
    """A project with an embedded lake whose MongoDB is a separate process."""

    folder: Path
    environ: dict[str, str]

    def run(self, *words: str) -> dict[str, Any]:
        """Run a command of etltctl, and return its result."""
        done = subprocess.run(
            [ETLTCTL, *words, "-o", "json"], cwd=self.folder, env=self.environ, capture_output=True, text=True
        )
        if done.returncode:
            sys.exit(f"etltctl {' '.join(words)} failed:\n{done.stderr[-3000:]}")
        return dict(json.loads(done.stdout))

    def bronze_files(self) -> list[Path]:
        """Return the files of the stream on the disk."""
        return sorted((self.folder / ".etltctl" / STREAM).glob("*.parquet"))


@dataclass(frozen=True)
class Cost:
    """What a run cost: processor seconds, and the bytes of the files of bronze that it opened."""

    cpu_s: float
    bronze_bytes: int
    inputs: dict[str, Any]


def measured(lake: Lake, *words: str) -> Cost:
    """Run the pipeline and measure it."""
    for file in lake.bronze_files():
        os.utime(file, ns=(OLD, file.stat().st_mtime_ns))
    before = spent_seconds()
    result = lake.run("run", "mongodb", *words)
    spent = spent_seconds() - before
    opened = [file.stat().st_size for file in lake.bronze_files() if file.stat().st_atime_ns > OLD]
    steps = {step["step"]: step for step in result["steps"]}
    return Cost(spent, sum(opened), steps["glue:bronze_to_silver"]["inputs"])


def documents(copies: range) -> Iterator[dict[str, Any]]:
    """Yield observations of earlier years of the places of these copies of the pack, turn by turn."""
    pack = list(pack_documents())
    for turn in count(1):
        for document, copy in product(pack, copies):
            others = {name: value for name, value in document.items() if name not in ("_id", "dt_iso")}
            place = f"{document['city_name']} {copy}"
            yield {**others, "city_name": place, "dt": document["dt"] - turn * EARLIER_S}


def add(collection: Any, new: Iterator[dict[str, Any]], number: int) -> None:
    """Insert documents."""
    while number > 0:
        batch = list(islice(new, min(number, 10_000)))
        collection.insert_many(batch)
        number -= len(batch)


def compare(options: argparse.Namespace, place: Path) -> None:
    """Print the cost of the full run and of each incremental one."""
    mongo = MongoProcess(place / "mongo")
    folder = place / "lake"
    folder.mkdir()
    lake = Lake(folder, {**os.environ, **INCREMENTAL, "MONGODB_URI": mongo.uri()})
    lake.run("init", "--sample", "weather")
    with pymongo.MongoClient[dict[str, Any]](mongo.uri()) as client:
        collection = client["weather"]["observations"]
        copies = -(-options.documents // len(list(pack_documents())))
        some, spread = documents(range(options.copies)), documents(range(copies))
        add(collection, spread, 10)
        lake.run("sync", "mongodb")  # the state that later syncs go on from
        plant(lake, options)
        full = measured(lake, "--full")
        bronze = sum(file.stat().st_size for file in lake.bronze_files())
        print(
            f"{options.documents:,} documents in {len(lake.bronze_files())} files, {bronze / 1e6:,.0f} MB of bronze"
        )
        print(f"{'new documents':>14} {'of':>8} {'CPU s':>8} {'of full':>8} {'bronze read':>12}")
        print(
            f"{'everything':>14} {'':>8} {full.cpu_s:>8.0f} {'':>8} {full.bronze_bytes / bronze:>11.1%}",
            flush=True,
        )
        for number, new, which in [
            *((number, some, "some") for number in options.new), (options.documents // 100, spread, "all"),
        ]:  # fmt: skip
            add(collection, new, number)
            wait_until_quiet()
            cost = measured(lake)
            if cost.inputs.get("everything"):
                sys.exit(f"the run was not incremental: {cost.inputs['everything']}")
            print(
                f"{number:>14,} {which:>8} {cost.cpu_s:>8.0f} {cost.cpu_s / full.cpu_s:>8.3f} "
                f"{cost.bronze_bytes / bronze:>11.1%}",
                flush=True,
            )
    lake.run("local", "down")
    mongo.stop()


def plant(lake: Lake, options: argparse.Namespace) -> None:
    """Put the documents into bronze next to the file of the first sync, as if earlier syncs had brought them."""
    bronze = Path(make_bronze(options.documents, options.folder or lake.folder.parent))
    (first,) = lake.bronze_files()
    generation = pq.read_table(first)[GENERATION][0]
    rows = -(-options.documents // FILES)
    for file in bronze.glob("*.parquet"):
        table = pq.read_table(file)
        column = pa.repeat(generation, table.num_rows)
        table = table.set_column(table.schema.get_field_index(GENERATION), GENERATION, column)
        for begin in range(0, table.num_rows, rows):
            # Not named as a sync names its files: it would delete them.
            name = f"planted_{file.stem}_{begin}.parquet"
            pq.write_table(table.slice(begin, rows), first.with_name(name))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--documents", type=int, default=5_000_000)
    parser.add_argument("--new", type=int, nargs="+", default=[10_000, 50_000, 200_000, 1_000_000])
    parser.add_argument("--copies", type=int, default=3, help="copies of the pack that get new documents")
    parser.add_argument("--folder", type=Path, help="keep bronze here for the next time")
    options = parser.parse_args()
    adopt_orphans()
    with tempfile.TemporaryDirectory() as temporary:
        compare(options, Path(temporary))
    print(f"goals for 1 % more: at most {MOST_CPU:.0%} of the processor time, and {MOST_BYTES:.0%} of bronze")


if __name__ == "__main__":
    main()
