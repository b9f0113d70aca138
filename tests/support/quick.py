"""A lake with both pipelines. Each sync brings one stream, and each Glue job finishes at once."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import boto3

from etltctl.settings import load_settings
from support.job_scripts import writing
from support.spoilt import MET_WITHIN_S, PROJECT, ROWS, SpoiltLake
from support.workplace import Workplace

LOGGED = re.compile(r"INFO ([A-Z]+) (/\S*) (.*?)\d{3}(?: by \S+)?$")
OPERATION = re.compile(r"\b\w+\.([A-Z]\w+)\b")
LOOKING = re.compile(r"GET|HEAD|Get|List|BatchGet|Describe|POST /applications/token")
NOT_OURS = re.compile(r"^GET /sample|^PUT .*/part-0\.(parquet|txt)$")  # Airbyte's and the scripts' calls
SHIPPED = load_settings(config=PROJECT / "etltctl.toml", env="local", environ={}).tables.values()
COLUMNS = sorted({name for rules in SHIPPED for name in (*rules.keys, *rules.ranges)})  # calls of the checks
ONE_STREAM = """
kind = "http"
base_url = "sample:"
seasons = "all"
rate = "1000/s"
streams = ["races"]
connection_id = "given by the server"
"""


class Boundary(NamedTuple):
    """A remote call at which a run is killed: its name, the number of such calls before it, and the side of it."""

    call: str
    skip: int
    hold: str


def with_quick_jobs(folder: Path) -> str:
    """Return the shipped settings with one script for every job; the script writes five rows to each table."""
    (folder / "quick.py").write_text(writing({name: range(ROWS) for name in COLUMNS}))
    text = (PROJECT / "etltctl.toml").read_text()
    return re.sub(r"^script = .*$", 'script = "quick.py"', text, flags=re.MULTILINE)


@dataclass(frozen=True)
class QuickLake(SpoiltLake):
    """Both pipelines with the shipped steps, jobs and tables; their jobs write five rows to each table."""

    @classmethod
    def make(cls, folder: Path) -> QuickLake:
        text = with_quick_jobs(folder)
        text = re.sub(r'"sync:(\w+)"', r'"sync:one_of_\1"', text)
        text = re.sub(
            r'reads = \[\s*"bronze\.(mongodb|api)_.*?\]',
            r'reads = ["bronze.one_of_\1_races"]',
            text,
            flags=re.DOTALL,
        )
        text += "".join(f"[sources.one_of_{name}]\n{ONE_STREAM}\n" for name in ("mongodb", "api"))
        (folder / "etltctl.toml").write_text(text)
        return cls(folder)

    @contextmanager
    def runner(self) -> Iterator[Runner]:
        """Yield a runner of pipelines in processes that can be killed."""
        process = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("forking.py")],
            cwd=self.folder,
            env=self.full_environ | {"PYTHONPATH": str(Path(__file__).parents[1])},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            yield Runner(self, process)
        finally:
            process.stdin.close()  # type: ignore[union-attr]
            process.wait(120)

    def calls(self, since: int = 0) -> list[str]:
        """Return the calls of the services since then, named as in faults, in the order of their answers."""
        lines = (self.folder / ".etltctl" / "server" / "server.log").read_text().splitlines()
        return [call for line in lines[since:] if (call := call_of(line))]

    def log_length(self) -> int:
        """Return how many lines the server has logged so far."""
        return len((self.folder / ".etltctl" / "server" / "server.log").read_text().splitlines())

    def boundaries(self, calls: list[str]) -> list[Boundary]:
        """Return both sides of each of etltctl's calls that writes, and of the first call of each kind that reads.

        Between two changes the number of polls makes no difference to the process that resumes the run.
        """
        ours = [call for call in calls if not NOT_OURS.search(call)]
        places: list[tuple[str, int]] = []
        kinds: set[str] = set()
        for call in dict.fromkeys(ours):
            kind = "/".join(call.split("/")[:2]) + ("/…" if call.count("/") > 1 else "")
            if not LOOKING.match(call):
                places += [(call, skip) for skip in range(ours.count(call))]
            elif kind not in kinds:
                places.append((call, 0))
            kinds.add(kind)
        return [Boundary(call, skip, hold) for call, skip in places for hold in ("before", "after")]

    def tables(self) -> dict[str, tuple[str, int, str]]:
        """Return version, rows and a hash of the bytes of every table that the catalog shows."""
        endpoint = json.loads((self.folder / ".etltctl" / "server" / "endpoint.json").read_text())
        keys = self.keys
        glue = boto3.client(
            "glue", endpoint_url=endpoint["url"], region_name="us-east-1",
            aws_access_key_id=keys.access_key_id, aws_secret_access_key=keys.secret_access_key,
        )  # fmt: skip
        tables = {}
        for layer in ("silver", "silver_rejects", "gold"):
            for table in glue.get_tables(DatabaseName=f"pi_m3_{layer}")["TableList"]:
                location = table["StorageDescriptor"]["Location"]
                version = location.rstrip("/").rpartition("v=")[2]
                rows = int(table["Parameters"].get("etltctl_rows", table["Parameters"].get("rows", -1)))
                tables[f"{layer}.{table['Name']}"] = (version, rows, self._hash(location))
        return tables

    def queries(self) -> int:
        """Return how many executions Athena has made so far."""
        return len(list((self.folder / ".etltctl" / "athena").glob("*.json")))

    def _hash(self, location: str) -> str:
        folder = self.folder / ".etltctl" / "s3" / location.removeprefix("s3://")
        files = sorted(file for file in folder.rglob("*") if file.is_file())
        return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


@dataclass(frozen=True)
class Runner:
    """Pipeline runs in processes that can be killed."""

    lake: QuickLake
    process: subprocess.Popen[str]

    def run(self, pipeline: str, run_id: str) -> int:
        """Run to the end and return the status."""
        self._begin(pipeline, run_id)
        return self._read_number()

    def run_and_die(self, pipeline: str, run_id: str, after: int) -> bool:
        """Run until `events` events are recorded; return False if the run ended before."""
        self._begin(pipeline, run_id, die_after=after)
        return os.WIFSIGNALED(self._read_number())

    def kill_at(self, pipeline: str, run_id: str, boundary: Boundary) -> bool:
        """Run until the call is made, and kill the run there; return False if it ended before."""
        self.lake.spoil({"call": boundary.call, "skip": boundary.skip, "hold": boundary.hold})
        child = self._begin(pipeline, run_id)
        deadline = time.monotonic() + MET_WITHIN_S
        while not self.lake.met():
            assert time.monotonic() < deadline, f"{boundary} was never met"
            if not Path(f"/proc/{child}").exists() or is_over(child):
                break
            time.sleep(0.03)
        was_met = bool(self.lake.met())
        if was_met:
            os.kill(child, signal.SIGKILL)
        self.lake.spoil()
        self._read_number()
        return was_met

    def _begin(self, pipeline: str, run_id: str, **more: Any) -> int:
        request = {"pipeline": pipeline, "run_id": run_id, **more}
        self.process.stdin.write(json.dumps(request) + "\n")  # type: ignore[union-attr]
        self.process.stdin.flush()  # type: ignore[union-attr]
        return self._read_number()

    def _read_number(self) -> int:
        return int(self.process.stdout.readline())  # type: ignore[union-attr]


def is_over(child: int) -> bool:
    """Return whether the process has ended, reaped or not."""
    try:
        return Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def call_of(line: str) -> str:
    """Return the call in this line of the server's log, named as in faults; empty if no service was called."""
    match = LOGGED.search(line)
    if match is None or match[2].startswith("/_etltctl/"):
        return ""
    if operation := OPERATION.search(match[3]):
        return operation[1]
    path = re.sub(r"/jobs/\d+", "/jobs/*", match[2].removeprefix("/airbyte/v1"))
    path = re.sub(r"v(=|%3D)[^/]+", "*", path)
    path = re.sub(r"\d{4}_\d\d_\d\d_\d+_\d+\.parquet", "*", path)
    return f"{match[1]} {path}"


@contextmanager
def lake_with_two_runs(folder: Path) -> Iterator[Workplace]:
    """Yield a lake with the shipped pipelines, whose jobs finish at once; the command has run `api` twice."""
    place = Workplace(folder)
    (folder / "etltctl.toml").write_text(with_quick_jobs(folder))
    place.run("local", "up")
    try:
        place.run("run", "api", "--run-id", "makes-the-tables")
        place.run("run", "api", "--run-id", "by-command")
        yield place
    finally:
        place.run("local", "down")
