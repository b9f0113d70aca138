"""A receiver on this machine that keeps every POST, and answers as a test says."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Reply:
    """An answer: its status, body and headers. It comes when `hold` is set, if there is one."""

    status: int = 200
    body: bytes = b"ok"
    headers: Mapping[str, str] = field(default_factory=dict)
    hold: threading.Event | None = None


@dataclass(frozen=True)
class Post:
    """A request that arrived; the names of its headers are in small letters."""

    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass
class PostOffice:
    """What arrived, and the answers to come: the last one is given to every later request."""

    port: int = 0
    replies: list[Reply] = field(default_factory=lambda: [Reply()])
    posts: list[Post] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The address, whose path is a secret."""
        return f"http://127.0.0.1:{self.port}/services/T0000/B0000/verysecrettoken42"


@contextmanager
def receiving(*replies: Reply) -> Iterator[PostOffice]:
    """Yield a receiver that gives these answers; without any it says `ok`."""
    office = PostOffice()
    office.replies = list(replies) or office.replies

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            office.posts.append(Post(self.path, headers, body))
            reply = office.replies.pop(0) if len(office.replies) > 1 else office.replies[0]
            if reply.hold is not None:
                reply.hold.wait(60)
            self.send_response(reply.status)
            for name, value in {"Content-Length": str(len(reply.body)), **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.body)

        def do_GET(self) -> None:
            office.posts.append(Post(f"GET {self.path}", dict(self.headers), b""))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Keep the output of the tests clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    office.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield office
    finally:
        for reply in office.replies:
            if reply.hold is not None:
                reply.hold.set()
        server.shutdown()
        server.server_close()
