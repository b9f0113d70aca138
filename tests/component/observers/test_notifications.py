"""The end of a real run reaches its receivers once, in the form that each of them documents."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from etltctl.errors import BlockedError, EtltctlError
from etltctl.history import summaries
from etltctl.pipeline import rollback, run_step
from support.receivers import PostOffice
from support.sql_project import QUERY, SqlProject

SCHEMA = Path(__file__).parents[3] / "docs" / "reference" / "schemas" / "notification.json"
WRONG = "select nothing_of_this_name from {silver.reading}"


def notifying(
    project: SqlProject, monkeypatch: pytest.MonkeyPatch, office: PostOffice, **setting: Any
) -> SqlProject:
    """Return the project with one receiver."""
    monkeypatch.setenv("HOOK", office.url)
    receiver = {"kind": "webhook", "url": "env:HOOK", "on": ["failed", "recovered"], **setting}
    return replace(project, settings=project.settings.overlaid({"notify": {"ops": receiver}}))


def test_a_failed_run_is_sent_with_cause_proof_and_next_command(
    project: SqlProject, office: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = notifying(project, monkeypatch, office, link="https://lake.example/runs/{run_id}")
    project.write_query(WRONG)
    with pytest.raises(EtltctlError) as raised:
        project.run("notified-failed")
    (post,) = office.posts
    document = post.document
    jsonschema.validate(document, json.loads(SCHEMA.read_text()))
    assert (document["outcome"], document["pipeline"], document["run_id"]) == (
        "failed",
        "wind",
        "notified-failed",
    )
    assert document["link"] == "https://lake.example/runs/notified-failed"
    assert document["usd"] is None  # the services of this machine bill nothing
    failure = document["failure"]
    assert failure["step"] == "sql:windiest"
    assert failure["cause"] == raised.value.facts["cause"]
    assert failure["proof"] == raised.value.facts["proof"]
    assert failure["next"].endswith("etltctl retry notified-failed")
    assert "notified-failed" in document["text"]


def test_a_success_after_a_failure_is_sent_as_recovered_and_a_plain_success_is_not(
    project: SqlProject, office: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = notifying(project, monkeypatch, office)
    project.run("notified-plain")
    assert office.posts == []
    project.write_query(WRONG)
    with pytest.raises(EtltctlError):
        project.run("notified-again")
    project.write_query(QUERY)
    project.retry("notified-again")
    assert [post.document["outcome"] for post in office.posts] == ["failed", "recovered"]
    assert office.posts[0].document["id"] != office.posts[1].document["id"]


def test_a_run_that_had_succeeded_and_starts_nothing_is_not_sent_twice(
    project: SqlProject, office: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = notifying(project, monkeypatch, office, on=["succeeded"])
    project.run("notified-once")
    project.run("notified-once")
    assert [post.document["run_id"] for post in office.posts] == ["notified-once"]


def test_the_tries_of_a_task_send_one_failure_once_and_the_last_task_sends_the_end(
    project: SqlProject, office: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = notifying(project, monkeypatch, office, on=["failed", "succeeded"])
    project.write_query(WRONG)
    for _ in range(2):
        with pytest.raises(EtltctlError):
            run_step("wind", "sql:windiest", run_id="notified-tasks", settings=project.settings)
    assert [post.document["outcome"] for post in office.posts] == ["failed"]
    project.write_query(QUERY)
    run_step("wind", "sql:windiest", run_id="notified-tasks", settings=project.settings)
    assert len(office.posts) == 1
    run_step("wind", "athena:refresh", run_id="notified-tasks", settings=project.settings)
    assert [post.document["outcome"] for post in office.posts] == ["failed", "recovered"]


def test_a_refused_rollback_is_no_run_and_is_not_sent(
    project: SqlProject, office: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = notifying(project, monkeypatch, office, on=["failed", "succeeded"])
    project.run("notified-rolled")
    with pytest.raises(BlockedError, match="has no published version never") as raised:
        rollback("gold.windiest", project.settings, "never")
    assert raised.value.facts["cause"] == "C116 No such version to go back to"
    assert [post.document["run_id"] for post in office.posts] == ["notified-rolled"]
    assert {run.pipeline for run in summaries(project.settings, 99)} == {"wind"}


def test_a_receiver_of_other_pipelines_hears_nothing(
    project: SqlProject, office: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = notifying(project, monkeypatch, office, on=["succeeded"], pipelines=["mongodb"])
    project.run("notified-others")
    assert office.posts == []


@pytest.mark.parametrize("kind", ["slack", "teams"])
def test_a_chat_takes_a_message_of_its_own_form(
    project: SqlProject, office: PostOffice, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    project = notifying(project, monkeypatch, office, kind=kind, on=["succeeded"])
    project.run(f"notified-{kind}")
    (post,) = office.posts
    assert post.headers["content-type"] == "application/json; charset=utf-8"
    assert ("blocks" if kind == "slack" else "attachments") in post.document
    assert f"notified-{kind}" in post.body.decode()
