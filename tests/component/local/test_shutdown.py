"""Every wait for a process that does not end or answer has a limit; then the process is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from threading import Timer

import pytest

from etltctl.local.client import find_server, keep_server, stop_server
from etltctl.local.kernel.processes import descendants, start_times, still
from etltctl.local.services.airbyte import mongodb
from etltctl.local.services.airbyte.mongodb import MongoProcess, MongoStartError
from etltctl.settings import Settings, load_settings
from support.served import wait_until


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ETLTCTL_STATE_DIR", str(tmp_path / "state"))
    return load_settings(env="local")


def test_a_database_that_hangs_at_its_start_is_abandoned_and_can_be_stopped_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mongodb, "START_TIMEOUT_S", 1.0)
    process = MongoProcess(tmp_path / "data")
    process.begin()
    pid = process.pid()
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    with pytest.raises(MongoStartError, match="did not start"):
        process.uri()
    assert process.pid() is None
    monkeypatch.setattr(mongodb, "START_TIMEOUT_S", 600.0)
    monkeypatch.setattr(mongodb, "STOP_TIMEOUT_S", 0.5)
    process.begin()
    hanging = process.pid()
    assert hanging is not None
    os.kill(hanging, signal.SIGSTOP)
    Timer(0.5, process.stop).start()
    with pytest.raises(MongoStartError, match="was stopped while it started"):
        process.uri()
    assert process.pid() is None
    wait_until(lambda: is_over(hanging))


def test_down_kills_an_unresponsive_server_with_its_child_processes(settings: Settings) -> None:
    server = keep_server(settings, os.environ).server
    os.kill(server.pid, signal.SIGSTOP)
    assert find_server(settings) is None  # it does not answer
    stopped = stop_server(settings)
    assert stopped is not None
    assert (stopped.pid, stopped.url, stopped.killed) == (server.pid, server.url, True)
    assert is_over(server.pid)
    assert stop_server(settings) is None
    again = keep_server(settings, os.environ).server  # no old server blocks it
    ended = stop_server(settings)
    assert ended is not None
    assert (ended.pid, ended.killed) == (again.pid, False)


# Waits for the lock as a starting server does, and holds it until it is killed.
NEXT_SERVER = """
import fcntl, os, sys, time
claim = open(sys.argv[1], "a+")
print("waits", flush=True)
fcntl.flock(claim, fcntl.LOCK_EX)
claim.truncate(0)
print(os.getpid(), file=claim, flush=True)
time.sleep(600)
"""


def test_down_ends_its_server_and_no_new_one_that_holds_the_folder_meanwhile(settings: Settings) -> None:
    server = keep_server(settings, os.environ).server
    claim = str(server.state / "server" / "serving")
    with subprocess.Popen([sys.executable, "-c", NEXT_SERVER, claim], stdout=subprocess.PIPE) as following:
        assert following.stdout is not None
        assert following.stdout.readline() == b"waits\n"
        try:
            stopped = stop_server(settings)
            assert stopped is not None
            assert (stopped.pid, stopped.url, stopped.killed) == (server.pid, server.url, False)
            assert is_over(server.pid)
            assert following.poll() is None, "the new server is another command's"
        finally:
            following.kill()


def is_over(pid: int) -> bool:
    """Return whether the process has ended, reaped or not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_descendants_of_a_process_are_seen_even_in_new_sessions() -> None:
    script = "import subprocess; subprocess.Popen(['sleep', '60'], start_new_session=True); input()"
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE) as parent:
        wait_until(lambda: len(descendants(parent.pid)) == 1)
        (child,) = descendants(parent.pid)
        assert b"sleep" in Path(f"/proc/{child}/cmdline").read_bytes()
        os.kill(child, signal.SIGKILL)


def test_a_reused_process_id_does_not_count_as_the_old_process() -> None:
    with subprocess.Popen(["sleep", "60"]) as process:
        seen = start_times([process.pid, 2**30])
        assert still(seen) == [process.pid]
        assert still({process.pid: str(int(seen[process.pid]) - 1)}) == []
        process.kill()
    assert still(seen) == []
