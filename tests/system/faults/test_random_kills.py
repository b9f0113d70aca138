"""Kills at random moments, of command, server and Spark: `retry` completes the run, and no process is left."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from etltctl.local.kernel.processes import descendants, wait_until
from support.spoilt import ROWS, SpoiltLake

pytestmark = pytest.mark.faults

SEED = int(os.environ["ETLTCTL_SEED"])
KILLS = 3
LATEST_S = 5.0


USES_SPARK = """
from pyspark.sql import SparkSession
assert SparkSession.builder.getOrCreate().range(5).count() == 5
"""


@pytest.fixture(autouse=True)
def _server_again(lake: SpoiltLake) -> Iterator[None]:
    """Let the job use Spark, and leave a running server for the other tests of this lake, even after a failure."""
    with lake.other_script(USES_SPARK):
        yield
    lake.run("local", "up")


def server_pid(lake: SpoiltLake) -> int | None:
    """Return the process id of the live server, if it has written one."""
    try:
        return int(json.loads((lake.folder / ".etltctl/server/endpoint.json").read_text())["pid"])
    except (OSError, ValueError):
        return None


def command_of(pid: int) -> str:
    """Return the process's command line; empty once the process has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def kill(lake: SpoiltLake, victim: str, command: subprocess.Popen[bytes]) -> None:
    """Kill the command, the server, or every JVM of the server, if it exists at this moment."""
    server = server_pid(lake)
    pids = {"command": [command.pid], "server": [server] if server else []}
    pids["Spark"] = [pid for pid in descendants(server or 0) if "PythonGatewayServer" in command_of(pid)]
    for pid in pids[victim]:
        if pid != command.pid or command.poll() is None:
            with suppress(ProcessLookupError):  # it has ended meanwhile
                os.kill(pid, signal.SIGKILL)


def processes_of(folder: Path) -> list[str]:
    """Return the command lines of live processes that name the folder."""
    pids = (int(entry.name) for entry in Path("/proc").glob("[0-9]*"))
    return [line for pid in pids if pid != os.getpid() and str(folder) in (line := command_of(pid))]


def test_a_run_with_any_process_killed_is_completed_by_retry(lake: SpoiltLake) -> None:
    chance, run_id = random.Random(SEED), f"killed-{SEED}"
    for _ in range(KILLS):
        victim, at = chance.choice(["command", "server", "Spark"]), chance.uniform(0.3, LATEST_S)
        print(f"ETLTCTL_SEED={SEED} {victim} after {at:.2f} s")
        command = lake.begin_installed("run", "small", "--run-id", run_id)
        deadline = time.monotonic() + at
        while command.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        kill(lake, victim, command)
        if victim != "command":
            command.wait(120)  # it ends with any exit code: it does not wait for a killed process
        command.wait()
        if lake.events(run_id) and lake.events(run_id)[-1].get("outcome") == "succeeded":
            break
    lake.run(*(("retry", run_id) if lake.events(run_id) else ("run", "small", "--run-id", run_id)))
    assert lake.events(run_id)[-1]["outcome"] == "succeeded"
    assert [event["seq"] for event in lake.events(run_id)] == list(range(1, len(lake.events(run_id)) + 1))
    assert lake.query("select count(*) as n from pi_m3_gold.small") == [{"n": ROWS}]
    succeeded = [end for end in lake.glue_runs() if end["Arguments"].get("--run_id") == run_id]
    assert sum(end["JobRunState"] == "SUCCEEDED" for end in succeeded) == 1
    lake.run("local", "down")
    wait_until(lambda: not processes_of(lake.folder), within=10.0)  # a process may just have been starting
    assert processes_of(lake.folder) == []
    assert not list((lake.folder / ".etltctl/server").glob("*.damaged-*"))
