"""Another server in AWS's place is reported by every call that meets it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from etltctl.athena import Athena
from etltctl.aws import Aws
from etltctl.catalog import Catalog
from etltctl.errors import ServiceError
from etltctl.retrying import RetryPolicy
from etltctl.s3 import S3

CALLS: dict[str, Callable[[Aws], Any]] = {
    "S3": lambda aws: S3(aws).objects("s3://bucket/folder/"),
    "Glue": lambda aws: Catalog(aws).tables("gold"),
    "Athena": lambda aws: Athena(aws, "w", "s3://bucket/").run("select 1", "key", database="gold"),
    "STS": lambda aws: aws.identity(),
}


PAGE = b"<!doctype html>\n<html lang=en>\n<title>404 Not Found</title>\n<h1>Not Found</h1>\n"


@pytest.fixture(
    params=[
        (200, b"<html><body>Log in</body></html>"),
        (200, b""),
        (200, b"[1]"),
        (200, b"\x00\x01"),
        *((status, PAGE) for status in (403, 404, 500, 501, 503)),
        (404, b"404 page not found"),
        (400, b""),
    ],
    ids=str,
)
def other_server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A server that answers every request in the same way and is not AWS."""

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, body = request.param
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST  # noqa: N815 - named by http.server

        def log_message(self, *args: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_address[1]}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
        yield
        server.shutdown()


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.usefixtures("other_server")
def test_an_answer_that_does_not_come_from_the_service_is_reported(call: Callable[[Aws], Any]) -> None:
    # botocore itself reports a listing of S3 that is not XML as an error of the server
    policy = RetryPolicy(attempts=1)
    with pytest.raises(
        ServiceError,
        match=r"the endpoint of \w+ answered with (something|a web page|nothing)|Internal Server",
    ) as caught:
        call(Aws(region="us-east-1", policy=policy))
    assert "AWS_ENDPOINT_URL" in caught.value.hint or "Internal Server" in caught.value.message
    assert not re.search(r"<|\n", caught.value.message)
