"""The seasons of a source that the stack describes: changed over the API, kept while the description stays the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from etltctl.local.services.airbyte.connections import stable_id
from support.airbyte_server import Server, api, mongo

SOURCE = f"/sources/{stable_id('source', 'f1')}"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    server.start()
    server.configure(described(server), mongo("weather", "sample:"))
    server.sign_in()
    yield server
    server.stop()


def described(server: Server) -> dict[str, Any]:
    return api("f1", f"{server.base_url}/sample/ergast/f1", "races")


def change(server: Server, seasons: Any, source: str = SOURCE) -> int:
    return server.http.patch(source, json={"configuration": {"seasons": seasons}}).status_code


def shown(server: Server) -> Any:
    return server.http.get(SOURCE).json()["configuration"]["seasons"]


def test_a_change_is_shown_and_outlives_the_same_description(server: Server) -> None:
    assert change(server, [2098]) == 200
    server.configure(described(server))
    assert shown(server) == [2098]
    assert change(server, []) == 200
    assert shown(server) == "all"


def test_other_seasons_in_the_settings_end_a_change(server: Server) -> None:
    change(server, [2098])
    other = described(server)
    other["source"]["seasons"] = [2099, 2100]
    server.configure(other)
    assert shown(server) == [2099, 2100]


def test_nothing_else_of_a_described_source_is_changed(server: Server) -> None:
    assert (
        server.http.patch(SOURCE, json={"configuration": {"base_url": "https://x.test"}}).status_code == 403
    )
    assert server.http.patch(SOURCE, json={"name": "other"}).status_code == 403
    assert change(server, [2098], f"/sources/{stable_id('source', 'weather')}") == 403
    assert (change(server, "2098"), change(server, ["2098"])) == (422, 422)
    assert shown(server) == [2099]
