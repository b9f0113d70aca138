"""The witness of Airbyte's calls: only deviations from the published API are named."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from etltctl.airbyte import Airbyte
from etltctl.aws import Aws
from etltctl.connections import apply_plan, export_settings
from etltctl.local.witness.airbyte import check_airbyte
from support.airbyte_place import open_place
from support.exchanges import violations

JOB: dict[str, Any] = {
    "jobId": 7, "status": "running", "jobType": "sync", "connectionId": "c", "startTime": "2026-01-02T03:04Z",
}  # fmt: skip
START = {"connectionId": "c", "jobType": "sync"}
STREAM = {"name": "races", "selectedFields": []}
CONNECTION: dict[str, Any] = {
    "connectionId": "c", "name": "lake", "sourceId": "s", "destinationId": "d", "workspaceId": "w",
    "status": "active", "schedule": {"scheduleType": "manual"}, "configurations": {"streams": [STREAM]},
    "createdAt": 1, "tags": [],
}  # fmt: skip
SOURCE: dict[str, Any] = {
    "sourceId": "s", "name": "mongo", "sourceType": "mongodb-v2", "definitionId": "d", "workspaceId": "w",
    "createdAt": 1,
    "configuration": {"database_config": {
        "cluster_type": "SELF_MANAGED_REPLICA_SET", "connection_string": "***", "databases": ["weather"],
    }},
}  # fmt: skip
MADE = {"name": "mongo", "workspaceId": "w", "configuration": SOURCE["configuration"]}


@pytest.mark.parametrize("base", ["", "/v1", "/api/public/v1", "http://h:1/airbyte/v1"])
def test_a_published_call_is_not_a_violation_under_any_base(base: str) -> None:
    assert check_airbyte("POST", f"{base}/jobs", START, 200, {**JOB, "etltctl_failure": {"kind": "x"}}) == []
    assert (
        check_airbyte("GET", f"{base}/jobs?limit=1&orderBy=x", None, 200, {"data": [JOB], "next": ""}) == []
    )
    assert check_airbyte("GET", f"{base}/connections/c", None, 200, CONNECTION) == []
    assert check_airbyte("DELETE", f"{base}/connections/c", None, 204, None) == []
    assert check_airbyte("GET", f"{base}/sources/s", None, 200, SOURCE) == []
    assert check_airbyte("GET", f"{base}/health", None, 200, "Successful operation") == []


VIOLATIONS: dict[str, tuple[tuple[str, str, Any, int, Any], str]] = {
    "a missing field": (("GET", "jobs/7", None, 200, {**JOB, "startTime": None}), "answer startTime: "),
    "a field of another type": (("GET", "jobs/7", None, 200, {**JOB, "jobId": "7"}), "answer jobId: "),
    "a value that is not in an enum": (("GET", "jobs/7", None, 200, {**JOB, "status": "asleep"}), "answer status: "),
    "an unknown field": (("GET", "jobs/7", None, 200, {**JOB, "rows": 1}), "answer rows: is not in the published API"),
    "an unknown field inside": (
        ("PATCH", "connections/c", {"configurations": {"streams": [{"name": "a", "mode": 1}]}}, 200, CONNECTION),
        "request configurations.streams.0.mode: is not in the published API",
    ),
    "an unknown field in a list": (("GET", "jobs", None, 200, {"data": [{**JOB, "x": 1}]}), "answer data.0.x: "),
    "an answer that is not a list": (("GET", "jobs", None, 200, [JOB]), "answer is not an object with the list data"),
    "an unknown parameter": (
        ("GET", "workspaces/w/definitions/declarative_sources?limit=9", None, 200, {"data": []}),
        "request has the unknown parameter limit",
    ),
    "a request without its field": (("POST", "jobs", {"connectionId": "c"}, 200, JOB), "request jobType: "),
    "a request without its body": (("POST", "jobs", None, 200, JOB), "request body: "),
    "a connector without a type": (
        ("POST", "sources", MADE, 200, SOURCE), "request has neither configuration.sourceType nor definitionId",
    ),
    "a connector's missing setting": (
        ("GET", "sources/s", None, 200, {**SOURCE, "configuration": {"database_config": {
            "cluster_type": "SELF_MANAGED_REPLICA_SET", "connection_string": "***"}}}),
        "answer configuration.database_config.SELF_MANAGED_REPLICA_SET.databases: ",
    ),
    "a connector that is unknown": (
        ("GET", "sources/s", None, 200, {**SOURCE, "sourceType": "no-such"}), "answer configuration: the published API",
    ),
    "an answer where none is published": (("DELETE", "sources/s", None, 200, {"a": 1}), "answer has a body"),
    "a call that is not published": (("GET", "jobs/7/logs", None, 200, {}), "GET /jobs/7/logs is not a call"),
}  # fmt: skip


@pytest.mark.parametrize("case", VIOLATIONS)
def test_an_unpublished_call_is_named(case: str) -> None:
    exchange, words = VIOLATIONS[case]
    violations = check_airbyte(*exchange)
    assert len(violations) == 1
    assert violations[0].startswith(words)


def test_a_change_of_a_source_may_omit_unchanged_fields() -> None:
    body = {"configuration": {"sourceType": "mongodb-v2"}}
    assert check_airbyte("PATCH", "sources/s", body, 200, SOURCE) == []


@pytest.mark.parametrize("status", [400, 409, 422, 500, 503])
def test_a_refused_call_may_be_wrong_on_purpose(status: int) -> None:
    assert check_airbyte("POST", "jobs", {"wrong": 1}, status, {"also": "wrong"}) == []


def test_every_call_of_etltctl_and_every_answer_of_the_embedded_airbyte_is_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_spec("airbyte_api"), "without Airbyte's SDK nothing is checked"
    with open_place(tmp_path, monkeypatch) as place:
        place.apply()
        place.apply(yes=True, sources__api__streams=["laps"], sources__api__seasons=[2099])
        export_settings(place.settings())
        client, connection = (
            Airbyte.from_settings(place.settings(), Aws().reveal),
            place.recorded()["connection:api"],
        )
        _, job, _ = client.start_or_adopt(connection, "api")
        client.cancel(job)
        client.connection(connection)
        client.destination(place.recorded()["destination:api"])
        settings = place.settings()
        apply_plan(settings.model_copy(update={"sources": {}}), confirm=lambda plan: True)
        exchanges = list(place.server.exchanges)
    assert violations(exchanges) == []
    met = {f"{each.method} {re.sub('/[0-9a-f-]{36}|/[0-9]+', '/ID', each.path).partition('?')[0]}"
           for each in exchanges if each.status < 300}  # fmt: skip
    definitions = "/workspaces/ID/definitions/declarative_sources"
    assert met >= {
        "GET /workspaces", "GET /sources", "GET /destinations", "GET /connections", f"GET {definitions}",
        "POST /sources", "POST /destinations", "POST /connections", f"POST {definitions}",
        "PATCH /sources/ID", "PATCH /connections/ID", "GET /connections/ID", "GET /destinations/ID",
        "DELETE /sources/ID", "DELETE /destinations/ID", "DELETE /connections/ID", f"DELETE {definitions}/ID",
        "GET /jobs", "POST /jobs", "GET /jobs/ID", "DELETE /jobs/ID",
    }  # fmt: skip
