"""The sync of a low-code connector on the embedded server: records a second, and the peak memory of all its processes.

The API is on loopback in a separate process, whose memory does not count. The environment is made before the clock
starts; the first run of all takes a minute for it.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from etltctl.local.kernel.processes import descendants
from etltctl.local.services.airbyte.connectors.environment import Environments
from etltctl.local.services.airbyte.service import AirbyteService
from etltctl.local.services.s3.directory import S3Directory
from etltctl.settings.files import project_file

ROWS = int(sys.argv[1]) if len(sys.argv) > 1 else 60_000
PAGE = 500
STREAMS = 2
SAMPLE_S = 0.1
LEAST_RATE, MOST_MB = 2_000, 500


class Api(BaseHTTPRequestHandler):
    """Pages of ships."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        first = int(query.get("offset", ["0"])[0])
        numbers = range(first, min(first + PAGE, ROWS // STREAMS))
        body = json.dumps({"ships": [ship(number) for number in numbers]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


def ship(number: int) -> dict[str, Any]:
    home = {"port": f"Port {number % 40}", "berth": number % 7}
    return {
        "id": number,
        "name": f"Ship {number}",
        "seen": "2024-05-06T07:08:09Z",
        "tons": number / 3,
        "home": home,
    }


def serve(pipe: Connection) -> None:
    """Serve the API until the process is ended, after having sent its port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
    pipe.send(server.server_port)
    server.serve_forever()


def manifest(port: int) -> dict[str, Any]:
    parameter = {"type": "RequestOption", "inject_into": "request_parameter"}
    properties = {
        "id": {"type": "integer"}, "name": {"type": "string"}, "seen": {"type": "string", "format": "date-time"},
        "tons": {"type": "number"},
        "home": {"type": "object", "properties": {"port": {"type": "string"}, "berth": {"type": "integer"}}},
    }  # fmt: skip
    retriever = {
        "type": "SimpleRetriever",
        "requester": {
            "type": "HttpRequester", "url_base": f"http://127.0.0.1:{port}/", "path": "ships", "http_method": "GET",
        },
        "record_selector": {"type": "RecordSelector", "extractor": {"type": "DpathExtractor", "field_path": ["ships"]}},
        "paginator": {
            "type": "DefaultPaginator", "page_token_option": {**parameter, "field_name": "offset"},
            "page_size_option": {**parameter, "field_name": "limit"},
            "pagination_strategy": {"type": "OffsetIncrement", "page_size": PAGE},
        },
    }  # fmt: skip
    schema = {"type": "InlineSchemaLoader", "schema": {"type": "object", "properties": properties}}
    streams = [
        {
            "type": "DeclarativeStream",
            "name": f"ships{number}",
            "retriever": retriever,
            "schema_loader": schema,
        }
        for number in range(STREAMS)
    ]
    spec = {"type": "Spec", "connection_specification": {"type": "object", "properties": {}}}
    check = {"type": "CheckStream", "stream_names": ["ships0"]}
    return {
        "version": "6.60.0",
        "type": "DeclarativeSource",
        "check": check,
        "streams": streams,
        "spec": spec,
    }


def memory_mb() -> float:
    """Return the resident memory of this process and of all that it started, but the API."""
    total = 0
    for pid in [os.getpid(), *descendants(os.getpid())]:
        try:
            if pid not in LEFT_OUT:
                total += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
        except OSError:  # it has just ended
            continue
    return total / 2**20


LEFT_OUT: set[int] = set()


@contextmanager
def peak() -> Iterator[list[float]]:
    """Sample the memory until the end, and keep the highest figure."""
    highest, is_over = [memory_mb()], threading.Event()

    def sample() -> None:
        while not is_over.wait(SAMPLE_S):
            highest[0] = max(highest[0], memory_mb())

    thread = threading.Thread(target=sample)
    thread.start()
    yield highest
    is_over.set()
    thread.join()


def synced(service: AirbyteService, connections: list[dict[str, Any]]) -> tuple[dict[str, Any], float]:
    """Sync the one connection, and return its job and the seconds that it took."""
    service.configure(connections, None)
    connection = next(iter(service._connections.values()))
    started = time.perf_counter()
    job = service.start(connection)
    while not (ended := service._jobs.find(job.id)).status.is_final:  # type: ignore[union-attr]
        time.sleep(0.02)
    return ended.answer(time.time()), time.perf_counter() - started  # type: ignore[union-attr]


def main() -> int:
    """Print the figures; return 1 if one is worse than what is promised."""
    ours, theirs = multiprocessing.Pipe()
    api = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    api.start()
    LEFT_OUT.add(api.pid or 0)
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder)
        file = state / "manifest.yaml"
        file.write_text(json.dumps(manifest(ours.recv())))
        lake = S3Directory(state / "s3", state / "s3-meta")
        lake.create_bucket("bronze")
        service = AirbyteService(state, lake, lambda: "")
        environments = Environments(state / "airbyte" / "connectors" / "environments", os.environ)
        environments.of_file(project_file("requirements/cdk.txt"), time.sleep, print)
        before, installed = (
            resource.getrusage(resource.RUSAGE_SELF),
            resource.getrusage(resource.RUSAGE_CHILDREN),
        )
        installed_s = installed.ru_utime + installed.ru_stime
        streams = [f"ships{number}" for number in range(STREAMS)]
        source = {"kind": "airbyte", "manifest": str(file), "config": {}, "streams": streams}
        with peak() as highest:
            job, seconds = synced(service, [{"name": "b", "bucket": "bronze", "path": "b", "source": source}])
        service.close()
    api.terminate()
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    ours_s, theirs_s = (
        own.ru_utime + own.ru_stime - before.ru_utime - before.ru_stime,
        children.ru_utime + children.ru_stime,
    )
    rows = job.get("rowsSynced", 0)
    rate = rows / seconds
    print(
        f"{rows:,} records in {seconds:.1f} s, with check and discovery: {rate:,.0f} records/s; "
        f"peak {highest[0]:.0f} MB; processor seconds: server {ours_s:.1f}, connector {theirs_s - installed_s:.1f}"
    )
    return 0 if rows == ROWS and rate >= LEAST_RATE and highest[0] <= MOST_MB else 1


if __name__ == "__main__":
    sys.exit(main())
