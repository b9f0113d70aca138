"""A success with only nulls: an empty answer if the operation requires no field, and else an error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from etltctl.aws import Aws, translated
from etltctl.catalog import Catalog
from etltctl.errors import ServiceError
from etltctl.retrying import RetryPolicy

NULL_TAGS = b'{"LFTagOnDatabase":null,"LFTagsOnColumns":null,"LFTagsOnTable":null}'


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bytes], None]]:
    """Set the answer of a server in AWS's place to every request, with status 200."""
    bodies: list[bytes] = []

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(200)
            self.send_header("Content-Length", str(len(bodies[-1])))
            self.end_headers()
            self.wfile.write(bodies[-1])

        def log_message(self, *args: object) -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_address[1]}")
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
        yield bodies.append
        server.shutdown()


def aws() -> Aws:
    return Aws(region="us-east-1", policy=RetryPolicy(attempts=1))


def tags() -> Any:
    with translated("lakeformation"):
        return aws().client("lakeformation").get_resource_lf_tags(Resource={"Database": {"Name": "gold"}})


@pytest.mark.parametrize("body", [NULL_TAGS, b"{}", b'{ "LFTagOnDatabase" : null }\n'])
def test_optional_members_may_be_null(answer: Callable[[bytes], None], body: bytes) -> None:
    answer(body)
    assert tags().keys() == {"ResponseMetadata"}


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "something that is not its own"),
        (b"null", "something that is not its own"),
        (b"[]", "something that is not its own"),
        (b'{"status": null}', "something that is not its own"),
        (b'{"status": "ok"}', "something that is not its own"),
        (b"<html>log in</html>", "a web page"),
    ],
)
def test_an_answer_that_no_service_writes_is_refused(
    answer: Callable[[bytes], None], body: bytes, kind: str
) -> None:
    answer(body)
    with pytest.raises(ServiceError, match=f"lakeformation answered with {kind}") as caught:
        tags()
    assert "AWS_ENDPOINT_URL_LAKEFORMATION" in caught.value.hint


def test_a_member_that_etltctl_needs_may_not_be_null(answer: Callable[[bytes], None]) -> None:
    answer(b'{"TableList": null}')
    with pytest.raises(ServiceError, match=r"without the field TableList\[\]"):
        Catalog(aws()).tables("gold")


def test_a_member_that_the_model_requires_may_not_be_null(answer: Callable[[bytes], None]) -> None:
    answer(b'{"DatabaseList": null, "NextToken": null}')
    with (
        pytest.raises(ServiceError, match="glue answered with something that is not its own"),
        translated("glue"),
    ):
        aws().client("glue").get_databases()
