"""An embedded Airbyte with a settings folder, for tests of `connections plan` and `apply`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from etltctl.connections import apply_plan, make_plan
from etltctl.plans import lines
from etltctl.settings import Settings, load_settings
from support.airbyte_server import Server

SECRET = "s3cret-of-mongodb"


class Place:
    """An Airbyte and a folder with settings for it."""

    def __init__(self, server: Server, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.server = server
        self.folder = folder
        monkeypatch.setenv("MONGO", f"mongodb://me:{SECRET}@127.0.0.1:1/?replicaSet=rs0")
        monkeypatch.delenv("AIRBYTE_API_CONNECTION_ID", raising=False)
        monkeypatch.delenv("AIRBYTE_MONGODB_CONNECTION_ID", raising=False)

    def settings(self, **flags: Any) -> Settings:
        fixed = {
            "state": str(self.folder / "state"),
            "airbyte.url": f"{self.server.base_url}/airbyte/v1",
            "airbyte.client_id": self.server.service.client_id,
            "airbyte.client_secret": self.server.service.client_secret,
            "lake.bronze": "s3://bronze",
            "sources.mongodb.uri": "env:MONGO",
        }
        overrides = {name.replace("__", "."): value for name, value in flags.items()}
        return load_settings(flags=fixed | overrides, env="local", environ={}, directory=self.folder)

    def plan(self, **flags: Any) -> list[str]:
        return ["\n".join(lines([change])).strip() for change in make_plan(self.settings(**flags)).changes]

    def apply(self, *, yes: bool = False, **flags: Any) -> None:
        apply_plan(self.settings(**flags), confirm=lambda plan: yes)

    def recorded(self) -> dict[str, str]:
        file = self.folder / "state" / "connections" / "local.ndjson"
        return {entry["key"]: entry["id"] for entry in map(json.loads, file.read_text().splitlines())}


@contextmanager
def open_place(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    server = Server(folder / "server")
    server.start()
    server.sign_in()
    yield Place(server, folder, monkeypatch)
    server.stop()
