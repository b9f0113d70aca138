"""A small pipeline over four seasons, whose job copies the newest generation of bronze without Spark."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from etltctl.ledger import Event, read_events
from etltctl.next_steps import NextStep
from etltctl.pipeline import (
    BackfillOptions,
    BackfillPlan,
    BackfillResult,
    Services,
    plan_backfill,
    run_backfill,
    run_pipeline,
)
from etltctl.pipeline.backfill import ChunkResult
from etltctl.settings import Settings
from etltctl.testing import EmbeddedLake, open_lake
from support.f1_seasons import make_pack
from support.sample_settings import on_sample

SEASONS = [2096, 2097, 2098, 2099]
ROUNDS = 9  # of each season
PROJECT = f"""
[sources.api]
kind = "http"
base_url = "sample:"
seasons = {SEASONS}
rate = "1000/s"
streams = ["races"]
connection_id = "given by the server"

[glue.jobs.copy]
script = "copy_races.py"
reads = ["bronze.api_races"]
writes = ["gold.races"]

[tables."gold.races"]
keys = ["season", "round"]

[pipelines.races]
steps = ["sync:api", "glue:copy", "athena:refresh"]

[pipelines.twice]
steps = ["sync:api", "sync:mongodb"]
"""
# Reads bronze as the shipped jobs do: the newest generation alone, of every file.
COPY = """
import io, json, sys
import boto3
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from awsglue.utils import getResolvedOptions

options = getResolvedOptions(sys.argv, ["run_id", "inputs", "outputs", "audits"])
s3 = boto3.client("s3")

def place(location):
    bucket, _, key = location.removeprefix("s3://").partition("/")
    return bucket, key

bucket, prefix = place(json.loads(options["inputs"])["bronze.api_races"])
tables = []
for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
    for each in page.get("Contents", []):
        body = s3.get_object(Bucket=bucket, Key=each["Key"])["Body"].read()
        tables.append(pq.read_table(io.BytesIO(body), columns=["season", "round", "_airbyte_generation_id"]))
rows = pa.concat_tables(tables)
newest = pc.max(rows["_airbyte_generation_id"])
rows = rows.filter(pc.equal(rows["_airbyte_generation_id"], newest)).drop_columns("_airbyte_generation_id")
FAIL
for table, location in json.loads(options["outputs"]).items():
    file = io.BytesIO()
    pq.write_table(rows, file)
    bucket, folder = place(location)
    s3.put_object(Bucket=bucket, Key=folder + "part-0.parquet", Body=file.getvalue())
    bucket, account = place(json.loads(options["audits"])[table])
    counts = {"rows_in": rows.num_rows, "rows_out": rows.num_rows}
    s3.put_object(Bucket=bucket, Key=account + "part-0.txt", Body=json.dumps(counts).encode())
"""


def copying(fail: str = "") -> str:
    """Return the script of the job; `fail` is a statement before it writes."""
    return COPY.replace("FAIL", fail)


@dataclass
class Place:
    """The project, and what a backfill of it did."""

    lake: EmbeddedLake
    settings: Settings
    project: Path
    ended: list[ChunkResult] = field(default_factory=list)
    results: list[BackfillResult] = field(default_factory=list)
    warnings: list[NextStep] = field(default_factory=list)

    @property
    def services(self) -> Services:
        """Return new clients of the services."""
        return Services(self.settings)

    def options(self, start: Any = 2096, end: Any = 2099, **more: Any) -> BackfillOptions:
        """Return options whose listeners write down what they hear."""
        listeners = {
            "on_end": self.ended.append,
            "on_result": self.results.append,
            "warn": self.warnings.append,
        }
        return BackfillOptions(start, end, **{**listeners, **more})

    def backfill(self, start: Any = 2096, end: Any = 2099, **more: Any) -> BackfillResult:
        """Backfill the pipeline of the project."""
        return run_backfill("races", self.settings, self.options(start, end, **more))

    def plan(self) -> BackfillPlan:
        """Return the plan of the whole range."""
        return plan_backfill("races", self.settings, self.options())

    def with_settings(self, settings: Settings) -> Place:
        """Return the place as a process with other settings sees it."""
        return Place(self.lake, settings, self.project)

    def put_script(self, text: str) -> None:
        """Let the job run another script from now on."""
        self.services.s3.write("s3://pi-m3-scripts/glue_jobs/copy/copy_races.py", text.encode())

    def started(self, run_id: str, step: str) -> list[Event]:
        """Return the starts of remote runs that a step of a run has on record."""
        return [
            each for each in self.events(run_id) if each["type"] == "remote.started" and each["step"] == step
        ]

    def run(self) -> None:
        """Run the whole pipeline once."""
        run_pipeline("races", self.settings)

    def events(self, run_id: str) -> list[Event]:
        """Return the recorded events of a run."""
        return read_events(self.services.store, run_id)

    def outcomes(self) -> dict[str, str]:
        """Return the outcome of each chunk of the newest result, by its label."""
        return {each.chunk.label: str(each.outcome) for each in self.results[-1].chunks}

    def gold(self) -> list[tuple[int, int]]:
        """Return season and round of every row of the published table, sorted."""
        rows = self.lake.query("select season, round from pi_m3_gold.races")
        return sorted((int(row["season"]), int(row["round"])) for row in rows)


def rounds(*seasons: int) -> list[tuple[int, int]]:
    """Return season and round of every race of these seasons, each once."""
    return [(season, number) for season in seasons for number in range(1, ROUNDS + 1)]


@contextmanager
def open_place(folder: Path, **flags: Any) -> Iterator[Place]:
    """Yield the project on an separate embedded server; the variable of the data pack leads to four seasons."""
    project = folder / "project"
    project.mkdir()
    (project / "etltctl.toml").write_text(on_sample(PROJECT))
    (project / "copy_races.py").write_text(copying())
    with open_lake(folder / "lake", project=project, flags=flags) as lake:
        yield Place(lake, lake.settings, project)


@contextmanager
def reopened(place: Place, **flags: Any) -> Iterator[Place]:
    """Yield the place on a new server, after that of its first block has ended."""
    with open_lake(place.lake.folder, project=place.project, flags=flags) as lake:
        yield Place(lake, lake.settings, place.project)


def pack(folder: Path) -> Path:
    """Write the data pack of the project's seasons."""
    return make_pack(folder, SEASONS)
