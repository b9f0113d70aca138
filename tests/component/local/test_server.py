"""The life of the embedded server: its start, its leases, and its end without leftovers."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from etltctl.local.kernel.processes import is_alive
from support.served import Served, serve, wait_until

STACK = {
    "buckets": ["lake-bronze", "lake-scripts"],
    "databases": ["bronze"],
    "workgroup": {"name": "lake", "output_location": "s3://lake-bronze/results/"},
    "jobs": [],
    "connections": [],
    "data_pack": None,
}


def test_a_server_describes_itself_to_its_user_only(server: Served) -> None:
    described = server.state / "server" / "endpoint.json"
    assert stat.S_IMODE(described.stat().st_mode) == 0o600
    status, health = server.request("GET", "health")
    assert (status, health["status"], health["pid"], health["kept"]) == (200, "ok", server.process.pid, True)


def test_a_server_answers_to_its_own_host_name_only(server: Served) -> None:
    assert server.request("GET", "health", Host="evil.example")[0] == 403
    assert server.request("GET", "health", Host=f"localhost:{server.port}")[0] == 200


def test_a_web_page_cannot_reach_the_server(server: Served) -> None:
    assert server.request("POST", "keep", {"keep": False}, Origin="https://evil.example")[0] == 403


def test_two_servers_never_share_a_state_folder(tmp_path: Path) -> None:
    """The second server waits for the end of the first, which may still be writing its state."""
    with serve(tmp_path / "state", "--keep") as first:
        second = subprocess.Popen(
            [sys.executable, "-m", "etltctl.local.server", "--state", tmp_path / "state", "--keep"]
        )
        time.sleep(1.5)
        assert first.request("GET", "health")[1]["pid"] == first.process.pid
        described = first.state / "server" / "endpoint.json"
        assert str(first.port) in described.read_text()
        first.request("POST", "shutdown")
        wait_until(lambda: described.exists() and str(second.pid) in described.read_text())
        second.terminate()
        assert second.wait(60) == 0


def test_an_unknown_request_to_the_server_itself_is_reported(server: Served) -> None:
    assert server.request("GET", "nothing")[0] == 404


def test_a_stack_can_be_set_up_twice(server: Served) -> None:
    first = server.request("POST", "stack", STACK)
    assert first[0] == 200
    assert server.request("POST", "stack", STACK) == first
    buckets = {bucket["Name"] for bucket in server.client("s3").list_buckets()["Buckets"]}
    assert set(STACK["buckets"]) <= buckets
    assert server.client("glue").get_database(Name="bronze")["Database"]["Name"] == "bronze"
    workgroup = server.client("athena").get_work_group(WorkGroup="lake")["WorkGroup"]
    assert workgroup["Configuration"]["ResultConfiguration"]["OutputLocation"] == "s3://lake-bronze/results/"


def test_an_incomplete_stack_is_refused_with_the_missing_name(server: Served) -> None:
    status, answer = server.request("POST", "stack", {"jobs": [{"name": "x"}]})
    assert status == 400
    assert "script_location" in answer["message"]


def test_a_taken_port_is_reported_in_one_line(server: Served, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "etltctl.local.server", "--state", tmp_path, "--port", str(server.port)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == f"port {server.port} of 127.0.0.1 cannot be used: Address already in use\n"


def test_a_server_ends_with_its_last_lease(tmp_path: Path) -> None:
    with serve(tmp_path / "state") as served:
        first, second = served.lease(), served.lease()
        first.close()
        time.sleep(0.6)
        assert served.process.poll() is None
        second.close()
        assert served.process.wait(120) == 0
        assert not (served.state / "server" / "endpoint.json").exists()


def test_a_kept_server_outlives_its_leases_until_it_is_stopped(tmp_path: Path) -> None:
    with serve(tmp_path / "state") as served:
        lease = served.lease()
        assert served.request("POST", "keep", {"keep": True})[1]["kept"] is True
        lease.close()
        time.sleep(0.6)
        assert served.request("GET", "health")[1]["kept"] is True
        assert served.request("POST", "shutdown")[0] == 200
        assert served.process.wait(120) == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_server_cleanly(tmp_path: Path, number: signal.Signals) -> None:
    with serve(tmp_path / "state", "--keep") as served:
        served.process.send_signal(number)
        assert served.process.wait(120) == 0
        assert not (served.state / "server" / "endpoint.json").exists()


def test_a_killed_server_leaves_no_process(tmp_path: Path) -> None:
    """This includes the Spark JVM and the Python process that wait for a run."""
    with serve(tmp_path / "state", "--keep") as served:
        served.request("POST", "stack", STACK | {"warm": True})
        wait_until(lambda: len(served.family()) >= 3)
        os.kill(served.process.pid, signal.SIGKILL)
        served.process.wait()
        wait_until(lambda: not served.family())


def test_records_and_objects_survive_a_kill(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with serve(state, "--keep") as served:
        served.request("POST", "stack", STACK)
        served.client("s3").put_object(Bucket="lake-bronze", Key="k", Body=b"x", Metadata={"a": "b"})
        table = {"Name": "t", "StorageDescriptor": {"Location": "s3://lake-bronze/t/"}}
        served.client("glue").create_table(DatabaseName="bronze", TableInput=table)
        os.kill(served.process.pid, signal.SIGKILL)
    with serve(state, "--keep") as served:
        assert served.client("s3").get_object(Bucket="lake-bronze", Key="k")["Metadata"] == {"a": "b"}
        stored = served.client("glue").get_table(DatabaseName="bronze", Name="t")["Table"]
        assert stored["StorageDescriptor"]["Location"] == "s3://lake-bronze/t/"


def test_only_this_machine_can_reach_the_server(server: Served) -> None:
    address = socket.gethostbyname(socket.gethostname())
    if address.startswith("127."):
        pytest.skip("this machine has no other address")
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((address, server.port), timeout=2)


def test_a_server_without_a_waiting_command_does_not_start(tmp_path: Path) -> None:
    """A command that is killed while its server starts leaves no server that starts later."""
    state = tmp_path / "state"
    line = [sys.executable, "-m", "etltctl.local.server", "--state", str(state), "--starter"]
    assert subprocess.run([*line, "1"], timeout=120, check=False).returncode == 2
    assert not (state / "server" / "endpoint.json").exists()


def test_a_server_whose_parent_ends_while_it_waits_for_the_folder_does_not_serve(tmp_path: Path) -> None:
    with serve(tmp_path / "state", "--keep") as first:
        starting = (
            "import os, subprocess, sys, time\n"
            f"words = ['-m', 'etltctl.local.server', '--state', {str(first.state)!r}, '--starter', str(os.getpid())]\n"
            "print(subprocess.Popen([sys.executable, *words], stdout=2).pid, flush=True)\n"
            "time.sleep(4)\n"
        )
        starter = subprocess.run(
            [sys.executable, "-c", starting], stdout=subprocess.PIPE, text=True, timeout=60, check=True
        )
        wait_until(lambda: not is_alive(int(starter.stdout)))
        assert first.request("GET", "health")[1]["pid"] == first.process.pid
