"""Recorded requests and answers of an Airbyte API, compared with the published API."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from etltctl.local.witness.airbyte import check_airbyte


@dataclass(frozen=True)
class Exchange:
    """One request and its answer; a body is JSON, or None if it is empty."""

    method: str
    path: str
    request: Any
    status: int
    answer: Any


def recorded(app: Any, exchanges: list[Exchange]) -> Any:
    """Return the application so that it appends every exchange to the list."""

    def recording(environ: Any, start_response: Any) -> Any:
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length) if length else b""
        statuses: list[str] = []

        def start(status: str, headers: Any, *rest: Any) -> Any:
            statuses.append(status)
            return start_response(status, headers, *rest)

        answer = b"".join(app({**environ, "wsgi.input": io.BytesIO(body)}, start))
        query = environ.get("QUERY_STRING", "")
        path = environ["PATH_INFO"] + (f"?{query}" if query else "")
        status = int(statuses[0].split()[0])
        exchanges.append(Exchange(environ["REQUEST_METHOD"], path, _json(body), status, _json(answer)))
        return [answer]

    return recording


def translated(app: Any, version: Callable[[], Callable[[Any], Any] | None]) -> Any:
    """Return the application with its JSON answers as another version would give them."""

    def translating(environ: Any, start_response: Any) -> Any:
        starts: list[Any] = []
        answer = b"".join(app(environ, lambda status, headers, *rest: starts.append((status, headers))))
        status, headers = starts[0]
        translate, body = version(), _json(answer)
        if translate is not None and isinstance(body, dict) and status.startswith("200"):
            answer = json.dumps(translate(body)).encode()
            kept = [pair for pair in headers if pair[0] != "Content-Length"]
            headers = [*kept, ("Content-Length", str(len(answer)))]
        start_response(status, headers)
        return [answer]

    return translating


def violations(exchanges: list[Exchange]) -> list[str]:
    """Return each contradiction of the published API, with the call that caused it."""
    return [
        f"{each.method} {each.path}: {violation}"
        for each in exchanges
        for violation in check_airbyte(each.method, each.path, each.request, each.status, each.answer)
    ]


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
