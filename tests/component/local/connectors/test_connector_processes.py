"""The process of a connector: its secrets, its environment, its silence and its end."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from etltctl.local.kernel.processes import is_alive, wait_until
from support.connector_server import ConnectorServer
from support.tiny_connector import PACKAGE, error, record, stream

SECRET = 'p4ss"w0rd/of-ships'


def started(server: ConnectorServer, script: list[object]) -> tuple[int, int]:
    """Start a sync that prints the id of a child, and return the ids of the job and of the child."""
    server.describe(script)
    body = {"connectionId": server.ids["tiny"], "jobType": "sync"}
    job = server.http.post("/jobs", json=body).json()["jobId"]
    child: list[int] = []

    def is_named() -> bool:
        try:
            child[:] = [int(each) for each in re.findall(r"child (\d+)", server.log)]
        except FileNotFoundError:
            return False
        return bool(child)

    assert wait_until(is_named, 30)
    return job, child[0]


def test_no_secret_is_in_arguments_environment_log_or_error(
    server: ConnectorServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "key-of-the-user")
    spoken = json.dumps(SECRET)
    script = [{"environ": True}, {"raw": f"using {SECRET} and {spoken}"}, {"stderr": f"token {SECRET}"},
              error(f"{SECRET} was refused")]  # fmt: skip
    job = server.run(script, config={"api_key": SECRET, "pin": "9876543"})
    assert "*** was refused" in job["etltctl_failure"]["message"]
    for text in (server.log, json.dumps(job)):
        assert SECRET not in text
        assert spoken[1:-1] not in text
        assert "key-of-the-user" not in text
    seen = next(
        json.loads(line.partition(" INFO  ")[2]) for line in server.log.splitlines() if "PATH" in line
    )
    assert all("***" not in str(part) for part in seen), "no secret was there to be masked"


def test_what_the_specification_calls_a_secret_is_masked(server: ConnectorServer) -> None:
    server.run([{"raw": "the pin is 9876543"}], config={"pin": "9876543"})
    assert "the pin is ***" in server.log


def test_only_the_owner_can_read_the_configuration(server: ConnectorServer) -> None:
    server.run([{"mode": True}])
    assert '{".": "0o700", "config.json": "0o600"}' in server.log


def test_a_cancelled_sync_ends_the_connector_and_what_it_started(server: ConnectorServer) -> None:
    job, child = started(server, [record("ships", id=1), {"spawn": 60}, {"sleep": 60}])
    assert is_alive(child)
    started_at = time.monotonic()
    assert server.http.delete(f"/jobs/{job}").json()["status"] == "cancelled"
    assert time.monotonic() - started_at < 10
    assert wait_until(lambda: not is_alive(child), 5)
    assert not server.private


def test_a_child_that_holds_the_pipe_open_does_not_hold_the_sync(server: ConnectorServer) -> None:
    started_at = time.monotonic()
    job = server.run([record("ships", id=1), {"spawn": 60}])
    assert (job["status"], job["rowsSynced"]) == ("succeeded", 1)
    assert time.monotonic() - started_at < 20
    child = int(re.findall(r"child (\d+)", server.log)[0])
    assert wait_until(lambda: not is_alive(child), 5)


def test_a_silent_connector_is_ended_by_the_watchdog(server: ConnectorServer) -> None:
    job = server.run([record("ships", id=1), {"sleep": 60}], quiet_minutes=0.02)
    message = job["etltctl_failure"]["message"]
    assert (
        message == "stream ships, after 1 records: the connector said nothing for 0.02 minutes and was ended"
    )
    assert job["etltctl_failure"]["kind"] == "transient_error"


def test_a_server_that_starts_deletes_what_a_killed_one_left(server: ConnectorServer) -> None:
    left = server.state / "airbyte" / "connectors" / "private" / "x"
    left.mkdir(parents=True)
    (left / "config.json").write_text("{}")
    again = ConnectorServer(server.state)
    again.start()
    again.stop()
    assert not left.exists()


def test_a_stream_that_waits_for_its_turn_is_not_kept_in_memory(server: ConnectorServer) -> None:
    script = [{"records": ["ports", 20_000]}, {"records": ["ships", 1]}]
    assert server.run(script, [stream("ships"), stream("ports")])["rowsSynced"] == 20_001
    assert [row["id"] for row in server.read("tiny/ports/")] == list(range(20_000))


PROGRAM = """\
import json, os, sys, time
from pathlib import Path
from etltctl.local.services.airbyte.connectors.process import ConnectorProcess, Launch
from etltctl.local.services.airbyte.connectors.recipe import PackageRecipe
folder, python = Path(sys.argv[1]), Path(sys.argv[2])
(folder / "config.json").write_text(json.dumps({"script": [{"raw": "reading"}, {"sleep": 60}]}))
command = PackageRecipe(sys.argv[3]).command(python, folder, "read")
process = ConnectorProcess(
    Launch([*command, "--config", "config.json"], {}, folder), lambda _: None, print, quiet_s=60
)
next(process.lines())
print(process.pid, flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux ends a process with the thread that started it"
)
def test_a_connector_ends_with_a_server_that_is_killed(tmp_path: Path, installed: Path) -> None:
    python = next(installed.glob("*/bin/python"))
    command = [sys.executable, "-c", PROGRAM, str(tmp_path), str(python), PACKAGE]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    connector = int(server.stdout.readline())
    assert is_alive(connector)
    server.kill()
    server.wait()
    server.stdout.close()
    assert wait_until(lambda: not is_alive(connector), 5)
