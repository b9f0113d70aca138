"""AWS clients and the proxies of the environment: none for this machine, and a SOCKS proxy is named."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from etltctl.aws import Aws
from etltctl.errors import ConfigurationError


class Glue(BaseHTTPRequestHandler):
    """A server that answers every call as Glue answers GetDatabases of an empty catalog."""

    def do_POST(self) -> None:
        body = b'{"DatabaseList": []}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def glue_port() -> Iterator[int]:
    server = HTTPServer(("127.0.0.1", 0), Glue)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "me")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("proxy", ["http://127.0.0.1:1", "socks5://127.0.0.1:1"])
def test_a_service_on_this_machine_is_called_without_the_proxy(
    glue_port: int, monkeypatch: pytest.MonkeyPatch, host: str, proxy: str
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{glue_port}")
    monkeypatch.setenv("HTTP_PROXY", proxy)
    assert Aws(region="us-east-1").client("glue").get_databases()["DatabaseList"] == []


def test_a_socks_proxy_is_named_before_anything_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks5://127.0.0.1:1")
    aws = Aws(region="us-east-1")
    with pytest.raises(ConfigurationError, match=r"the SOCKS proxy .* that HTTPS_PROXY names") as raised:
        aws.client("glue")
    assert raised.value.hint == "unset HTTPS_PROXY, or add glue.us-east-1.amazonaws.com to NO_PROXY"
