"""`source check` and `source discover` against an Airbyte of any version: what is compared, and how each fault ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import respx

from etltctl.connections import check_source, discover_source
from etltctl.errors import (
    AccessError,
    ConfigurationError,
    EtltctlError,
    ServiceError,
    UnreachableError,
    UsageError,
)
from etltctl.settings import Settings, load_settings

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
streams = ["ships", "ports"]
[sources.crm]
kind = "mongodb"
uri = "sample:"
database = "crm"
connection_id = "c"
collections = ["orders"]
[sources.made]
kind = "airbyte"
streams = ["ships"]
"""
MODES = ["full_refresh_append", "full_refresh_overwrite"]


def stream(name: str, **fields: Any) -> dict[str, Any]:
    return {"streamName": name, "syncModes": MODES, "propertyFields": [["id"]], **fields}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[respx.MockRouter]:
    monkeypatch.setenv("AIRBYTE_SECRET", "s3cret")
    with respx.mock(base_url=URL, assert_all_called=False) as router:
        router.post("/applications/token").respond(json={"access_token": "t", "expires_in": 900})
        connection = {"connectionId": "c", "name": "ships", "sourceId": "s", "destinationId": "d"}
        router.get("/connections/c").respond(json=connection)
        router.get("/sources/s").respond(json={"sourceId": "s", "name": "ships"})
        router.get("/streams").respond(json=[stream("lighthouses"), stream("ports"), stream("ships")])
        yield router


@pytest.fixture
def settings(tmp_path: Path, server: respx.MockRouter) -> Settings:
    return settings_of(tmp_path)


def settings_of(folder: Path, text: str = SETTINGS) -> Settings:
    (folder / "etltctl.toml").write_text(text)
    return load_settings(directory=folder, environ={}, env="aws", flags={"state": str(folder / "state")})


def fails(server: respx.MockRouter, settings: Settings, reason: str) -> EtltctlError:
    message = f"Something went wrong in the connector. logs:{reason}"
    server.get("/streams").respond(500, json={"status": 500, "data": {"message": message}})
    with pytest.raises(EtltctlError) as error:
        check_source("ships", settings)
    assert error.value.message.startswith("source ships ")
    assert reason in error.value.message
    assert "etltctl source check ships" in error.value.hint
    return error.value


def test_the_streams_are_marked_as_the_settings_select_them(settings: Settings) -> None:
    discovered = discover_source("ships", settings)
    assert [row[:2] for row in discovered.rows()] == [
        ("ports", "selected"),
        ("ships", "selected"),
        ("lighthouses", "available"),
    ]
    assert 'streams = ["ports", "ships", "lighthouses"]' in str(discovered.next_step())


def test_a_check_without_tried_credentials_says_so(settings: Settings) -> None:
    checked = check_source("ships", settings)
    assert not checked.was_checked
    assert "tries no credentials" in checked.sentence()
    assert checked.sentence().endswith("3 streams, 2 selected")


def test_a_check_with_tried_credentials_is_one_line(server: respx.MockRouter, settings: Settings) -> None:
    streams = [stream(name, etltctl_checked=True) for name in ("ships", "ports")]
    server.get("/streams").respond(json=streams)
    checked = check_source("ships", settings)
    assert checked.sentence() == "source ships can be reached with its credentials: 2 streams, 2 selected"
    assert str(checked.next_step()) == "every stream is selected. Next: etltctl sync ships"


def test_an_answer_without_streams_proves_no_credentials(
    server: respx.MockRouter, settings: Settings
) -> None:
    server.get("/streams").respond(json=[])
    discovered = discover_source("ships", settings)
    assert not discovered.was_checked
    assert [row[1] for row in discovered.rows()] == ["missing", "missing"]
    with pytest.raises(ConfigurationError) as error:
        check_source("ships", settings)
    assert error.value.problems[0] == "it has no stream ships; it has: none"


def test_a_selected_stream_that_is_missing_fails_the_check_with_the_nearest_name(
    server: respx.MockRouter, settings: Settings
) -> None:
    server.get("/streams").respond(json=[stream("ship"), stream("ports")])
    assert [row[:2] for row in discover_source("ships", settings).rows()] == [
        ("ports", "selected"),
        ("ship", "available"),
        ("ships", "missing"),
    ]
    with pytest.raises(ConfigurationError, match="can be reached, but") as error:
        check_source("ships", settings)
    assert error.value.problems == ("it has no stream ships, did you mean ship?",)
    assert str(error.value.next_step).endswith("etltctl source discover ships")


