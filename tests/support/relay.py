"""A relay in front of the account, which alters answers as another emulator would word them."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Alter = Callable[[bytes, bytes], bytes]  # the request's body and the answer's body


@contextmanager
def relayed(
    port: int,
    alter: Alter = lambda _, body: body,
    answer_for: Callable[[bytes], bytes | None] = lambda _: None,
) -> Iterator[str]:
    """Serve the account at `port` under another address, with each answer altered.

    If `answer_for` returns an answer to a request's body, the account does not receive the request.
    """

    class Relay(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self) -> None:
            request = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if (own := answer_for(request)) is not None:
                self.send_response(200)
                self.send_header("Content-Length", str(len(own)))
                self.end_headers()
                self.wfile.write(own)
                return
            account = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            account.request(self.command, self.path, request, dict(self.headers))
            answer = account.getresponse()
            body = alter(request, answer.read())
            account.close()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in {"content-length", "transfer-encoding", "connection"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = pass_on  # noqa: N815  http.server's own

        def log_message(self, *args: object) -> None:
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Relay)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
