"""An embedded Airbyte with a source whose connector does what a test says."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from support.airbyte_server import Server, connection
from support.tiny_connector import PACKAGE, stream


class ConnectorServer(Server):
    """The server, with a source `tiny` that does what a test says."""

    def run(self, script: list[Any], streams: list[Any] | None = None, **source: Any) -> dict[str, Any]:
        """Sync a source whose connector acts by the script, and return the job."""
        self.describe(script, streams, **source)
        return self.sync("tiny")

    def describe(self, script: list[Any], streams: list[Any] | None = None, **source: Any) -> None:
        """Describe the source to the server."""
        catalog = streams or [stream("ships")]
        config = {"script": script, "streams": catalog, **source.pop("config", {})}
        names = source.pop("names", [each["name"] for each in catalog])
        mode = source.pop("sync_mode", None)
        described = connection(
            "tiny", kind="airbyte", package=PACKAGE, config=config, streams=names, **source
        )
        self.configure({**described, "sync_mode": mode})

    def read(self, prefix: str = "tiny/ships/") -> list[dict[str, Any]]:
        """Return the rows of a stream's files."""
        keys = [key for key in self.files() if key.startswith(prefix)]
        return [row for key in keys for row in pq.read_table(self.lake.path("bronze", key)).to_pylist()]

    @property
    def log(self) -> str:
        """The connector's log."""
        return (self.state / "airbyte" / "connectors" / "logs" / "tiny.log").read_text()

    @property
    def private(self) -> list[Path]:
        """What is left of the private folders."""
        return list((self.state / "airbyte" / "connectors" / "private").glob("*"))


@contextmanager
def connector_server(folder: Path, environments: Path) -> Iterator[ConnectorServer]:
    """Yield a server that runs within the block and shares the environments of other tests."""
    connectors = folder / "airbyte" / "connectors"
    connectors.mkdir(parents=True)
    (connectors / "environments").symlink_to(environments)
    server = ConnectorServer(folder)
    server.start()
    server.sign_in()
    yield server
    server.stop()