def test_a_stream_of_another_namespace_is_not_the_selected_one(
    server: respx.MockRouter, settings: Settings
) -> None:
    orders = stream("orders", streamnamespace="billing")
    server.get("/streams").respond(json=[orders])
    with pytest.raises(ConfigurationError) as error:
        check_source("crm", settings)
    assert error.value.problems == ('stream orders has the namespace "billing", and the settings name "crm"',)
    server.get("/streams").respond(json=[orders, {**orders, "streamnamespace": "crm"}])
    discovered = discover_source("crm", settings)
    assert [row[:2] for row in discovered.rows()] == [
        ("crm.orders", "selected"),
        ("billing.orders", "available"),
    ]
    assert discovered.setting == "collections"


def test_a_sync_mode_that_a_stream_does_not_offer_fails_the_check(
    server: respx.MockRouter,
    tmp_path: Path,
) -> None:
    text = SETTINGS.replace(
        'streams = ["ships", "ports"]', 'streams = ["ships"]\nsync_mode = "incremental_append"'
    )
    with pytest.raises(ConfigurationError) as error:
        check_source("ships", settings_of(tmp_path, text))
    assert error.value.problems == (
        'sources.ships.sync_mode is "incremental_append", and stream ships offers: '
        "full_refresh_append, full_refresh_overwrite",
    )


@pytest.mark.parametrize(
    ("reason", "kind", "code"),
    [
        ("Stream ships is not available: HTTP Status Code: 401. Error: Unauthorized.", AccessError, 4),
        ("MongoDB at h:27017 refused the user name and password", AccessError, 4),
        ("MongoDB at h:27017 cannot be reached: connection refused", UnreachableError, 1),
        ("HTTPConnectionPool(host='h'): Max retries exceeded: Connection refused", UnreachableError, 1),
        (
            "Validation against json schema defined in declarative_component_schema.yaml failed",
            ServiceError,
            1,
        ),
        ("something that is in no catalogue", ServiceError, 1),
    ],
)
def test_the_cause_of_a_connector_decides_the_exit_code(
    server: respx.MockRouter, settings: Settings, reason: str, kind: type[EtltctlError], code: int
) -> None:
    error = fails(server, settings, reason)
    assert type(error) is kind
    assert error.exit_code == code
    # The configuration is a copy that Airbyte has, so that correcting the settings is not enough.
    assert "etltctl connections apply" in error.hint


def test_an_older_airbyte_is_named(server: respx.MockRouter, settings: Settings) -> None:
    server.get("/streams").respond(404, json={"message": "Not Found"})
    with pytest.raises(
        ServiceError, match=r"airbyte.test has no call GET /streams, .*streams of ships"
    ) as error:
        check_source("ships", settings)
    assert "etltctl doctor airbyte" in error.value.hint


def test_an_unknown_source_is_refused_with_the_nearest_name(settings: Settings) -> None:
    with pytest.raises(UsageError, match="no source is called shpis") as error:
        check_source("shpis", settings)
    assert error.value.hint == "did you mean ships?"


def test_a_source_that_was_never_applied_names_the_command(settings: Settings) -> None:
    with pytest.raises(ConfigurationError, match="recorded no connection") as error:
        discover_source("made", settings)
    assert "etltctl connections apply" in error.value.hint


def test_a_connection_that_airbyte_no_longer_has_is_an_error_of_the_settings(
    server: respx.MockRouter, settings: Settings
) -> None:
    server.get("/connections/c").respond(404, json={"title": "resource-not-found"})
    with pytest.raises(ConfigurationError, match="/connections/c"):
        check_source("ships", settings)


def test_an_unset_secret_is_named_before_anything_is_sent(
    server: respx.MockRouter, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AIRBYTE_SECRET")
    with pytest.raises(ConfigurationError, match="nothing was sent") as error:
        check_source("ships", settings)
    assert "airbyte.client_secret is env:AIRBYTE_SECRET" in error.value.problems[0]
    assert not server.calls


def test_the_line_for_the_settings_stays_short(server: respx.MockRouter, settings: Settings) -> None:
    server.get("/streams").respond(json=[stream(f"stream_{number}") for number in range(300)])
    line = str(discover_source("ships", settings).next_step())
    assert line.endswith('"stream_19"]  # and 280 more')
