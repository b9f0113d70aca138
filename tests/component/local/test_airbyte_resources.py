"""The embedded Airbyte's resources over the wire: created, changed, masked, refused and run as by the public API."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from etltctl.local.services.airbyte.connections import WORKSPACE_ID
from support.airbyte_server import Server, api
from support.made_resources import (
    BRONZE,
    DEFINITIONS,
    MANIFEST,
    MONGODB,
    OF_FORMULA_1,
    create,
    f1_connection,
    refused,
    sync,
)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    running = Server(tmp_path)
    running.start()
    running.configure(api("api", "sample:", "races"))
    running.sign_in()
    yield running
    running.stop()


def test_secrets_are_masked_on_read_and_a_mask_sent_back_keeps_them(server: Server) -> None:
    source = create(server, "/sources", MONGODB)
    shown = source["configuration"]["database_config"]
    assert (shown["username"], shown["password"]) == ("me", "**********")
    assert "s3cret" not in server.http.get("/sources").text
    path = f"/sources/{source['sourceId']}"
    patch = {"configuration": {"database_config": {**shown, "auth_source": "admin"}}}
    changed = server.http.patch(path, json=patch).json()
    assert changed["configuration"]["database_config"]["auth_source"] == "admin"
    kept = json.loads((server.state / "airbyte" / "resources.json").read_text())
    assert kept["sources"][source["sourceId"]]["configuration"]["database_config"]["password"] == "s3cret"


def test_an_address_with_a_password_and_secret_fields_of_a_manifest_are_masked(server: Server) -> None:
    body = json.loads(json.dumps(MONGODB))
    body["configuration"]["database_config"]["connection_string"] = "mongodb://me:s3cret@h/"
    create(server, "/sources", body)
    f1_connection(server)
    assert "s3cret" not in server.http.get("/sources").text + server.http.get("/destinations").text


def test_secrets_at_any_depth_of_a_specification_are_masked_and_kept(server: Server) -> None:
    secret = {"type": "string", "airbyte_secret": True}
    properties = {
        "credentials": {
            "oneOf": [
                {"properties": {"client_id": {}, "client_secret": secret}},
                {"properties": {"pin": secret}},
            ]
        },
        "accounts": {"type": "array", "items": {"properties": {"name": {}, "pin": secret}}},
    }
    spec = {"connection_specification": {"properties": properties}}
    definition = create(server, DEFINITIONS, {"name": "deep", "manifest": {**MANIFEST, "spec": spec}})
    configuration = {
        "credentials": {"client_id": "me", "client_secret": "s3cret-1"},
        "accounts": [{"name": "a", "pin": "s3cret-2"}, {"name": "b", "pin": "s3cret-3"}],
    }
    body = {"name": "deep", "workspaceId": WORKSPACE_ID, "definitionId": definition["id"]}
    source = create(server, "/sources", {**body, "configuration": configuration})
    path = f"/sources/{source['sourceId']}"
    shown = server.http.get(path).json()["configuration"]
    assert shown == {
        "credentials": {"client_id": "me", "client_secret": "**********"},
        "accounts": [{"name": "a", "pin": "**********"}, {"name": "b", "pin": "**********"}],
    }
    assert "s3cret" not in server.http.get("/sources").text
    assert server.http.patch(path, json={"configuration": shown}).json()["configuration"] == shown
    kept = json.loads((server.state / "airbyte" / "resources.json").read_text())
    assert kept["sources"][source["sourceId"]]["configuration"] == configuration


def test_created_resources_survive_a_restart_in_a_file_that_only_the_owner_may_read(server: Server) -> None:
    connection = f1_connection(server)
    file = server.state / "airbyte" / "resources.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    server.stop()
    server.start()
    server.sign_in()
    path = f"/connections/{connection['connectionId']}"
    assert server.http.get(path).json() == connection
    server.configure(api("other", "sample:"))
    assert server.http.get(path).status_code == 200, "the settings' own connections come and go next to it"


def test_a_connection_made_over_the_api_really_syncs(server: Server) -> None:
    # Every stream of the Formula 1 API: the embedded extractor reads such a source itself.
    connection = f1_connection(server, manifest=OF_FORMULA_1)
    job = sync(server, connection["connectionId"])
    assert (job["status"], job["rowsSynced"]) == ("succeeded", 19)
    assert (server.rows("f1/races/"), server.rows("f1/results/")) == (9, 10)


def test_an_append_stream_keeps_what_earlier_syncs_wrote(server: Server) -> None:
    streams = [{"name": "races", "syncMode": "full_refresh_append"}, {"name": "results"}]
    connection = f1_connection(server, manifest=OF_FORMULA_1, configurations={"streams": streams})
    for _ in range(2):
        assert sync(server, connection["connectionId"])["status"] == "succeeded"
    assert (server.rows("f1/races/"), server.rows("f1/results/")) == (18, 10)


def test_an_inactive_connection_does_not_sync(server: Server) -> None:
    connection = f1_connection(server)
    path = f"/connections/{connection['connectionId']}"
    assert server.http.patch(path, json={"status": "inactive"}).json()["status"] == "inactive"
    body = {"connectionId": connection["connectionId"], "jobType": "sync"}
    assert refused(server, "POST", "/jobs", body).startswith("409 state-conflict")


def test_names_are_not_unique_and_lists_have_pages(server: Server) -> None:
    for _ in range(2):
        create(server, "/sources", MONGODB)
    first = server.http.get("/sources", params={"limit": 2, "workspaceIds": WORKSPACE_ID}).json()
    rest = server.http.get("/sources", params={"limit": 2, "offset": 2}).json()
    assert [each["name"] for each in first["data"] + rest["data"]] == ["api", "mine", "mine"]
    assert server.http.get("/sources", params={"workspaceIds": "another"}).json()["data"] == []


def test_a_deleted_source_takes_its_connections_along(server: Server) -> None:
    connection = f1_connection(server)
    answer = server.http.delete(f"/sources/{connection['sourceId']}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert server.http.get(f"/connections/{connection['connectionId']}").status_code == 404


def test_a_manifest_gets_a_new_version_and_one_in_use_is_not_deleted(server: Server) -> None:
    f1_connection(server)
    (definition,) = server.http.get(DEFINITIONS).json()["data"]
    path = f"{DEFINITIONS}/{definition['id']}"
    changed = {**MANIFEST, "streams": [{"name": "races"}]}
    assert server.http.put(path, json={"manifest": changed}).json()["version"] == 2
    assert server.http.get(path).json()["manifest"] == changed
    assert refused(server, "DELETE", path).startswith("409 state-conflict")


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("id", [["id"]]),
        (["a", "b"], [["a"], ["b"]]),
        ([["a", "b"], ["c"]], [["a", "b"], ["c"]]),
        (5, []),
        ([5], []),
    ],
)
def test_a_stream_has_the_primary_key_of_its_manifest(
    server: Server, key: Any, shown: list[list[str]]
) -> None:
    streams = [{"name": "races", "primary_key": key}, {"name": "results"}]
    connection = f1_connection(server, manifest={**MANIFEST, "streams": streams})
    assert connection["configurations"]["streams"][0]["primaryKey"] == shown


def test_definitions_are_listed_completely_with_any_limit(server: Server) -> None:
    for number in range(3):
        create(server, DEFINITIONS, {"name": f"f{number}", "manifest": MANIFEST})
    for query in ({}, {"limit": 1}, {"limit": 100, "offset": 100}, {"limit": "x"}):
        answer = server.http.get(DEFINITIONS, params=query).json()
        assert [each["name"] for each in answer["data"]] == ["f0", "f1", "f2"]
    server.exchanges.clear()  # the published API has no such parameters


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"type": "Source"}, "not of type DeclarativeSource"),
        ({"streams": []}, "has no streams"),
        ({"streams": 5}, "streams are not a list"),
        ({"check": None}, "has no check"),
        ({"streams": [{"type": "DeclarativeStream"}]}, "has no name"),
    ],
)
def test_an_invalid_manifest_is_refused(server: Server, change: dict[str, Any], words: str) -> None:
    message = refused(server, "POST", DEFINITIONS, {"name": "f1", "manifest": {**MANIFEST, **change}})
    assert message.startswith("422 unprocessable-entity")
    assert words in message


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"cluster_type": "STANDALONE"}, "database_config.cluster_type"),
        ({"connection_string": "postgres://h"}, "database_config.connection_string"),
        ({"databases": []}, "database_config.databases"),
        ({"cluster_type": "ATLAS_REPLICA_SET", "password": ""}, "database_config.password"),
        ({"schema_enforced": False}, "not modelled"),
    ],
)
def test_an_impossible_source_is_refused(server: Server, change: dict[str, Any], words: str) -> None:
    database = MONGODB["configuration"]["database_config"] | change
    body = {**MONGODB, "configuration": {"sourceType": "mongodb-v2", "database_config": database}}
    assert words in refused(server, "POST", "/sources", body)
    assert len(server.http.get("/sources").json()["data"]) == 1


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("/sources", {"name": "x", "workspaceId": WORKSPACE_ID}, "422 unprocessable-entity"),
        ("/sources", {**MONGODB, "configuration": "text"}, "not an object"),
        ("/sources", {**MONGODB, "workspaceId": "another"}, "404 resource-not-found"),
        ("/sources", {**MONGODB, "configuration": {"sourceType": "postgres"}}, "'postgres'"),
        ("/destinations", {**BRONZE, "configuration": {"destinationType": "s3"}}, "s3_bucket_name"),
        ("/connections", {"sourceId": "x", "destinationId": "y"}, '"resourceType": "source"'),
        (DEFINITIONS, {"name": "x", "manifest": "text"}, "not of type DeclarativeSource"),
    ],
)
def test_an_impossible_body_is_a_problem(server: Server, path: str, body: Any, words: str) -> None:
    assert words in refused(server, "POST", path, body)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"configurations": {"streams": [{"name": "lapz"}]}}, "No streams found with name [lapz]"),
        (
            {"configurations": {"streams": [{"name": "races", "syncMode": "incremental_append"}]}},
            "Cannot set sync mode to incremental_append for stream races.",
        ),
        ({"configurations": {"streams": ["races"]}}, "objects with a name"),
        ({"schedule": {"scheduleType": "basic"}}, "manual or cron"),
        ({"schedule": {"scheduleType": "cron", "cronExpression": "0 3 * * *"}}, "Quartz"),
        ({"status": "asleep"}, "status"),
        ({"namespaceDefinition": "destination"}, "namespaceDefinition"),
    ],
)
def test_an_impossible_change_of_a_connection_is_refused_and_changes_nothing(
    server: Server, change: dict[str, Any], words: str
) -> None:
    connection = f1_connection(server)
    path = f"/connections/{connection['connectionId']}"
    assert words in refused(server, "PATCH", path, change)
    assert server.http.get(path).json() == connection


def test_resources_of_the_settings_cannot_be_changed_over_the_api(server: Server) -> None:
    (provisioned,) = server.http.get("/connections").json()["data"]
    for kind in ("connection", "source", "destination"):
        path = f"/{kind}s/{provisioned[f'{kind}Id']}"
        assert refused(server, "PATCH", path, {"name": "x"}).startswith("403 forbidden")
        assert refused(server, "DELETE", path).startswith("403 forbidden")
