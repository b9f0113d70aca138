"""The embedded server as a separate process."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from etltctl.glue import RUN_KEY
from etltctl.local.kernel.keys import Keys, read_keys

ACCOUNT = (str(Path(__file__).with_name("account_server.py")),)
START_S = 60.0  # far longer than a start takes, even on a busy machine


@dataclass(frozen=True)
class Served:
    """A server that is ready."""

    process: subprocess.Popen[bytes]
    state: Path
    port: int

    @cached_property
    def keys(self) -> Keys:
        """Return the keys of the server's state folder, as its owner reads them."""
        keys = read_keys(self.state)
        assert keys is not None
        return keys

    @property
    def environ(self) -> dict[str, str]:
        """Return the environment variables that lead AWS's SDKs to this server."""
        return {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}", **self.keys.environ}

    def client(self, service: str) -> Any:
        """Return unmodified boto3 for this server; all tests share it, so do not change it."""
        if service not in self._clients:
            self._clients[service] = make_client(service, self.port, self.keys)
        return self._clients[service]

    @cached_property
    def _clients(self) -> dict[str, Any]:
        return {}

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Return the status and the JSON of one of the server's own requests."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        connection.request(
            method,
            f"/_etltctl/{path}",
            None if body is None else json.dumps(body),
            headers={**self.keys.headers, **headers},
        )
        response = connection.getresponse()
        return response.status, json.loads(response.read())

    def lease(self) -> socket.socket:
        """Hold a connection that keeps the server alive."""
        holder = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        key = self.keys.headers["Authorization"]
        holder.sendall(
            f"GET /_etltctl/lease HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: {key}\r\n\r\n".encode()
        )
        assert holder.recv(12) == b"HTTP/1.1 200"
        return holder

    def family(self) -> set[int]:
        """Return every live process whose command line or working folder names the state folder."""
        return {
            int(entry.name) for entry in Path("/proc").glob("[0-9]*") if _belongs(entry, str(self.state))
        } - {os.getpid()}


def make_client(service: str, port: int, keys: Keys, region: str = "us-east-1", **config: Any) -> Any:
    """Return unmodified boto3 with these keys; it makes one attempt a call unless `config` says otherwise."""
    return boto3.client(
        service,
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name=region,
        aws_access_key_id=keys.access_key_id,
        aws_secret_access_key=keys.secret_access_key,
        config=Config(**{"retries": {"total_max_attempts": 1}, **config}),
    )


@contextmanager
def serve(
    state: Path, *arguments: str, program: Sequence[str] = ("-m", "etltctl.local.server")
) -> Iterator[Served]:
    """Start the server, and end it by force if the test has not.

    Args:
        state: The state folder.
        arguments: Further options of the server.
        program: What Python runs; `ACCOUNT` for a server that plays CloudFormation too.
    """
    described = state / "server" / "endpoint.json"
    process = subprocess.Popen([sys.executable, *program, "--state", str(state), "--witness", *arguments])
    try:
        wait_until(lambda: described.exists() and json.loads(described.read_text())["pid"] == process.pid)
        yield Served(process, state, json.loads(described.read_text())["port"])
    finally:
        process.terminate()
        process.wait(START_S)


def remember_runs(state: Path, job: str, number: int, seconds: float) -> None:
    """Make the server of this state, once it starts, remember `count` runs of the job, a minute apart."""
    folder = state / "glue" / "runs"
    folder.mkdir(parents=True, exist_ok=True)
    for nth in range(number):
        began = time.time() - 60 * (number - nth) - seconds
        record = {
            "Id": f"jr_{nth:04}", "JobName": job, "JobRunState": "SUCCEEDED", "Attempt": 0,
            "StartedOn": began, "CompletedOn": began + seconds, "ExecutionTime": int(seconds),
            "Arguments": {RUN_KEY: f"key-{nth}"},
        }  # fmt: skip
        (folder / f"jr_{nth:04}.json").write_text(json.dumps(record))


def wait_until(is_so: Any, seconds: float = START_S) -> None:
    """Wait for a condition that becomes true in another process."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def _belongs(entry: Path, folder: str) -> bool:
    try:
        command = (entry / "cmdline").read_bytes().decode(errors="replace")
        return folder in command or str((entry / "cwd").readlink()).startswith(folder)
    except OSError:
        return False


def refusal(call: Callable[[], Any]) -> tuple[int, str]:
    """Return the status and the code with which the call is refused."""
    with pytest.raises(ClientError) as caught:
        call()
    response = caught.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


def send_raw(
    s3: Any, method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[http.client.HTTPResponse, bytes]:
    """Send a request that no SDK would send."""
    connection = http.client.HTTPConnection(s3.meta.endpoint_url.removeprefix("http://"), timeout=10)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    response = connection.getresponse()
    return response, response.read()
