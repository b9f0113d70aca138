"""Starts of syncs over the wire: sent once, adopted, and refused with a reported reason."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from etltctl.airbyte import Airbyte
from etltctl.aws import Aws
from etltctl.errors import (
    ConfigurationError,
    ServiceError,
    UnreachableError,
)
from etltctl.glue import Glue
from etltctl.runs import State, Verb
from etltctl.waiting import Waiter
from support.served import Served
from support.starts import QUICK, name_trouble


def conflict(kind: str) -> dict[str, Any]:
    data = {"message": "Could not fulfill request"}
    return {
        "status": 409,
        "body": {"status": 409, "type": kind, "title": kind.rpartition("#")[2], "data": data},
    }


def test_a_wait_survives_failed_name_lookups(
    server: Served, project: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    signed = project["airbyte"]
    url = f"http://localhost:{server.port}/airbyte/v1"
    there = Airbyte(url, signed["client_id"], signed["client_secret"], search=QUICK)
    _, job, _ = there.start_or_adopt(project["connections"]["api"], "api")
    reconnected = Airbyte(url, signed["client_id"], signed["client_secret"], search=QUICK)
    failed = name_trouble(monkeypatch, times=2)
    ended = Waiter(timeout=120.0).wait(job, partial(reconnected.poll, job.id, "api"))
    assert (ended.status, len(failed)) == ("succeeded", 2)


def test_a_post_slower_than_its_timeout_is_not_sent_again(
    server: Served, airbyte: Airbyte, project: dict[str, Any], spoil: Callable[..., None]
) -> None:
    connection = project["connections"]["api"]
    before = {job.id for job in airbyte.jobs(connection, "api", limit=20)}
    spoil({"call": "POST /jobs", "hold": "after"})
    verb, job, _ = replace(airbyte, start_timeout=0.5).start_or_adopt(connection, "api")
    new_ids = {job.id for job in airbyte.jobs(connection, "api", limit=20)} - before
    assert (verb, new_ids) == (Verb.ADOPTED, {job.id})


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("https://reference.airbyte.com/reference/errors#state-conflict", "inactive"),
        ("error:connection/locked", "locked"),
    ],
)
def test_a_connection_that_accepts_no_sync_is_reported_with_its_status(
    sync: Callable[[], Any], spoil: Callable[..., None], kind: str, status: str
) -> None:
    change = {"status": status, "statusReason": "as wished"}
    spoil(
        {"call": "POST /jobs", "refuse": conflict(kind)},
        {"call": "GET /connections/*", "change": change},
    )
    with pytest.raises(ConfigurationError, match=f"its connection is {status}"):
        sync()


def test_a_conflict_of_an_active_connection_is_reported_unchanged(
    sync: Callable[[], Any], spoil: Callable[..., None]
) -> None:
    spoil({"call": "POST /jobs", "refuse": conflict("x#state-conflict")})
    with pytest.raises(ServiceError, match="Could not fulfill request"):
        sync()


@pytest.mark.parametrize("word", ["queued", "incomplete", "pondering"])
def test_a_sync_with_an_intermediate_status_counts_as_running(
    airbyte: Airbyte, sync: Callable[[], Any], spoil: Callable[..., None], word: str
) -> None:
    verb, job = sync()
    spoil({"call": "GET /jobs/*", "change": {"status": word}, "times": 3})
    seen: list[str] = []
    ended = Waiter(timeout=120.0, first_pause=0.02).wait(
        job, partial(airbyte.poll, job.id, "api"), on_poll=lambda run: seen.append(run.status)
    )
    assert (verb, ended.status) == (Verb.STARTED, "succeeded")
    assert seen[:3] == [word] * 3


def test_a_cancelled_sync_is_not_a_success(
    airbyte: Airbyte, sync: Callable[[], Any], spoil: Callable[..., None]
) -> None:
    _, job = sync()
    spoil({"call": "GET /jobs/*", "change": {"status": "cancelled"}, "times": 0})
    ended = Waiter(timeout=120.0, first_pause=0.02).wait(job, partial(airbyte.poll, job.id, "api"))
    assert ended.state is State.FAILED


def test_a_token_that_expires_during_a_wait_is_renewed_even_if_the_first_try_fails(
    server: Served, airbyte: Airbyte, sync: Callable[[], Any], spoil: Callable[..., None]
) -> None:
    _, job = sync()
    airbyte.poll(job.id, "api")
    refused = {"status": 401, "body": {"title": "invalid-api-key"}}
    spoil(
        {"call": "GET /jobs/*", "change": {"status": "running"}, "times": 1},
        {"call": "POST /applications/token", "refuse": {"status": 503}, "times": 1},
        {"call": "GET /jobs/*", "refuse": refused, "times": 2},
    )
    ended = Waiter(timeout=120.0, first_pause=0.02).wait(job, partial(airbyte.poll, job.id, "api"))
    assert ended.status == "succeeded"
    assert [rule["met"] for rule in server.request("GET", "faults")[1]] == [1, 1, 2]


def test_a_missing_server_leaves_no_connection_open(airbyte: Airbyte) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    unreachable = replace(airbyte, url=f"http://127.0.0.1:{port}")
    with pytest.raises(UnreachableError) as caught:
        unreachable.start("c", "api")
    assert caught.value.was_never_sent


def test_the_sdks_log_no_secret_at_any_level(
    server: Served, airbyte: Airbyte, glue: Glue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that logs everything (Airflow at DEBUG) has the clients' logs too."""
    role = server.client("iam").create_role(RoleName="worker", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    credentials = server.client("sts").assume_role(RoleArn=role, RoleSessionName="logs")["Credentials"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", credentials["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", credentials["SecretAccessKey"])
    monkeypatch.setenv("AWS_SESSION_TOKEN", credentials["SessionToken"])
    messages: list[str] = []

    class LogCollector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            messages.append(record.getMessage())

    root, collector = logging.getLogger(), LogCollector()
    before = root.level
    root.setLevel(logging.DEBUG)
    root.addHandler(collector)
    try:
        client = Aws(region="us-east-1")
        client.client("secretsmanager").create_secret(Name="k", SecretString="s3cret-string")
        assert client.fetch_secret("secretsmanager:k") == "s3cret-string"
        Glue(client, QUICK).start_or_adopt("often", "secretive", lambda _: {"--word": "s3cret-argument"})
        replace(airbyte, policy=airbyte.policy).jobs("c", "api")
    finally:
        root.removeHandler(collector)
        root.setLevel(before)
    text = "\n".join(messages)
    logged = (
        credentials["SessionToken"],
        credentials["SecretAccessKey"],
        "s3cret-string",
        "s3cret-argument",
        airbyte.client_secret,
        "Bearer ",
    )
    assert [secret for secret in logged if secret in text] == []
