"""Tokens of the embedded Airbyte: issued, needed, expired, forged."""

from __future__ import annotations

import stat
import time

import pytest

from etltctl.local.services.airbyte.service import AirbyteService
from support.airbyte_server import Server


def test_a_token_is_issued_for_json_and_forms_and_each_spelling_of_the_grant_type(server: Server) -> None:
    body = {"client_id": server.service.client_id, "client_secret": server.service.client_secret}
    grants: list[dict[str, str]] = [
        {},
        {"grant-type": "client_credentials"},
        {"grant_type": "client_credentials"},
    ]
    for grant in grants:
        for request in ({"json": body | grant}, {"data": body | grant}):
            answer = server.http.post("/applications/token", **request).json()
            assert (answer["token_type"], answer["expires_in"]) == ("Bearer", 900)
            assert answer["access_token"].count(".") == 2


def test_wrong_credentials_are_refused_in_the_frameworks_own_shape(server: Server) -> None:
    response = server.http.post("/applications/token", json={"client_id": "me", "client_secret": "no"})
    assert response.status_code == 400
    assert response.json()["_embedded"] == {"errors": [{"message": "Invalid client id or token"}]}


@pytest.mark.parametrize(
    "header", [{}, {"Authorization": "Bearer nonsense"}, {"Authorization": "Basic eDp5"}]
)
def test_every_call_but_token_and_health_needs_a_token(server: Server, header: dict[str, str]) -> None:
    del server.http.headers["Authorization"]
    assert server.http.get("/health").text == "Successful operation"
    for path in ("/jobs", "/jobs/1", "/connections", "/sources", "/nothing"):
        response = server.http.get(path, headers=header)
        assert (response.status_code, response.json()["title"]) == (401, "invalid-api-key")
        assert response.headers["Content-Type"] == "application/json"


def test_a_token_expires_after_900_seconds(server: Server) -> None:
    issued = time.time()
    server.now = lambda: issued + 895
    assert server.http.get("/jobs").status_code == 200
    server.now = lambda: issued + 901
    assert server.http.get("/jobs").status_code == 401


def test_a_token_that_was_changed_is_refused(server: Server) -> None:
    head, payload, signature = server.http.headers["Authorization"].split(".")
    for changed in (
        f"{head}.{payload}x.{signature}",
        f"{head}.{payload}.{signature[:-2]}",
        f"{head}.{payload}",
    ):
        assert server.http.get("/jobs", headers={"Authorization": changed}).status_code == 401


def test_credentials_are_created_once_and_only_their_owner_may_read_them(server: Server) -> None:
    file = server.state / "airbyte" / "credentials.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    again = AirbyteService(server.state, server.lake, lambda: "")
    assert (again.client_id, again.client_secret) == (server.service.client_id, server.service.client_secret)
