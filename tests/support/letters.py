"""A project with two incremental jobs on the embedded services: scripts without Spark that copy letters by folder."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from etltctl.inspection import Inspection
from etltctl.ledger import read_events
from etltctl.pipeline import RunOptions, Services, StepResult, run_pipeline
from etltctl.publishing import VersionInputs
from etltctl.settings import Settings
from etltctl.testing import EmbeddedLake
from etltctl.values import S3Location

PROJECT = """
version = 1
project = "letters"

[pipelines.letters]
steps = ["glue:sort_letters", "glue:count_letters"]

[glue.jobs.sort_letters]
script = "sort_letters.py"
reads = ["bronze.letters"]
writes = ["silver.letters", "silver.stamps"]
incremental = true

[glue.jobs.count_letters]
script = "count_letters.py"
reads = ["silver.letters"]
writes = ["gold.letters"]
incremental = true

[tables."bronze.letters"]
location = "s3://letters-bronze/letters/"
"""
COMMON = """
import io, json, os, sys
import boto3, pyarrow as pa, pyarrow.parquet as pq

given = dict(zip(sys.argv[1::2], sys.argv[2::2]))
s3 = boto3.client("s3")

def place(location):
    bucket, _, key = location.removeprefix("s3://").partition("/")
    return {"Bucket": bucket, "Key": key}

def read(location):
    return s3.get_object(**place(location))["Body"].read()

def rows(location):
    return pq.read_table(io.BytesIO(read(location))).to_pylist()

def write(location, rows):
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), file)
    s3.put_object(**place(location), Body=file.getvalue())

def report(table, **said):
    location = json.loads(given["--audits"])[table] + "part-0.txt"
    s3.put_object(**place(location), Body=json.dumps(said).encode())

def files_below(location):
    at = place(location)
    listed = s3.list_objects_v2(Bucket=at["Bucket"], Prefix=at["Key"]).get("Contents", [])
    return [f"s3://{at['Bucket']}/{one['Key']}" for one in listed]

changes = json.loads(read(given["--changes"]))
outputs = json.loads(given["--outputs"])
inputs = json.loads(given["--inputs"])
is_incremental = bool(changes["base"])
"""
SORT = (
    COMMON
    + """
# One partition a sender. A new file touches the partitions of its senders.
name = "silver.letters"
new = changes["new"]["bronze.letters"] if is_incremental else changes["files"]["bronze.letters"]
came = [row for file in new for row in rows(file)]
by_sender = {}
for row in came:
    by_sender.setdefault(row["sender"], []).append({"text": row["text"]})
old = changes["reports"].get(name, {"rows_out": 0})
taken = old["rows_out"]
for sender, letters in by_sender.items():
    folder = f"sender={sender}"
    before = files_below(changes["base"][name] + folder + "/") if is_incremental else []
    kept = [row for file in before for row in rows(file)]
    if letters or kept:
        write(f"{outputs[name]}{folder}/part-{given['--run_id']}.parquet", kept + letters)
total = taken + len(came)
replaced = [f"sender={sender}" for sender in by_sender]
said = {"rows_in": total, "rows_out": total, "merged": 0, "rejected": 0}
report(name, **said, **({"replaces": replaced} if is_incremental else {}))
# The stamps are added to, never replaced.
name = "silver.stamps"
old = changes["reports"].get(name, {"rows_out": 0})
if came or not is_incremental:
    write(f"{outputs[name]}part-{given['--run_id']}.parquet", [{"stamp": row["text"][:1]} for row in came])
report(name, rows_out=old["rows_out"] + len(came), **({"replaces": []} if is_incremental else {}))
"""
)
COUNT = (
    COMMON
    + """
name, source = "gold.letters", "silver.letters"
touched = [folder.partition("=")[2] for folder in changes["touched"][source]] if is_incremental else None
old = [row for file in files_below(changes["base"][name]) for row in rows(file)] if is_incremental else []
counts = {row["sender"]: row["letters"] for row in old}
for file in files_below(inputs[source]):
    sender = file.partition("/sender=")[2].partition("/")[0]
    if touched is None or sender in touched:
        counts[sender] = len(rows(file))
        print("read", sender)
write(f"{outputs[name]}part-0.parquet", [{"sender": key, "letters": n} for key, n in sorted(counts.items())])
report(name, rows_out=len(counts))
"""
)


def write_project(folder: Path) -> None:
    """Write the settings and the scripts."""
    folder.mkdir()
    (folder / "etltctl.toml").write_text(PROJECT)
    (folder / "sort_letters.py").write_text(SORT)
    (folder / "count_letters.py").write_text(COUNT)


@dataclass(frozen=True)
class Letters:
    """The project and its lake."""

    lake: EmbeddedLake

    @property
    def services(self) -> Services:
        """New clients of the services."""
        return Services(self.lake.settings)

    def replace_script(self, job: str, text: str) -> None:
        """Put another script where Glue has that of the job."""
        definition = Inspection(self.services.aws).job(job)
        assert definition
        self.services.s3.write(definition["Command"]["ScriptLocation"], text.encode())

    def forget_code(self, version: str) -> None:
        """Make the record of a version say that the script that is there now made it."""
        lake = self.services.lake
        place = lake.places.inputs("silver.letters", version)
        record = json.loads(lake.s3.read(place))
        script = Inspection(self.services.aws).job("sort_letters")["Command"]["ScriptLocation"]  # type: ignore[index]
        (stored,) = lake.s3.objects(script)
        record["made_by"]["code"] = {script: stored.etag}
        lake.s3.write(place, json.dumps(record).encode())

    def put(self, name: str, letters: Mapping[str, list[str]]) -> None:
        """Write a file of bronze with the texts of each sender."""
        rows = [{"sender": sender, "text": text} for sender, texts in letters.items() for text in texts]
        file = io.BytesIO()
        pq.write_table(pa.Table.from_pylist(rows), file)
        self.services.s3.write(f"s3://letters-bronze/letters/{name}.parquet", file.getvalue())

    def run(self, run_id: str, settings: Settings | None = None, **options: Any) -> list[StepResult]:
        """Run the pipeline, and return what each step did."""
        settings = settings or self.lake.settings
        return run_pipeline("letters", settings, RunOptions(run_id, **options)).steps

    def content(self, table: str, version: str = "") -> list[tuple[Any, ...]]:
        """Return the rows of a version with the folder of each, sorted; of the current one unless it is named."""
        lake = self.services.lake
        location = lake.version_location(table, version) if version else lake.current_location(table)
        return sorted(
            (one.location.removeprefix(location).rpartition("/")[0], *row.values())
            for one in lake.s3.objects(S3Location.parse(location))
            for row in pq.read_table(io.BytesIO(lake.s3.read(one.location))).to_pylist()
        )

    def inputs(self, table: str, version: str) -> VersionInputs:
        """Return the record of what a version was made from."""
        lake = self.services.lake
        record = lake.input_records.read(lake.places.inputs(table, version))
        assert record
        return record

    def log(self, run_id: str, step: str) -> list[str]:
        """Return what the job of a step printed in a run."""
        events = read_events(self.services.store, run_id)
        remote = next(
            event["remote_id"] for event in events if event["step"] == step and "remote_id" in event
        )
        run = self.services.glue.poll(step.partition(":")[2], remote)
        return [line.text for line in self.services.logs.new_lines(run) if line.text.startswith("read ")]
