"""A workplace whose server answers late, wrongly or not at all, as each test needs."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from etltctl.local.kernel.keys import read_keys
from support import forked
from support.job_scripts import writing
from support.workplace import ETLTCTL, Workplace

PROJECT = Path(__file__).parents[2]
ROWS = 5
MET_WITHIN_S = 300.0  # far longer than anything takes, even on a busy machine
SCRIPT = writing({"n": range(ROWS)})
WITH_SDK = """
import io, json, sys
import boto3
import pyarrow as pa
import pyarrow.parquet as pq
from awsglue.utils import getResolvedOptions

options = getResolvedOptions(sys.argv, ["run_id", "outputs", "audits"])
for table, location in json.loads(options["outputs"]).items():
    account = json.loads(options["audits"])[table].removeprefix(f"s3://{location.split('/')[2]}/")
    bucket, _, folder = location.removeprefix("s3://").partition("/")
    file = io.BytesIO()
    pq.write_table(pa.table({"n": list(range(5))}), file)
    audit = json.dumps({"rows_in": 5, "rows_out": 5})
    s3 = boto3.client("s3")
    s3.put_object(Bucket=bucket, Key=folder + "part-0.parquet", Body=file.getvalue())
    s3.put_object(Bucket=bucket, Key=account + "part-0.txt", Body=audit.encode())
