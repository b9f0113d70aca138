"""Public connectors that Airbyte has published as packages, run by the embedded Airbyte as they are.

Each can be pointed at this machine or needs no server. What is fetched is pinned by hashes in `locks/`, or resolved
once.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from support.airbyte_server import connection
from support.connector_server import ConnectorServer

pytestmark = pytest.mark.cdk
LOCKS = Path(__file__).parent / "locks"
TOKEN = "t0ken-of-the-owner"


Answer = Callable[[str, dict[str, str]], Any]


@contextmanager
def answering(answer: Answer, authorization: str) -> Iterator[str]:
    """Serve what the function returns for a path and its parameters, to requests that are let in; give the address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            is_let_in = self.headers.get("Authorization") == authorization
            content = (
                answer(parts.path, dict(parse_qsl(parts.query)))
                if is_let_in
                else {"code": "x", "message": "no"}
            )
            self.send_response(200 if is_let_in else 403)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(content).encode())

        def log_message(self, *_: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def sync(
    server: ConnectorServer, package: str, config: dict[str, Any], *streams: str, lock: str = ""
) -> dict[str, Any]:
    requirements = {"requirements": str(LOCKS / lock)} if lock else {}
    source = {"package": package, "config": config, "streams": list(streams), **requirements}
    server.configure(connection("tiny", kind="airbyte", **source))
    return server.sync("tiny")


def test_faker_is_resolved_once_and_makes_its_rows(server: ConnectorServer) -> None:
    package, config = "airbyte-source-faker==6.2.32", {"count": 120, "seed": 7, "parallelism": 1}
    job = sync(server, package, config, "users", "products", "purchases")
    assert job["status"] == "succeeded", job
    users = server.read("tiny/users/")
    assert len(users) == 120
    assert {type(user["created_at"]) for user in users} == {datetime}
    assert set(users[0]["address"]) >= {"city", "country_code"}, "an object with properties is a struct"
    (lock,) = (server.state / "airbyte" / "connectors" / "environments" / "locks").glob(
        "airbyte-source-faker*.txt"
    )
    before = lock.stat().st_mtime_ns
    again = sync(server, package, config, "users")
    assert again["rowsSynced"] == 120
    assert lock.stat().st_mtime_ns == before


def test_convex_reads_its_pages_with_code_of_python(server: ConnectorServer) -> None:
    package, lock = "airbyte-source-convex==0.4.51", "airbyte-source-convex.txt"
    documents = [{"_id": f"d{n}", "_ts": 1_700_000_000_000_000_000 + n, "tons": n} for n in range(25)]

    def answer(path: str, query: dict[str, str]) -> Any:
        if path.endswith("json_schemas"):
            return {
                "ships": {
                    "type": "object",
                    "properties": {"_id": {"type": "string"}, "tons": {"type": "number"}},
                }
            }
        first = int(query.get("cursor", 0))
        page = documents[first : first + 10]
        return {"values": page, "cursor": first + 10, "hasMore": first + 10 < len(documents), "snapshot": 7}

    with answering(answer, f"Convex {TOKEN}") as url:
        job = sync(server, package, {"deployment_url": url, "access_key": TOKEN}, "ships", lock=lock)
        refused = sync(
            server, package, {"deployment_url": url, "access_key": "wr0ng-key"}, "ships", lock=lock
        )
    assert (job["status"], job["rowsSynced"]) == ("succeeded", 25), job
    assert sorted(row["tons"] for row in server.read()) == [float(number) for number in range(25)]
    assert refused["status"] == "failed"
    assert "Connection to Convex" in refused["etltctl_failure"]["message"]
    assert "wr0ng-key" not in json.dumps(refused) + server.log


def test_posthog_reads_streams_of_each_project_by_a_manifest_with_code(server: ConnectorServer) -> None:
    def answer(path: str, query: dict[str, str]) -> Any:
        if path.rstrip("/") == "/api/projects":
            return {"results": [{"id": number, "name": f"Project {number}"} for number in (1, 2)]}
        first, size = int(query.get("offset", 0)), int(query.get("limit", 100))
        project = int(path.split("/")[3])
        return {
            "results": [
                {"id": project * 1000 + n, "name": f"c{n}"} for n in range(first, min(first + size, 130))
            ]
        }

    config = {"api_key": TOKEN, "start_date": "2024-01-01T00:00:00Z"}
    package, lock = "airbyte-source-posthog==1.1.28", "airbyte-source-posthog.txt"
    with answering(answer, f"Bearer {TOKEN}") as url:
        job = sync(server, package, {**config, "base_url": url}, "cohorts", "projects", lock=lock)
    assert (job["status"], job["rowsSynced"]) == ("succeeded", 262), job
    assert len({row["id"] for row in server.read("tiny/cohorts/")}) == 260
