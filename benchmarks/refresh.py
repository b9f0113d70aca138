"""The registration of Parquet files in the catalog: etltctl compared with awswrangler and an MSCK-like listing.

All use the same files on the same embedded server, which counts every request. First there are 64 files in 8
partitions, then 10,000 partitions of one small file each. `python benchmarks/refresh.py [PARTITIONS]`.
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pyarrow as pa
import pyarrow.parquet as pq

PROJECT = Path(__file__).parents[1]
sys.path.insert(0, str(PROJECT / "tests"))
from etltctl.aws import Aws  # noqa: E402
from etltctl.catalog import Catalog  # noqa: E402
from etltctl.publishing import Lake  # noqa: E402
from etltctl.s3 import S3  # noqa: E402
from etltctl.settings import load_settings  # noqa: E402
from support.served import Served, serve  # noqa: E402  the embedded server as a separate process

BUCKET, DATABASE = "pi-m3-bronze", "bronze"
FILES, FILE_ROWS = 64, 60_000
S3_CALLS = {"list": f"GET /{BUCKET}", "HEAD": "HEAD *", "GET": "GET *", "PUT": "PUT *", "POST": "POST *"}
READS, WRITES = "Get*", "*"  # of the catalog; any other call is a write


@dataclass
class Round:
    """One refresh by one tool: requests by kind, bytes read from S3, seconds."""

    requests: Mapping[str, int]
    seconds: float
    read: int = 0
    registering: float = 0.0  # seconds from the first batch of partitions to the last

    @property
    def s3(self) -> int:
        """Return the requests to S3."""
        return sum(self.requests[name] for name in S3_CALLS)

    @property
    def catalog(self) -> int:
        """Return the requests to the catalog."""
        return self.requests["catalog reads"] + self.requests["catalog writes"]


@dataclass
class Stage:
    """The server, and the bytes read from S3 since the last count."""

    server: Served
    session: Any
    read: list[int] = field(default_factory=list)
    batches: list[float] = field(default_factory=list)

    def measure(self, work: Callable[[], object]) -> Round:
        """Do the refresh and count the requests to the server."""
        names = {**S3_CALLS, "catalog reads": READS, "catalog writes": WRITES}
        rules = [{"call": call, "delay": 0, "times": 0} for call in names.values()]
        assert self.server.request("POST", "faults", rules)[0] == 200
        self.read.clear()
        self.batches.clear()
        started = time.perf_counter()
        work()
        seconds = time.perf_counter() - started
        met = [rule["met"] for rule in self.server.request("GET", "faults")[1]]
        self.server.request("POST", "faults", [])
        registering = max(self.batches, default=0.0) - min(self.batches, default=0.0)
        return Round(dict(zip(names, met, strict=True)), seconds, sum(self.read), registering)

    def listen(self, events: Any) -> None:
        """Count the bytes that new clients get from S3."""
        events.register("after-call.s3.GetObject", self._came)
        for moment in ("before-call", "after-call"):
            events.register(f"{moment}.glue.BatchCreatePartition", self._batch)

    def _batch(self, **_: Any) -> None:
        self.batches.append(time.perf_counter())

    def _came(self, parsed: Mapping[str, Any], **_: Any) -> None:
        self.read.append(int(parsed.get("ContentLength") or 0))


def write_files(server: Served, name: str, partitions: int, files: int, rows: int) -> str:
    """Write the same Parquet file into every partition, directly into the folder behind the server's S3."""
    columns = {f"c{n}": pa.array(range(rows), pa.int64() if n % 2 else pa.float64()) for n in range(12)}
    columns["name"] = pa.array([f"row {n}" for n in range(rows)])
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    root = server.state / "s3" / BUCKET / name
    for partition in range(partitions):
        folder = root / f"day={20_000_000 + partition}"
        folder.mkdir(parents=True)
        for number in range(files):
            (folder / f"part-{number}.parquet").write_bytes(file.getvalue())
    return f"s3://{BUCKET}/{name}/"


def etltctl_refresh(stage: Stage, folder: Path, location: str, table: str) -> Callable[[], object]:
    """Refresh as a new etltctl process would: it knows only the state on disk and in the catalog."""
    (folder / "etltctl.toml").write_text(f'[tables."bronze.{table}"]\nlocation = "{location}"\n')
    environ = {"ETLTCTL_STATE_DIR": str(folder / "state")}
    settings = load_settings(config=folder / "etltctl.toml", env="local", environ=environ)

    def work() -> None:
        aws = Aws(region="us-east-1")
        stage.listen(aws._session.events)
        (done,) = Lake(settings, S3(aws), Catalog(aws)).refresh([f"bronze.{table}"])
        assert done.rows

    return work


