"""A project with a table that a query makes: the embedded lake, a small input table, and the query's file."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from etltctl.ledger import Event, Ledger, read_events
from etltctl.pipeline import PipelineResult, RunOptions, Services, resume, run_pipeline
from etltctl.settings import Settings
from etltctl.testing import EmbeddedLake, open_lake
from etltctl.values import S3Location
from support.sample_settings import on_sample

STEP = "sql:windiest"
# The query is a comment long enough that its errors are on the third line of the file.
QUERY = """-- the windiest month of each city
select city, month, max(speed) as speed
from {silver.reading} group by city, month; -- one row each
"""
READINGS = [
    {"city": city, "month": month, "speed": float(speed)}
    for city, month, speed in (("nyc", 1, 9), ("nyc", 1, 4), ("nyc", 2, 7), ("jfk", 1, 12), ("jfk", 2, 3))
]
PROJECT = """
[glue.jobs.readings]
script = "none.py"
writes = ["silver.reading"]

[sql.windiest]
file = "sql/windiest.sql"
reads = ["silver.reading"]
writes = "gold.windiest"

[pipelines.wind]
steps = ["sql:windiest", "athena:refresh"]

[tables."gold.windiest"]
keys = ["city", "month"]
"""


@dataclass(frozen=True)
class SqlProject:
    """The project, and its lake."""

    lake: EmbeddedLake
    settings: Settings

    @property
    def file(self) -> Path:
        """The query's file."""
        return self.settings.sql_path("windiest")

    @property
    def services(self) -> Services:
        """New clients of the services."""
        return Services(self.settings)

    def write_query(self, text: str) -> None:
        """Write the query's file."""
        self.file.parent.mkdir(exist_ok=True)
        self.file.write_text(text)

    def changed(self, **values: Any) -> SqlProject:
        """Return the project with other settings of the query."""
        overlay = {"sql": {"windiest": values}}
        return replace(self, settings=self.settings.overlaid(overlay))

    def publish_readings(self, rows: Sequence[Mapping[str, Any]], version: str) -> None:
        """Publish a version of the input, as the job would."""
        lake = self.services.lake
        location = lake.version_location("silver.reading", version)
        body = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(list(rows)), body)
        self.services.s3.write(S3Location.parse(location).object("part-0.parquet"), body.getvalue())
        lake.publish({"silver.reading": location}, version)

    def run(self, run_id: str, **options: Any) -> PipelineResult:
        """Run the pipeline."""
        return run_pipeline("wind", self.settings, RunOptions(run_id, **options))

    def retry(self, run_id: str) -> PipelineResult:
        """Resume the run."""
        return resume(self.events(run_id), self.settings)

    def events(self, run_id: str) -> list[Event]:
        """Return the run's events on record."""
        return read_events(self.services.store, run_id)

    def event(self, run_id: str, type_: str) -> Event:
        """Return the newest event of the step with that type."""
        return [e for e in self.events(run_id) if e["type"] == type_ and e["step"] == STEP][-1]

    def count(self, run_id: str, type_: str) -> int:
        """Return how many events of the step have that type."""
        return sum(e["type"] == type_ and e["step"] == STEP for e in self.events(run_id))

    def ledger(self, run_id: str) -> Ledger:
        """Return the run's ledger, in which a test writes what an earlier process left."""
        return Ledger(self.services.store, run_id, self.settings.env)

    def executions(self) -> int:
        """Return how many query executions Athena knows."""
        pages = (
            self.services.aws.client("athena")
            .get_paginator("list_query_executions")
            .paginate(WorkGroup=self.settings.athena.workgroup)
        )
        return sum(len(page["QueryExecutionIds"]) for page in pages)

    def windiest(self) -> list[tuple[Any, ...]]:
        """Return the rows of the table that the query makes, in order."""
        rows = self.lake.query("select city, month, speed from pi_m3_gold.windiest order by city, month")
        return [tuple(row.values()) for row in rows]


@contextmanager
def open_sql_lake(project: Path, folder: Path) -> Iterator[EmbeddedLake]:
    """Yield the project's lake on an embedded server, with the input table published.

    Args:
        project: The folder of the project, which is written.
        folder: The folder of the lake.
    """
    (project / "etltctl.toml").write_text(on_sample(PROJECT))
    (project / "none.py").write_text("print('never run')\n")
    with open_lake(folder, project=project) as lake:
        SqlProject(lake, lake.settings).publish_readings(READINGS, "first")
        yield lake
