"""A small API on loopback that pages through ships, asks for a key, and answers fast."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

KEY = "k3y-of-the-ships"


@contextmanager
def serve(rows: int) -> Iterator[str]:
    """Serve so many ships and give the API's address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.headers.get("X-Key") != KEY:
                self._send(401, {"error": "unknown key"})
                return
            query = {name: int(values[0]) for name, values in parse_qs(urlsplit(self.path).query).items()}
            first = query.get("offset", 0)
            numbers = range(first, min(first + query.get("limit", 100), rows))
            self._send(200, {"ships": [_ship(number) for number in numbers]})

        def _send(self, code: int, content: object) -> None:
            body = json.dumps(content).encode()
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def _ship(number: int) -> dict[str, object]:
    return {"id": number, "name": f"Ship {number}", "built": "2001-02-03", "tons": number * 1.5}