def awswrangler_refresh(stage: Stage, location: str, table: str) -> Callable[[], object]:
    """Refresh with awswrangler's method: store_parquet_metadata over the dataset."""
    import awswrangler

    def work() -> None:
        awswrangler.s3.store_parquet_metadata(
            path=location, database=DATABASE, table=table, dataset=True, boto3_session=stage.session
        )

    return work


def msck_refresh(stage: Stage, location: str, table: str) -> Callable[[], object]:
    """Refresh as MSCK REPAIR does: list everything, read the partitions, add the missing ones; columns are given."""
    s3, glue = stage.session.client("s3"), stage.session.client("glue")
    columns = [{"Name": "c1", "Type": "bigint"}]
    described = {"Columns": columns, "Location": location, "SerdeInfo": {}}
    keys = [{"Name": "day", "Type": "int"}]
    expected = {
        "Name": table,
        "StorageDescriptor": described,
        "PartitionKeys": keys,
        "TableType": "EXTERNAL_TABLE",
    }
    glue.create_table(DatabaseName=DATABASE, TableInput=expected)
    place = {"DatabaseName": DATABASE, "TableName": table}
    prefix = location.removeprefix(f"s3://{BUCKET}/")

    def work() -> None:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        seen = {
            one["Key"].removeprefix(prefix).partition("/")[0] for page in pages for one in page["Contents"]
        }
        glue.get_table(DatabaseName=DATABASE, Name=table)
        known = {
            tuple(one["Values"])
            for page in glue.get_paginator("get_partitions").paginate(**place)
            for one in page["Partitions"]
        }
        missing = [folder for folder in sorted(seen) if (folder.partition("=")[2],) not in known]
        for first in range(0, len(missing), 100):
            inputs = [
                {
                    "Values": [folder.partition("=")[2]],
                    "StorageDescriptor": {**described, "Location": f"{location}{folder}/"},
                }
                for folder in missing[first : first + 100]
            ]
            assert not glue.batch_create_partition(**place, PartitionInputList=inputs).get("Errors")

    return work


def compare(stage: Stage, folder: Path, name: str, partitions: int, files: int, rows: int) -> None:
    """Refresh twice with each tool and print the requests of each."""
    location = write_files(stage.server, name, partitions, files, rows)
    tools = {
        "etltctl": etltctl_refresh(stage, folder, location, f"{name}_ours"),
        "awswrangler": awswrangler_refresh(stage, location, f"{name}_theirs"),
        "MSCK-like": msck_refresh(stage, location, f"{name}_msck"),
    }
    print(f"\n{partitions * files:,} files in {partitions:,} partitions")
    print(f"{'':12} {'':6} {'S3 calls':>9} {'MB read':>8} {'catalog reads':>14} {'writes':>7} {'seconds':>8}")
    rounds = {(tool, lap): stage.measure(work) for tool, work in tools.items() for lap in ("first", "again")}
    for (tool, lap), result in rounds.items():
        requests = result.requests
        print(
            f"{tool:12} {lap:6} {result.s3:>9,} {result.read / 1e6:>8.1f} {requests['catalog reads']:>14,} "
            f"{requests['catalog writes']:>7,} {result.seconds:>8.2f}"
        )
    _ratios(rounds)


def _ratios(rounds: Mapping[tuple[str, str], Round]) -> None:
    ours, theirs = rounds["etltctl", "first"], rounds["awswrangler", "first"]
    again = rounds["etltctl", "again"]
    print(
        f"first: {ours.s3 / theirs.s3:.2f} of its S3 calls, {theirs.seconds / ours.seconds:.1f} times the speed; "
        f"registering partitions took {ours.registering:.1f} s; again: {again.s3 + again.catalog} calls"
    )


def main(arguments: Sequence[str]) -> None:
    """Run both comparisons on a separate server."""
    partitions = int(arguments[0]) if arguments else 10_000
    with tempfile.TemporaryDirectory() as name, serve(Path(name) / "state", "--keep") as server:
        os.environ.update({**server.environ, "AWS_DEFAULT_REGION": "us-east-1"})
        assert server.request("POST", "stack", {"buckets": [BUCKET], "databases": [DATABASE]})[0] == 200
        stage = Stage(server, boto3.Session(region_name="us-east-1"))
        stage.listen(stage.session.events)
        compare(stage, Path(name), "few", 8, FILES // 8, FILE_ROWS)
        compare(stage, Path(name), "many", partitions, 1, 10)


if __name__ == "__main__":
    main(sys.argv[1:])
