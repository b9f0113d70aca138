"""Airbyte of an older and of a newer minor version: added, missing and null fields change nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from etltctl.airbyte import Airbyte
from etltctl.aws import Aws
from etltctl.connections import export_settings
from etltctl.runs import State, Verb
from etltctl.waiting import Waiter
from support.airbyte_place import Place, open_place

ADDED: dict[str, Any] = {"addedLater": {"list": [1, None, {"x": "y"}], "text": "z"}, "alsoAdded": None}
REQUIRED = {  # fields that every version returns
    "data", "jobId", "status", "connectionId", "sourceId", "destinationId", "workspaceId", "name", "id", "manifest",
    "configuration", "configurations", "streams", "schedule", "scheduleType", "sourceType", "destinationType",
    "definitionId", "access_token", "startTime", "syncMode", "namespaceDefinition",
}  # fmt: skip
# Null stands for Airbyte's own default, so the settings ask for it.
IGNORING = {f"sources__{source}__schema_changes": "ignore" for source in ("api", "mongodb")}
INSIDE = {"configuration", "manifest"}  # a setting of the connector, not of Airbyte


def newer(value: Any) -> Any:
    """Add unknown fields to every object."""
    if isinstance(value, list):
        return [newer(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {**{name: each if name in INSIDE else newer(each) for name, each in value.items()}, **ADDED}


def older(value: Any) -> Any:
    """Set every optional field to null."""
    if isinstance(value, list):
        return [older(each) for each in value]
    if not isinstance(value, dict):
        return value
    kept = {name: each if name in INSIDE else older(each) for name, each in value.items() if name in REQUIRED}
    defaults = {"status", "schedule"} & value.keys()
    return {**dict.fromkeys(value.keys() - REQUIRED), **kept, **{name: value[name] for name in defaults}}


@pytest.fixture(params=[newer, older])
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[Place]:
    with open_place(tmp_path, monkeypatch) as opened:
        opened.server.version = request.param
        yield opened


def airbyte(place: Place) -> Airbyte:
    return Airbyte.from_settings(place.settings(), Aws().reveal)


def test_connections_are_created_changed_and_exported(place: Place) -> None:
    place.apply(**IGNORING)
    assert place.plan(**IGNORING) == []
    changed = {**IGNORING, "sources__api__sync_mode": "full_refresh_append"}
    place.apply(yes=True, **changed)
    assert place.plan(**changed) == []
    # A list of streams replaces the old one, so fields that a newer Airbyte set on a stream are sent back with it.
    assert ("addedLater" in str(place.server.exchanges)) is (place.server.version is newer)
    place.server.exchanges.clear()
    exported = export_settings(place.settings())
    assert exported["left_out"] == {}
    assert exported["sources"].keys() == {"mongodb", "api"}


def test_a_sync_is_started_polled_and_adopted(place: Place) -> None:
    place.apply(**IGNORING)
    client, connection = airbyte(place), place.recorded()["connection:api"]
    verb, job, _ = client.start_or_adopt(connection, "api")
    assert verb is Verb.STARTED
    ended = Waiter(timeout=60, longest=0.1).wait(job, lambda: client.poll(job.id, "api"))
    assert ended.state is State.SUCCEEDED
    assert client.start_or_adopt(connection, "api", known_job=job.id)[0] is Verb.REUSED
    assert client.connection(connection)["name"] == "pi-m3-api"


def unknown_fields(names: dict[str, str]) -> Callable[[Any], Any]:
    def translate(value: Any) -> Any:
        if isinstance(value, list):
            return [translate(each) for each in value]
        if not isinstance(value, dict):
            return value
        return {name: names.get(name, translate(each)) for name, each in value.items()}

    return translate


@pytest.mark.parametrize(
    "names",
    [
        {"syncMode": "incremental_merge"},
        {"scheduleType": "event"},
        {"status": "paused_by_policy"},
        {"nonBreakingSchemaUpdatesBehavior": "ask_somebody"},
        {"namespaceDefinition": "by_stream"},
    ],
)
def test_an_unknown_value_is_shown_as_a_difference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: dict[str, str]
) -> None:
    with open_place(tmp_path, monkeypatch) as place:
        place.apply()
        place.server.version = unknown_fields(names)
        (value,) = names.values()
        planned = place.plan()
        assert len(planned) == 2
        assert all(f"{value} → " in change for change in planned)
        assert export_settings(place.settings())["sources"].keys() == {"mongodb", "api"}


def test_an_unknown_job_status_counts_as_running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_place(tmp_path, monkeypatch) as place:
        place.apply()
        place.server.version = unknown_fields({"status": "warming_up", "jobType": "rewind"})
        _, job, _ = airbyte(place).start_or_adopt(place.recorded()["connection:api"], "api")
        assert (job.status, job.state) == ("warming_up", State.RUNNING)
        place.server.wait(int(job.id))
