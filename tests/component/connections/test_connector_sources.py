"""`connections plan` and `apply` of sources of any connector."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from etltctl.connections import export_settings
from etltctl.errors import ConfigurationError
from support.airbyte_place import Place

MANIFEST: dict[str, Any] = {
    "type": "DeclarativeSource", "version": "6.60.0", "check": {"type": "CheckStream", "stream_names": ["ships"]},
    "streams": [{"type": "DeclarativeStream", "name": "ships"}],
    "spec": {"connection_specification": {"required": ["url"], "properties": {"pin": {"airbyte_secret": True}}}},
}  # fmt: skip


def ships(**source: Any) -> dict[str, Any]:
    return {"sources.ships": {"kind": "airbyte", "streams": ["ships"], **source}}


@pytest.fixture
def manifest(place: Place) -> Path:
    file = place.folder / "ships.yaml"
    file.write_text(json.dumps(MANIFEST))
    return file


def test_a_manifest_becomes_a_definition_with_its_source(
    place: Place, manifest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIN", "98765")
    flags = ships(
        manifest=str(manifest), config={"url": "http://host/", "pin": "env:PIN", "deep": {"n": [1]}}
    )
    place.apply(**flags)
    assert {"definition:ships", "source:ships", "connection:ships"} <= place.recorded().keys()
    shown = place.server.http.get("/sources").json()["data"]
    configuration = next(each["configuration"] for each in shown if each["name"].endswith("-ships"))
    assert configuration == {"url": "http://host/", "pin": "**********", "deep": {"n": [1]}}
    assert place.plan(**flags) == []
    monkeypatch.setenv("PIN", "12345")
    (change,) = place.plan(**flags)
    assert "configuration.pin" in change
    assert "12345" not in change


def test_a_package_is_refused_until_its_connection_is_named(place: Place) -> None:
    flags = ships(package="airbyte-source-faker==6.2.32")
    with pytest.raises(ConfigurationError) as raised:
        place.plan(**flags)
    assert "sources.ships runs the package airbyte-source-faker==6.2.32" in raised.value.message
    assert "set sources.ships.connection_id" in str(raised.value.hint)
    assert not any("ships" in change for change in place.plan(**ships(connection_id="11-22")))


def test_a_connection_of_any_connector_is_exported(place: Place, manifest: Path) -> None:
    place.apply(**ships(manifest=str(manifest), config={"url": "http://host/"}))
    exported = export_settings(place.settings())["sources"]["ships"]
    assert exported == {
        "kind": "airbyte", "streams": ["ships"], "connection_id": place.recorded()["connection:ships"],
        "sync_mode": "full_refresh_overwrite",
    }  # fmt: skip
