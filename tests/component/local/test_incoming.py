"""Bodies of requests: read to their end and no further. An incomplete body is not kept."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator

import pytest

from support.served import Served, wait_until
from support.signing import signed

FORM = "application/x-www-form-urlencoded"
PLACES: dict[str, tuple[str, str, dict[str, str]]] = {
    "s3": ("PUT /incoming/k", "s3", {}),
    "json": ("POST /", "glue", {"X-Amz-Target": "AWSGlue.GetDatabases"}),
    "form": ("POST /", "sts", {"Content-Type": FORM}),
    "airbyte": ("POST /airbyte/v1/applications/token", "", {"Content-Type": "application/json"}),
    "own": ("POST /_etltctl/keep", "", {"Content-Type": "application/json"}),
}
BODIES = {
    "s3": b"the object",
    "json": b'{"MaxResults": 1}',
    "form": b"Action=GetCallerIdentity&Version=2011-06-15",
    "own": b'{"keep": true}',
}


@pytest.fixture(scope="module", autouse=True)
def _lake(server: Served) -> None:
    server.client("s3").create_bucket(Bucket="incoming")


@pytest.fixture(autouse=True)
def _unharmed(server: Served) -> Iterator[None]:
    """Check that the server still answers and keeps no incomplete object."""
    yield
    assert server.request("GET", "health")[0] == 200
    assert server.process.poll() is None
    wait_until(lambda: not list((server.state / "s3-meta" / ".scratch").iterdir()))


def exchange(server: Served, place: str, body: bytes, **headers: str) -> tuple[int, bytes]:
    """Send the bytes as they are, end, and return status and body; status 0 if there is no answer."""
    line, service, named = PLACES[place]
    all_headers = {**named, **{name.replace("_", "-"): value for name, value in headers.items()}}
    if service:
        all_headers = signed(server, line, all_headers, BODIES[place], service)
    if place == "own":
        all_headers |= server.keys.headers
    head = "".join(f"{name}: {value}\r\n" for name, value in all_headers.items())
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        connection.sendall(f"{line} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n{head}\r\n".encode() + body)
        connection.shutdown(socket.SHUT_WR)
        answer = http.client.HTTPResponse(connection)
        try:
            answer.begin()
        except http.client.HTTPException:
            return 0, b""
        return answer.status, answer.read()


def chunked(body: bytes, size: int = 3) -> bytes:
    """Return the body in HTTP chunks."""
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(b"%x;a=b\r\n%b\r\n" % (len(part), part) for part in [*parts, b""])


@pytest.mark.parametrize("place", BODIES)
def test_every_service_understands_chunks(server: Served, place: str) -> None:
    status, answer = exchange(server, place, chunked(BODIES[place]), Transfer_Encoding="chunked")
    assert status == 200, answer
    if place == "s3":
        assert server.client("s3").get_object(Bucket="incoming", Key="k")["Body"].read() == BODIES[place]
        server.client("s3").delete_object(Bucket="incoming", Key="k")


def test_airbyte_understands_chunks(server: Served) -> None:
    endpoint = json.loads((server.state / "server" / "endpoint.json").read_text())
    body = json.dumps({name: endpoint[name] for name in ("client_id", "client_secret")}).encode()
    status, answer = exchange(server, "airbyte", chunked(body), Transfer_Encoding="chunked")
    assert (status, "access_token" in json.loads(answer)) == (200, True)


@pytest.mark.parametrize(
    "body",
    [
        b"40000000\r\nx",
        b"ffffffffffffffff\r\nx",
        b"ffffff\r\nx",
        b"-5\r\nxxxxx\r\n0\r\n\r\n",
        b"zz\r\n",
        b"3\r\nxxxx",
        b"3\r\nxxx",
        b"3\r\nxxx\r\n",
        b"3\r\nxxx\r\n0\r\n",
        b"",
        b"1" * 9000,
    ],
)
@pytest.mark.parametrize("place", PLACES)
def test_a_client_that_ends_inside_a_chunk_changes_nothing(server: Served, place: str, body: bytes) -> None:
    status, _ = exchange(server, place, body, Transfer_Encoding="chunked")
    assert 400 <= status < 500
    assert "Contents" not in server.client("s3").list_objects_v2(Bucket="incoming")


@pytest.mark.parametrize("place", PLACES)
def test_a_client_that_sends_less_than_it_announced_changes_nothing(server: Served, place: str) -> None:
    status, _ = exchange(server, place, BODIES.get(place, b"{}"), Content_Length="5000000")
    assert status == 400
    assert "Contents" not in server.client("s3").list_objects_v2(Bucket="incoming")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Transfer_Encoding": "gzip, chunked"}, 501),
        ({"Transfer_Encoding": "chunked", "Content_Length": "3"}, 400),
        ({"Content_Length": "-1"}, 400),
        ({"Content_Length": "3x"}, 400),
        ({"Content_Length": str(6 << 30)}, 400),
    ],
)
def test_a_frame_that_contradicts_itself_is_refused(
    server: Served, headers: dict[str, str], status: int
) -> None:
    for place in PLACES:
        assert exchange(server, place, b"xxx", **headers)[0] in {status, 413}
    assert "Contents" not in server.client("s3").list_objects_v2(Bucket="incoming")


def test_an_upload_needs_a_length(server: Served) -> None:
    assert exchange(server, "s3", b"x")[0] == 411


@pytest.mark.parametrize("place", ["json", "form", "airbyte", "own"])
def test_a_body_in_memory_is_limited(server: Served, place: str) -> None:
    assert exchange(server, place, b"x" * (17 << 20), Content_Length=str(17 << 20))[0] == 413


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"5\r\nab", {}),
        (b"-2\r\nab\r\n0\r\n\r\n", {}),
        (b"2;chunk-signature=0\r\nab\r\n", {}),
        (b"2\r\nabc\r\n0\r\n\r\n", {}),
        (b"2\r\nab\r\n0\r\n\r\n", {"X-Amz-Decoded-Content-Length": "3"}),
        (b"2\r\nab\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", {"X-Amz-Trailer": "x-amz-checksum-crc32"}),
    ],
)
def test_a_payload_in_aws_s_chunks_is_checked(server: Served, body: bytes, headers: dict[str, str]) -> None:
    announced = {"Content-Encoding": "aws-chunked", "X-Amz-Decoded-Content-Length": "2"}
    sent_headers = {**announced, "Content-Length": str(len(body)), **headers}
    assert exchange(server, "s3", body, **sent_headers)[0] == 400
    assert "Contents" not in server.client("s3").list_objects_v2(Bucket="incoming")


def test_a_client_that_sends_more_than_it_announced_gets_its_answer_at_once(server: Served) -> None:
    """The client keeps its connection open, and reads to the end of the answer."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        head = "".join(f"{name}: {value}\r\n" for name, value in server.keys.headers.items())
        line = f"GET /_etltctl/health HTTP/1.1\r\nHost: 127.0.0.1\r\n{head}Content-Length: 1\r\n\r\n"
        connection.sendall(line.encode() + b"x" * 100)
        answer = b""
        while piece := connection.recv(4096):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 200")


def test_a_body_in_place_of_a_request_line_is_not_logged(server: Served) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as raw:
        raw.sendall(b'{"client_id":"me","client_secret":"hush-hush"}\r\n\r\n')
        assert b"400" in raw.recv(4096)
    log = (server.state / "server" / "server.log").read_text()
    assert "code 400, message Bad request syntax\n" in log
    assert "hush-hush" not in log
