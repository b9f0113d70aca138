"""A workplace whose server answers late, not at all, or untruly, as a test wishes."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workplace import ETLTCTL, Workplace

PROJECT = Path(__file__).parents[2]
ROWS = 5
MET_WITHIN_S = 60.0
SCRIPT = """
import io, json, sys
import boto3
import pyarrow as pa
import pyarrow.parquet as pq
from awsglue.utils import getResolvedOptions

options = getResolvedOptions(sys.argv, ["run_id", "outputs"])
for location in json.loads(options["outputs"]).values():
    bucket, _, folder = location.removeprefix("s3://").partition("/")
    file = io.BytesIO()
    pq.write_table(pa.table({"n": list(range(5))}), file)
    audit = json.dumps({"rows_in": 5, "rows_out": 5})
    s3 = boto3.client("s3")
    s3.put_object(Bucket=bucket, Key=folder + "part-0.parquet", Body=file.getvalue())
    s3.put_object(Bucket=bucket, Key=folder + "_audit/part-0.txt", Body=audit.encode())
"""
SETTINGS = """
[glue.jobs.small]
script = "small.py"
reads = ["bronze.api_races"]
writes = ["gold.small"]

[pipelines.small]
steps = ["sync:api", "glue:small", "athena:refresh"]
"""


@dataclass(frozen=True)
class SpoiltLake(Workplace):
    """A folder with the pipeline `small`: sync the invented season, run a job that writes five rows, refresh."""

    @classmethod
    def make(cls, folder: Path) -> SpoiltLake:
        """The folder with its settings and script."""
        (folder / "small.py").write_text(SCRIPT)
        (folder / "etltctl.toml").write_text((PROJECT / "etltctl.toml").read_text() + SETTINGS)
        return cls(folder)

    def spoil(self, *rules: dict[str, Any]) -> None:
        """Puts these faults in force, in place of those before; none ends them all."""
        self._ask("POST", list(rules))

    def met(self) -> int:
        """How often the faults in force were met."""
        return sum(rule["met"] for rule in self._ask("GET"))

    def begin(
        self, *arguments: str, to: str = os.devnull, environ: Mapping[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        """Starts the command and does not wait; it hears Ctrl-C even where the tests run in the background."""
        told = (self.folder / to).open("w")
        return subprocess.Popen(
            [ETLTCTL, *arguments],
            cwd=self.folder,
            env=self.full_environ | dict(environ or {}),
            stdout=subprocess.DEVNULL,
            stderr=told,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def kill_where(self, rule: dict[str, Any], *arguments: str) -> bool:
        """Runs the command until it meets the fault and kills it there; False if it ended without meeting it."""
        self.spoil(rule)
        process = self.begin(*arguments)
        deadline = time.monotonic() + MET_WITHIN_S
        while not self.met():
            assert time.monotonic() < deadline, f"{rule} was never met"
            if process.poll() is not None:
                return False
            time.sleep(0.01)
        process.kill()
        process.wait()
        self.spoil()
        return True

    def starts(self, run_id: str) -> dict[str, int]:
        """How many Glue runs and Airbyte jobs the run id has, by what the services say."""
        runs = [record for record in self.glue_runs() if record["Arguments"].get("--run_id") == run_id]
        return {"glue": len(runs), "airbyte": self.syncs()}

    def glue_runs(self) -> list[dict[str, Any]]:
        """Every Glue run, as its service keeps it."""
        runs = self.folder / ".etltctl" / "glue" / "runs"
        return [json.loads(file.read_text()) for file in runs.glob("jr_*.json")]

    def ends(self) -> list[tuple[str, str, str]]:
        """How every Glue run stands: its job, its state, its error."""
        return [(run["JobName"], run["JobRunState"], run.get("ErrorMessage", "")) for run in self.glue_runs()]

    def settle(self) -> None:
        """Waits until no Glue run is live, whatever the answers said of it."""
        deadline = time.monotonic() + MET_WITHIN_S
        while any(
            record["JobRunState"] in {"STARTING", "RUNNING", "STOPPING"} for record in self.glue_runs()
        ):
            assert time.monotonic() < deadline, "a Glue run does not end"
            time.sleep(0.05)

    def syncs(self) -> int:
        """How many jobs Airbyte has made so far."""
        file = self.folder / ".etltctl" / "airbyte" / "jobs.json"
        return file.read_text().count('"connection_id"') if file.exists() else 0

    @contextmanager
    def slow_script(self, seconds: float, also: str = "") -> Iterator[None]:
        """The script takes so long, and does this before; the honest one is put back."""
        script = self.folder / "small.py"
        script.write_text(f"import time\n{also}\ntime.sleep({seconds})\n{SCRIPT}")
        try:
            yield
        finally:
            script.write_text(SCRIPT)

    @contextmanager
    def slow_job(self, seconds: float) -> Iterator[None]:
        """The small job takes so long: `local up` brings its script to where Glue finds it, and the honest one back."""
        try:
            with self.slow_script(seconds):
                self.run("local", "up")
                yield
        finally:
            self.run("local", "up")

    def wait_for_state(self, run_id: str, word: str, *, in_ledger: bool = True) -> None:
        """Waits until the run's Glue job run is in this state, and until the ledger knows."""
        deadline = time.monotonic() + MET_WITHIN_S
        while not self._is_in(run_id, word, in_ledger=in_ledger):
            assert time.monotonic() < deadline, f"{run_id} is never {word}"
            time.sleep(0.05)

    def _is_in(self, run_id: str, word: str, *, in_ledger: bool) -> bool:
        if in_ledger:
            return any(e["type"] == "step.progress" and e["state"] == word for e in self.events(run_id))
        runs = [record for record in self.glue_runs() if record["Arguments"].get("--run_id") == run_id]
        return any(record["JobRunState"] == word for record in runs)

    def events(self, run_id: str) -> list[dict[str, Any]]:
        """What the ledger tells of the run."""
        file = self.folder / ".etltctl" / "runs" / f"{run_id}.ndjson"
        lines = file.read_text().splitlines() if file.exists() else []
        return [event for event in map(json.loads, lines) if event["type"] != "version"]

    def _ask(self, method: str, body: Any = None) -> Any:
        told = json.loads((self.folder / ".etltctl" / "server" / "endpoint.json").read_text())
        connection = http.client.HTTPConnection("127.0.0.1", told["port"], timeout=30)
        connection.request(method, "/_etltctl/faults", None if body is None else json.dumps(body))
        response = connection.getresponse()
        answer = json.loads(response.read())
        assert response.status == 200, answer
        return answer
