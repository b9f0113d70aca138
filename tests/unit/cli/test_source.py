"""`source check` and `source discover` as commands: what they print, and how they exit."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import respx

from support.commands import exit_code_of

URL = "https://airbyte.test/v1"
SETTINGS = f"""
project = "harbour"
default_env = "aws"
[airbyte]
url = "{URL}"
client_id = "id"
client_secret = "env:AIRBYTE_SECRET"
[sources.ships]
kind = "airbyte"
connection_id = "c"
streams = ["ships"]
"""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[respx.MockRouter]:
    (tmp_path / "etltctl.toml").write_text(SETTINGS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AIRBYTE_SECRET", "s3cret")
    monkeypatch.setenv("ETLTCTL_STATE_DIR", str(tmp_path / "state"))
    with respx.mock(base_url=URL, assert_all_called=False) as router:
        router.post("/applications/token").respond(json={"access_token": "t", "expires_in": 900})
        connection = {"connectionId": "c", "name": "ships", "sourceId": "s", "destinationId": "d"}
        router.get("/connections/c").respond(json=connection)
        streams = [
            {"streamName": name, "syncModes": ["full_refresh_overwrite"], "propertyFields": [["id"], ["at"]]}
            for name in ("ports", "ships")
        ]
        router.get("/streams").respond(json=streams)
        yield router


@pytest.mark.usefixtures("server")
def test_a_check_prints_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of("source", "check", "ships") == 0
    out = capsys.readouterr().out.splitlines()
    assert len(out) == 1
    assert out[0].startswith("source ships is listed by its connector; ")
    assert exit_code_of("source", "check", "ships", "-o", "json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document == {
        "schema": "etltctl.source-check/1",
        "source": "ships",
        "credentials_checked": False,
        "streams": ["ships", "ports"],
        "selected": ["ships"],
    }


@pytest.mark.usefixtures("server")
def test_discover_prints_a_row_a_stream_and_the_line_for_the_settings(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert exit_code_of("source", "discover", "ships") == 0
    printed = capsys.readouterr()
    assert [line.split() for line in printed.out.splitlines()[2:]] == [
        ["ships", "selected", "full_refresh_overwrite", "2"],
        ["ports", "available", "full_refresh_overwrite", "2"],
    ]
    assert 'in [sources.ships] of etltctl.toml, then sync: streams = ["ships", "ports"]' in printed.err
    assert exit_code_of("source", "discover", "ships", "-o", "json") == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [(row["stream"], row["status"], row["fields"]) for row in rows] == [
        ("ships", "selected", 2),
        ("ports", "available", 2),
    ]


def test_each_fault_has_its_exit_code(
    server: respx.MockRouter, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert exit_code_of("source", "check", "shipz") == 2
    assert "etltctl source check ships" in capsys.readouterr().err
    refused = "Something went wrong in the connector. logs:HTTP Status Code: 401. Error: Unauthorized."
    server.get("/streams").respond(500, json={"status": 500, "data": {"message": refused}})
    assert exit_code_of("source", "check", "ships") == 4
    assert "error: source ships refused its credentials: HTTP Status Code: 401" in capsys.readouterr().err
    monkeypatch.delenv("AIRBYTE_SECRET")
    assert exit_code_of("source", "discover", "ships") == 3
    assert "AIRBYTE_SECRET is not set" in capsys.readouterr().err
