"""A receiver that is wrong, slow or absent costs a run one warning and a bounded time, never its result."""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from etltctl.observers.observation import LONGEST_FLUSH
from etltctl.testing import EmbeddedLake
from support.ports import free_port
from support.receivers import PostOffice, Reply, receiving
from support.sample_settings import on_sample
from support.sql_project import PROJECT, SqlProject

SECRET = "verysecrettoken42"
PAGE = b"<!doctype html><html><body>Sign in</body></html>"
# By name: the kind of the receiver, its answers, what the warning says, and how many requests arrive.
ANSWERS: Mapping[str, tuple[str, list[Reply], str, int]] = {
    "broken": ("webhook", [Reply(500, b"boom")], "refused the message with status 500: boom", 3),
    "unknown": ("slack", [Reply(404, b"no_service")], "refused the message with status 404: no_service", 1),
    "echoing": ("webhook", [Reply(403, SECRET.encode())], "refused the message with status 403: ***", 1),
    "a login": ("slack", [Reply(200, PAGE)], "did not take the message, although it answered 200", 1),
    "an old connector": (
        "teams",
        [Reply(200, b"Webhook message delivery failed with error: x")],
        "although it answered 200",
        1,
    ),
    "busy": ("webhook", [Reply(429, b"", {"Retry-After": "3600"})], "refused the message with status 429", 3),
}


def notifying(
    project: SqlProject, monkeypatch: pytest.MonkeyPatch, url: str, kind: str = "webhook"
) -> SqlProject:
    monkeypatch.setenv("HOOK", url)
    receiver = {"kind": kind, "url": "env:HOOK", "on": ["succeeded"]}
    return replace(project, settings=project.settings.overlaid({"notify": {"ops": receiver}}))


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the warnings of the observers; nothing that was logged has the secret."""
    assert SECRET not in caplog.text
    return [r.getMessage() for r in caplog.records if r.name.startswith("etltctl.observers")]


@pytest.mark.parametrize("fault", ANSWERS)
def test_an_answer_that_is_no_success_is_one_warning(
    project: SqlProject, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, fault: str
) -> None:
    caplog.set_level(logging.DEBUG)
    kind, replies, says, requests = ANSWERS[fault]
    with receiving(*replies) as office:
        notifying(project, monkeypatch, office.url, kind).run(f"notified-{fault.replace(' ', '-')}")
    (warning,) = warnings_of(caplog)
    assert warning.startswith("the notification was not sent: notify.ops.url (127.0.0.1) ")
    assert says in warning
    assert len(office.posts) == requests


def test_a_redirect_is_not_followed(
    project: SqlProject, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, office: PostOffice
) -> None:
    with receiving(Reply(307, b"", {"Location": office.url})) as first:
        notifying(project, monkeypatch, first.url).run("notified-redirect")
    (warning,) = warnings_of(caplog)
    assert "answered 307: a redirect, which is not followed" in warning
    assert office.posts == []


def test_a_passing_fault_is_overcome_without_a_warning(
    project: SqlProject, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with receiving(Reply(503, b"", {"Retry-After": "0"}), Reply(200)) as office:
        notifying(project, monkeypatch, office.url).run("notified-passing")
    assert warnings_of(caplog) == []
    assert len({post.document["id"] for post in office.posts}) == 1


ABSENT: Mapping[str, tuple[Callable[[], str], str]] = {
    "down": (lambda: f"http://127.0.0.1:{free_port()}/{SECRET}", "cannot be reached"),
    "not resolvable": (lambda: f"http://nothing.invalid/{SECRET}", "cannot be reached"),
    "no address": (lambda: f"hooks.example/{SECRET}", "does not hold an address"),
    "a wrong port": (lambda: f"http://127.0.0.1:x/{SECRET}", "does not hold an address"),
    "unset": (lambda: "", "notify.ops.url is env:HOOK, but HOOK is not set"),
}


@pytest.mark.parametrize("fault", ABSENT)
def test_a_receiver_that_cannot_be_called_is_one_warning(
    project: SqlProject, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, fault: str
) -> None:
    address, says = ABSENT[fault]
    notifying(project, monkeypatch, address()).run(f"notified-{fault.replace(' ', '-')}")
    (warning,) = warnings_of(caplog)
    assert says in warning


def test_a_slow_receiver_delays_the_end_within_bounds_and_takes_no_time_from_another(
    project: SqlProject, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, office: PostOffice
) -> None:
    with receiving(Reply(hold=threading.Event())) as slow:
        monkeypatch.setenv("SLOW", slow.url)
        monkeypatch.setenv("HOOK", office.url)
        common = {"kind": "webhook", "on": ["succeeded"]}
        receivers = {"slow": {**common, "url": "env:SLOW"}, "swift": {**common, "url": "env:HOOK"}}
        settings = project.settings.overlaid({"notify": receivers})
        replace(project, settings=settings).run("notified-slowly")
    finished = datetime.fromisoformat(project.events("notified-slowly")[-1]["ts"])
    assert datetime.now(UTC) - finished < timedelta(seconds=LONGEST_FLUSH + 2.0)
    (warning,) = warnings_of(caplog)
    assert warning.startswith("the notification was not sent: notify.slow.url")
    assert len(office.posts) == len(slow.posts) == 1


def test_the_command_succeeds_and_prints_one_warning_for_each_observer(
    lake: EmbeddedLake, project: SqlProject, tmp_path: Path
) -> None:
    settings = f'{PROJECT}\n[notify.ops]\nkind = "slack"\nurl = "env:HOOK"\non = ["succeeded"]\n'
    (tmp_path / "etltctl.toml").write_text(on_sample(settings))
    shutil.copytree(project.file.parent, tmp_path / "sql")
    (tmp_path / "none.py").write_text("")
    absent = f"http://127.0.0.1:{free_port()}"
    variables = {
        "ETLTCTL_STATE_DIR": str(lake.folder),
        "HOOK": f"{absent}/{SECRET}",
        "OTEL_EXPORTER_OTLP_ENDPOINT": absent,
    }
    command = [sys.executable, "-m", "etltctl", "run", "wind", "--run-id", "notified-by-command", "--new"]
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, **variables}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert SECRET not in done.stdout + done.stderr
    lines = done.stderr.splitlines()
    assert sum("the notification was not sent" in line for line in lines) == 1
    assert sum("the trace was not sent" in line for line in lines) == 1
    assert "Traceback" not in done.stderr
