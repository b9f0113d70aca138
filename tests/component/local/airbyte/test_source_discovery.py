"""The embedded Airbyte lists what its extractors know: all collections of a database, all streams of the API."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pymongo
import pytest
import yaml

from etltctl.local.services.airbyte.connections import stable_id
from etltctl.local.services.airbyte.endpoints import ENDPOINTS
from etltctl.local.services.airbyte.mongodb import MongoProcess
from etltctl.local.services.airbyte.records import SyncError
from etltctl.local.services.airbyte.sources import Sources
from support.airbyte_server import Server, api, mongo
from support.made_resources import f1_connection

MANIFEST = Path(__file__).parents[4] / "connectors" / "source-f1" / "manifest.yaml"


def streams(server: Server, name: str) -> httpx.Response:
    ids = {"sourceId": stable_id("source", name), "destinationId": stable_id("destination", name)}
    return server.http.get("/streams", params=ids)


def reason(answer: httpx.Response) -> str:
    assert answer.status_code == 500, answer.text
    return str(answer.json()["data"]["message"])


def test_every_collection_of_the_database_is_listed_with_the_fields_of_its_documents(
    server: Server, process: MongoProcess, observations: Any
) -> None:
    uri = process.uri()
    with pymongo.MongoClient[dict[str, Any]](uri) as client:
        client["weather"]["stations"].insert_one({"_id": "a", "name": "Bariloche"})
    server.configure(mongo("mongodb", uri))
    by_name = {each["streamName"]: each for each in streams(server, "mongodb").json()}
    assert sorted(by_name) == ["observations", "stations"]
    stations = by_name["stations"]
    assert [path[0] for path in stations["propertyFields"]][:2] == ["_id", "name"]
    assert (stations["streamnamespace"], stations["sourceDefinedPrimaryKey"]) == ("weather", [["_id"]])
    assert "incremental_append" in stations["syncModes"]
    assert observations.count_documents({}) == 5


def test_the_sample_database_is_started_and_listed(server: Server) -> None:
    server.configure(mongo("sample", "sample:"))
    (observations,) = streams(server, "sample").json()
    assert observations["streamName"] == "observations"
    assert ["dt"] in observations["propertyFields"]


def test_a_database_that_does_not_answer_is_named_without_its_password(server: Server) -> None:
    words = reason(streams(server, "secret"))
    assert "MongoDB at 127.0.0.1:1 cannot be reached" in words
    assert "s3cret" not in words


def test_the_api_lists_every_stream_after_one_request(server: Server) -> None:
    answers = streams(server, "api").json()
    assert [each["streamName"] for each in answers] == list(ENDPOINTS)
    races = answers[0]
    assert ["season"] in races["propertyFields"]
    assert "incremental_append" in races["syncModes"]


def test_an_api_that_only_throttles_is_not_waited_for_like_a_sync(server: Server, tmp_path: Path) -> None:
    slept: list[float] = []
    sources = Sources(tmp_path / "sources", lambda: server.base_url)
    busy = api("busy", f"{server.base_url}/busy/ergast/f1")["source"]
    with pytest.raises(SyncError, match="its limit of requests is used up"):
        sources.discover(busy, slept.append, "busy")
    assert max(slept) < 30, "a sync waits for half an hour"


def test_an_address_of_another_api_is_named(server: Server) -> None:
    server.configure(api("odd", f"{server.base_url}/sample"))
    assert "/sample/seasons/" in reason(streams(server, "odd"))


def test_a_source_that_was_made_over_the_api_has_the_modes_of_its_manifest(server: Server) -> None:
    created = f1_connection(server, yaml.safe_load(MANIFEST.read_text()))
    ids = {"sourceId": created["sourceId"], "destinationId": created["destinationId"]}
    answers = server.http.get("/streams", params=ids).json()
    assert {each["streamName"] for each in answers} == set(ENDPOINTS)
    modes = {tuple(each["syncModes"]) for each in answers if each["streamName"] == "races"}
    assert modes == {("full_refresh_append", "full_refresh_overwrite")}
