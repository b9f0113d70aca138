"""The embedded Airbyte, its samples and an API that only throttles, served in this process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pyarrow.parquet as pq
from werkzeug.serving import WSGIRequestHandler, make_server

from etltctl.local.samples import Throttle, sample_app
from etltctl.local.services.airbyte.service import AirbyteService
from etltctl.local.services.s3.directory import S3Directory
from support.exchanges import Exchange, recorded, translated, violations

END_S = 900.0  # the first sync of a connector makes its environment, which is slow on a busy machine


def connection(name: str, **source: Any) -> dict[str, Any]:
    return {"name": name, "bucket": "bronze", "path": name, "source": source}


def mongo(name: str, uri: str) -> dict[str, Any]:
    return connection(name, kind="mongodb", uri=uri, database="weather", collections=["observations"])


def api(name: str, base_url: str, *streams: str) -> dict[str, Any]:
    return connection(name, kind="http", base_url=base_url, seasons=[2099], rate="", streams=list(streams))


@dataclass
class Server:
    """A server as commands use it: the Airbyte API, the samples, and an API that only throttles."""

    state: Path
    base_url: str = ""
    now: Callable[[], float] = time.time
    ids: dict[str, str] = field(default_factory=dict)
    exchanges: list[Exchange] = field(default_factory=list)
    version: Callable[[Any], Any] | None = None  # rewrites answers as another Airbyte version would give them

    def start(self) -> None:
        self.lake = S3Directory(self.state / "s3", self.state / "s3-meta")
        self.lake.create_bucket("bronze")
        self.service = AirbyteService(
            self.state,
            self.lake,
            lambda: self.base_url,
            clock=lambda: self.now(),
        )
        routes = {
            "/airbyte/v1": translated(recorded(self.service.wsgi_app, self.exchanges), lambda: self.version),
            "/sample": sample_app(lambda: self.service.data_pack),
            "/busy": sample_app(lambda: None, Throttle(0)),
        }

        def app(environ: Any, start_response: Any) -> Any:
            prefix = next(each for each in routes if environ["PATH_INFO"].startswith(each))
            inner = {
                **environ,
                "SCRIPT_NAME": prefix,
                "PATH_INFO": environ["PATH_INFO"].removeprefix(prefix),
            }
            return routes[prefix](inner, start_response)

        self._server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
        self.base_url = f"http://127.0.0.1:{self._server.port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self.http = httpx.Client(base_url=f"{self.base_url}/airbyte/v1", timeout=END_S, trust_env=False)

    def configure(self, *connections: dict[str, Any], data_pack: str | None = None) -> dict[str, str]:
        self.ids = self.service.configure(connections, data_pack)
        return self.ids

    def stop(self) -> None:
        self.http.close()
        self.service.close()
        self._server.shutdown()
        self._server.server_close()
        unpublished = violations(self.exchanges)
        assert not unpublished, "\n".join(unpublished[:20])

    def sign_in(self) -> None:
        body = {"client_id": self.service.client_id, "client_secret": self.service.client_secret}
        token = self.http.post("/applications/token", json=body).json()["access_token"]
        self.http.headers["Authorization"] = f"Bearer {token}"

    def sync(self, name: str) -> dict[str, Any]:
        started = self.http.post("/jobs", json={"connectionId": self.ids[name], "jobType": "sync"}).json()
        return self.wait(started["jobId"])

    def wait(self, job_id: int) -> dict[str, Any]:
        deadline = time.monotonic() + END_S
        while time.monotonic() < deadline:
            job: dict[str, Any] = self.http.get(f"/jobs/{job_id}").json()
            if job["status"] not in ("pending", "running"):
                return job
            time.sleep(0.01)
        raise AssertionError(f"job {job_id} did not end: {job}")

    def files(self) -> list[str]:
        return [each.key for each in self.lake.list_objects("bronze")]

    def rows(self, prefix: str) -> int:
        keys = [key for key in self.files() if key.startswith(prefix)]
        return sum(pq.ParquetFile(self.lake.path("bronze", key)).metadata.num_rows for key in keys)


class Quiet(WSGIRequestHandler):
    """A request handler that logs nothing."""

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002
        """Log nothing."""
