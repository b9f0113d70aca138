"""No process of a Glue job outlives its run, in any session and under any parent."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.served import Served, serve, wait_until

# A child in a new session, and a grandchild whose parent has already ended: this is how daemons start.
SCRIPT = """
import os, subprocess, sys, time
folder = sys.argv[sys.argv.index("--folder") + 1]
sleeper = "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(300)"
child = [sys.executable, "-c", sleeper, f"{folder}/child"]
grandchild = [sys.executable, "-c", sleeper, f"{folder}/grandchild"]
subprocess.Popen(child, start_new_session=True, env={})
starter = "import subprocess, sys; subprocess.Popen(sys.argv[1:], start_new_session=True, env={})"
subprocess.run([sys.executable, "-c", starter, *grandchild], start_new_session=True)
while not all(os.path.exists(f"{folder}/{name}") for name in ("child", "grandchild")):
    time.sleep(0.01)
time.sleep(float(sys.argv[sys.argv.index("--seconds") + 1]))
"""
ENDED = {"SUCCEEDED", "FAILED", "STOPPED"}


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serve(tmp_path_factory.mktemp("state"), "--keep") as served:
        served.request("POST", "stack", {"buckets": ["code"]})
        served.client("s3").put_object(Bucket="code", Key="job.py", Body=SCRIPT.encode())
        command = {"Name": "glueetl", "ScriptLocation": "s3://code/job.py"}
        served.client("glue").create_job(Name="job", Role="r", Command=command)
        yield served


def start(account: Served, folder: Path, seconds: float) -> str:
    arguments = {"--folder": str(folder), "--seconds": str(seconds)}
    run_id: str = account.client("glue").start_job_run(JobName="job", Arguments=arguments)["JobRunId"]
    return run_id


def state(account: Served, run_id: str) -> Any:
    return account.client("glue").get_job_run(JobName="job", RunId=run_id)["JobRun"]["JobRunState"]


def started(folder: Path) -> list[int]:
    """Return the processes that the script left running, after both have reported their ids."""
    files = [folder / "child", folder / "grandchild"]
    wait_until(lambda: all(file.exists() and file.read_text() for file in files), 90)
    return [int(file.read_text()) for file in files]


def alive(pids: list[int]) -> list[int]:
    return [pid for pid in pids if Path(f"/proc/{pid}").exists() and not is_zombie(pid)]


def is_zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_a_run_that_succeeds_leaves_no_process(account: Served, tmp_path: Path) -> None:
    run_id = start(account, tmp_path, 0)
    pids = started(tmp_path)
    wait_until(lambda: state(account, run_id) in ENDED, 60)
    assert (state(account, run_id), alive(pids)) == ("SUCCEEDED", [])


def test_a_run_that_is_stopped_leaves_no_process(account: Served, tmp_path: Path) -> None:
    run_id = start(account, tmp_path, 300)
    pids = started(tmp_path)
    assert alive(pids) == pids
    account.client("glue").batch_stop_job_run(JobName="job", JobRunIds=[run_id])
    wait_until(lambda: state(account, run_id) in ENDED, 60)
    assert (state(account, run_id), alive(pids)) == ("STOPPED", [])


def test_a_server_that_is_killed_leaves_no_process_of_a_job(account: Served, tmp_path: Path) -> None:
    """Keep this as the last test of the module: its server has ended afterwards."""
    start(account, tmp_path, 300)
    pids = started(tmp_path)
    os.kill(account.process.pid, signal.SIGKILL)
    wait_until(lambda: not alive(pids))
