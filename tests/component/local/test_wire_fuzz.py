"""Whatever comes over the wire: the server lives, answers at once and never with a 500, and stays in its folder.

Thousands of requests from a fixed seed meet every operation of every service, and every odd value in every header
and every part of a query. `ETLTCTL_SEED=random` takes another seed; it is printed, so a failure can be repeated with
`ETLTCTL_SEED=<number>`.
"""

from __future__ import annotations

import http.client
import json
import os
import secrets
import socket
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support.fuzzing import HOST, Fuzz
from support.served import Served, serve

SEED = os.environ.get("ETLTCTL_SEED") or "20261128"
ANSWER_S = 60.0
MOST_MEMORY_MB = 700
FORBIDDEN = {500, 502, 503, 504}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "outside").mkdir()
    (folder / "outside" / "secret.txt").write_text("secret")
    with serve(folder / "state", "--keep") as served:
        yield served


def answer(port: int, request: bytes) -> bytes:
    """Return everything that the server sends until it closes the connection; raise TimeoutError if it does not."""
    with socket.create_connection((HOST, port), timeout=ANSWER_S) as connection:
        received = b""
        try:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            while piece := connection.recv(1 << 16):
                received += piece
        except (ConnectionError, BrokenPipeError):
            pass  # the server may refuse before it has read everything
        return received


def status_of(received: bytes) -> int:
    """Return the status of an answer, after the interim `100 Continue`; 0 without any."""
    last = received.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
    line = last.split(b"\r\n", 1)[0].split(b" ")
    return int(line[1]) if len(line) > 1 and line[1].isdigit() else 0


def airbyte_token(server: Served) -> str:
    """Return a token for the embedded Airbyte."""
    endpoint = json.loads((server.state / "server" / "endpoint.json").read_text())
    body = json.dumps({name: endpoint[name] for name in ("client_id", "client_secret")})
    connection = http.client.HTTPConnection(HOST, server.port, timeout=ANSWER_S)
    connection.request("POST", "/airbyte/v1/applications/token", body, {"Content-Type": "application/json"})
    token: str = json.loads(connection.getresponse().read())["access_token"]
    return token


def memory_mb(server: Served) -> float:
    """Return the resident memory of the process in MB."""
    text = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(text.partition("VmRSS:")[2].split()[0]) / 1024


def outside(server: Served) -> dict[str, bytes]:
    """Return the files next to the state folder."""
    around = server.state.parent
    return {
        str(file): file.read_bytes()
        for file in around.rglob("*")
        if file.is_file() and not file.is_relative_to(server.state)
    }


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_no_request_breaks_the_server(server: Served) -> None:
    seed = secrets.randbits(32) if SEED == "random" else int(SEED)
    print(f"ETLTCTL_SEED={seed}")
    client = server.client("s3")
    client.create_bucket(Bucket="lake")
    client.put_object(Bucket="lake", Key="k", Body=b"0123456789", Metadata={"a": "b"})
    before = outside(server)
    fuzz = Fuzz(
        seed,
        client._request_signer._credentials,
        server.port,
        airbyte_token(server),
        server.keys.headers["Authorization"],
        str(server.state.parent / "outside"),
    )
    lease = server.lease()  # otherwise a request with `keep: false` would correctly end it
    broken: list[tuple[str, bytes, bytes]] = []
    statuses: Counter[tuple[str, int]] = Counter()

    def send(kind: str, request: bytes) -> None:
        received = answer(server.port, request)
        statuses[kind, status_of(received)] += 1
        if status_of(received) in FORBIDDEN or (kind != "raw" and not status_of(received)):
            broken.append((kind, request[:600], received[:600]))

    kinds = [kind for kind, (number, _) in fuzz.kinds.items() for _ in range(number)]
    fuzz.random.shuffle(kinds)
    with ThreadPoolExecutor(4) as senders:
        for start in range(0, len(kinds), 500):
            batch = [(kind, fuzz.kinds[kind][1]()) for kind in kinds[start : start + 500]]
            sent = senders.map(send, *zip(*batch, strict=True))
            assert server.process.poll() is None, f"the server ended with {server.process.returncode}"
            list(sent)
            assert server.process.poll() is None, f"the server ended with {server.process.returncode}"
            assert not broken, broken[:3]
    assert server.request("GET", "health")[0] == 200
    lease.close()
    print(sorted(statuses.items()))
    for kind in fuzz.kinds:  # otherwise only authentication would be tested; damaged requests rarely pass it
        assert statuses[kind, 200] > (0 if kind == "raw" else 5), kind
    assert memory_mb(server) < MOST_MEMORY_MB
    assert outside(server) == before
    scratch = server.state / "s3-meta" / ".scratch"
    deadline = time.monotonic() + 10
    while leftovers := [file for file in scratch.iterdir() if not file.name.startswith("part-")]:
        assert time.monotonic() < deadline, leftovers
        time.sleep(0.05)