"""
HOLD = """
import pathlib, time
gives_up = time.monotonic() + 600
while not pathlib.Path({file!r}).exists():
    if time.monotonic() > gives_up:
        raise SystemExit("the test did not release the job")
    time.sleep(0.05)
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
        """Create the folder with its settings and a script that uses the SDK, as users' scripts do."""
        (folder / "small.py").write_text(WITH_SDK)
        (folder / "etltctl.toml").write_text((PROJECT / "etltctl.toml").read_text() + SETTINGS)
        return cls(folder)

    def spoil(self, *rules: dict[str, Any]) -> None:
        """Set these faults in place of the earlier ones; without arguments, end all faults."""
        self._ask("POST", list(rules))

    def met(self) -> int:
        """Return how often the faults in force were met."""
        return sum(rule["met"] for rule in self._ask("GET"))

    def begin(
        self,
        *arguments: str,
        to: str = os.devnull,
        stdout: int = subprocess.DEVNULL,
        environ: Mapping[str, str] | None = None,
    ) -> forked.Command:
        """Start the command in a separate process, and do not wait."""
        words, env = [ETLTCTL, *self.named(*arguments)], self.full_environ | dict(environ or {})
        with (self.folder / to).open("w") as errors:
            return forked.Command(words, cwd=self.folder, env=env, stdout=stdout, stderr=errors)

    def begin_installed(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start the installed script; it receives Ctrl-C even if the tests run in the background."""
        return subprocess.Popen(
            [ETLTCTL, *self.named(*arguments)],
            cwd=self.folder,
            env=self.full_environ,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def kill_where(self, rule: dict[str, Any], *arguments: str) -> bool:
        """Run the command until it meets the fault, and kill it there; return False if it ended without meeting it."""
        self.spoil(rule)
        process = self.begin(*arguments)
        deadline = time.monotonic() + MET_WITHIN_S
        try:
            while not self.met():
                assert time.monotonic() < deadline, f"{rule} was never met"
                if process.poll() is not None:
                    return False
                time.sleep(0.03)
        finally:
            process.kill()
            process.wait()
        self.spoil()
        return True

    def starts(self, run_id: str) -> dict[str, int]:
        """Return how many Glue runs and Airbyte jobs the services have for the run id."""
        runs = [record for record in self.glue_runs() if record["Arguments"].get("--run_id") == run_id]
        return {"glue": len(runs), "airbyte": self.syncs()}

    def glue_runs(self) -> list[dict[str, Any]]:
        """Return every Glue run, as its service keeps it."""
        runs = self.folder / ".etltctl" / "glue" / "runs"
        return [json.loads(file.read_text()) for file in runs.glob("jr_*.json")]

    def ends(self) -> list[tuple[str, str, str]]:
        """Return the job, the state and the error of every Glue run."""
        return [(run["JobName"], run["JobRunState"], run.get("ErrorMessage", "")) for run in self.glue_runs()]

    def settle(self) -> None:
        """Wait until no Glue run is live, whatever the faulty answers said; held jobs continue."""
        self.let_go()
        deadline = time.monotonic() + MET_WITHIN_S
        while any(
            record["JobRunState"] in {"STARTING", "RUNNING", "STOPPING"} for record in self.glue_runs()
        ):
            assert time.monotonic() < deadline, "a Glue run does not end"
            time.sleep(0.05)

    def syncs(self) -> int:
        """Return how many jobs Airbyte has created so far."""
        file = self.folder / ".etltctl" / "airbyte" / "jobs.json"
        return file.read_text().count('"connection_id"') if file.exists() else 0

    @contextmanager
    def other_script(self, before: str) -> Iterator[None]:
        """Put this line at the start of the script within the block."""
        script = self.folder / "small.py"
        script.write_text(f"{before}\n{SCRIPT}")
        try:
            yield
        finally:
            script.write_text(SCRIPT)

    @contextmanager
    def held_script(self, before: str = "", after: str = "") -> Iterator[None]:
        """Let the script do `before`, then wait until the test or the end of the block releases it."""
        self._go_on.unlink(missing_ok=True)
        with self.other_script(f"{before}\n{HOLD.format(file=str(self._go_on))}\n{after}"):
            try:
                yield
            finally:
                self.let_go()

    def let_go(self) -> None:
        """Release the script of `held_script`."""
        self._go_on.touch()

    @property
    def _go_on(self) -> Path:
        return self.folder / "go-on"

    @contextmanager
    def held_job(self) -> Iterator[None]:
        """Hold the small job within the block: `local up` copies the held script, and later the usual one, to Glue."""
        with self._brought(self.held_script()):
            yield

    @contextmanager
    def slow_job(self, seconds: float) -> Iterator[None]:
        """Make the small job take `seconds`."""
        with self._brought(self.other_script(f"import time; time.sleep({seconds})")):
            yield

    @contextmanager
    def _brought(self, script: AbstractContextManager[None]) -> Iterator[None]:
        try:
            with script:
                self.run("local", "up")
                yield
        finally:
            self.run("local", "up")

    def wait_for_state(self, run_id: str, state: str, *, in_ledger: bool = True) -> None:
        """Wait until the run's Glue job run is in this state, and until the ledger has recorded it."""
        deadline = time.monotonic() + MET_WITHIN_S
        while not self._is_in(run_id, state, in_ledger=in_ledger):
            assert time.monotonic() < deadline, f"{run_id} is never {state}"
            time.sleep(0.05)

    def _is_in(self, run_id: str, state: str, *, in_ledger: bool) -> bool:
        if in_ledger:
            return any(e["type"] == "step.progress" and e["state"] == state for e in self.events(run_id))
        runs = [record for record in self.glue_runs() if record["Arguments"].get("--run_id") == run_id]
        return any(record["JobRunState"] == state for record in runs)

    def events(self, run_id: str) -> list[dict[str, Any]]:
        """Return the run's events in the ledger."""
        file = self.folder / ".etltctl" / "runs" / f"{run_id}.ndjson"
        lines = file.read_text().splitlines() if file.exists() else []
        return [event for event in map(json.loads, lines) if event["type"] != "version"]

    def _ask(self, method: str, body: Any = None) -> Any:
        endpoint = json.loads((self.folder / ".etltctl" / "server" / "endpoint.json").read_text())
        connection = http.client.HTTPConnection("127.0.0.1", endpoint["port"], timeout=120)
        keys = read_keys(self.folder / ".etltctl")
        assert keys is not None
        content = None if body is None else json.dumps(body)
        connection.request(method, "/_etltctl/faults", content, dict(keys.headers))
        response = connection.getresponse()
        answer = json.loads(response.read())
        assert response.status == 200, answer
        return answer
