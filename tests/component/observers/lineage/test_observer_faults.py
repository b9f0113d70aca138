"""A receiver that fails, hangs or is wrong neither fails a run nor delays it beyond the limit. Each test is a run."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from etltctl.ledger import Event
from etltctl.observers import origin_of_run
from etltctl.observers.observation import LONGEST_FLUSH
from etltctl.settings.lineage_variables import ClientVariables
from etltctl.testing import delayed
from support.lineage_receiver import LineageReceiver
from support.sql_project import STEP, SqlProject

JOB = f"wind.{STEP}"


def with_lineage(project: SqlProject, **values: Any) -> SqlProject:
    """Return the project with other settings of lineage."""
    settings = project.settings
    return SqlProject(project.lake, settings.overlaid({"lineage": values}, settings.route))


def interrupting(type_: str, interrupt: Callable[[], object]) -> Callable[[Event], None]:
    """Return a listener that interrupts the run at its first event of a type."""

    def listen(event: Event) -> None:
        if event["type"] == type_:
            interrupt()

    return listen


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the warnings of the observers."""
    return [record.getMessage() for record in caplog.records if record.name.startswith("etltctl.observers")]


def test_a_receiver_that_refuses_every_event_costs_one_warning(
    project: SqlProject, receiver: LineageReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.status = 403
    assert project.run("refused").steps[0].verb == "started"
    assert len(receiver.events) == 6  # the next one may be taken
    (warning,) = warnings_of(caplog)
    assert warning.startswith("lineage was not sent: 403")
    assert "k-3f" not in caplog.text


def test_a_receiver_that_hangs_delays_the_end_of_the_run_by_ten_seconds_at_most(
    project: SqlProject, receiver: LineageReceiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.is_hanging = True
    assert project.run("hanging").steps[0].verb == "started"
    finished = datetime.fromisoformat(project.events("hanging")[-1]["ts"])
    assert datetime.now(UTC) - finished < timedelta(seconds=LONGEST_FLUSH + 2.0)
    (warning,) = warnings_of(caplog)
    assert warning.startswith("lineage was not sent: ")


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"url": "http://127.0.0.1:1"}, "lineage was not sent"),
        ({"url": "", "file": "."}, "lineage was not sent"),
        ({"url": "", "file": "etltctl.toml/lineage.ndjson"}, "lineage.file cannot be written"),
        ({"api_key": "env:LINEAGE_KEY_THAT_IS_NOT_SET"}, "LINEAGE_KEY_THAT_IS_NOT_SET is not set"),
    ],
    ids=["no one listens", "a folder", "below a file", "a key without a value"],
)
def test_a_receiver_that_cannot_be_used_leaves_the_run_as_it_is(
    project: SqlProject,
    caplog: pytest.LogCaptureFixture,
    request: pytest.FixtureRequest,
    values: dict[str, Any],
    reason: str,
) -> None:
    assert with_lineage(project, **values).run(request.node.name).steps[0].verb == "started"
    assert reason in caplog.text


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        (
            "OPENLINEAGE_URL",
            "http://me:pass-3f@127.0.0.1:1",
            "OPENLINEAGE_URL must not have a user or a password",
        ),
        ("OPENLINEAGE_CONFIG", "/no/such/openlineage.yml", "there is no such file"),
    ],
)
def test_a_wrong_variable_turns_lineage_off_for_the_run(
    project: SqlProject,
    receiver: LineageReceiver,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: str,
    reason: str,
) -> None:
    monkeypatch.setenv(name, value)
    assert project.run(f"wrong-{name[12:].lower()}").steps[0].verb == "started"
    assert reason in caplog.text
    assert "pass-3f" not in caplog.text
    assert receiver.events == []


def test_without_the_package_the_run_goes_on_and_the_command_to_install_it_is_named(
    project: SqlProject, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openlineage", None)
    assert project.run("no-package").steps[0].verb == "started"
    assert "lineage is off for this run: lineage events need the package openlineage-python" in caplog.text


def test_the_client_s_variables_name_a_receiver_and_turn_it_off(
    project: SqlProject, receiver: LineageReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The client adds variables; they are removed after this test.
    for name in ("TYPE", "URL", "AUTH", "ENDPOINT"):
        monkeypatch.setenv(f"OPENLINEAGE__TRANSPORT__TRANSPORTS__DEFAULT_HTTP__{name}", "")
        monkeypatch.delenv(f"OPENLINEAGE__TRANSPORT__TRANSPORTS__DEFAULT_HTTP__{name}")
    monkeypatch.setenv("OPENLINEAGE_URL", receiver.url)
    monkeypatch.setenv("OPENLINEAGE_ENDPOINT", "api/v2/lineage")
    with_lineage(project, url="", api_key="").run("by-variables")
    assert len(receiver.events) == 6
    assert set(receiver.paths) == {"/api/v2/lineage"}
    # The client would name the remote of the checkout, in whose address a token may be.
    assert all("sourceCodeLocation" not in event["job"]["facets"] for event in receiver.events)
    monkeypatch.setenv("OPENLINEAGE_DISABLED", "true")
    project.run("disabled")
    assert len(receiver.events) == 6


def test_nothing_is_sent_or_recorded_unless_a_receiver_is_named(
    project: SqlProject, receiver: LineageReceiver
) -> None:
    with_lineage(project, url="", api_key="").run("not-asked")
    assert receiver.events == []
    assert "lineage" not in project.events("not-asked")[0]
    assert not ClientVariables.of({"OPENLINEAGE_NAMESPACE": "only a name"}).name_a_receiver


def test_an_sts_that_hangs_costs_five_seconds_and_the_account_s_name(project: SqlProject) -> None:
    project.lake.script(delayed("GetCallerIdentity", 20.0, times=0))
    began = time.monotonic()
    origin = origin_of_run(project.settings, project.services.aws)
    assert time.monotonic() - began < 6.0
    assert origin == {"region": "us-east-1"}
    assert project.lake.met()["GetCallerIdentity"] == 1


def test_an_interrupt_aborts_the_step_and_the_run(project: SqlProject, receiver: LineageReceiver) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        project.run("interrupted", on_event=interrupting("step.planned", interrupt))
    assert receiver.kinds()[2:] == [(JOB, "ABORT"), ("wind", "ABORT")]
    assert receiver.events[2]["run"]["facets"]["errorMessage"]["message"].startswith("M107: interrupt")


def test_the_try_of_a_process_that_was_killed_is_aborted_by_the_next(
    project: SqlProject, receiver: LineageReceiver, tmp_path: Path
) -> None:
    child = os.fork()
    if child == 0:
        killed = interrupting("remote.started", lambda: os.kill(os.getpid(), signal.SIGKILL))
        with_lineage(project, url="", file=str(tmp_path / "killed.ndjson")).run("killed", on_event=killed)
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    project.retry("killed")
    assert receiver.kinds()[:4] == [(JOB, "ABORT"), ("wind", "ABORT"), ("wind", "START"), (JOB, "START")]
    assert receiver.kinds()[-1] == ("wind", "COMPLETE")
    message = receiver.events[0]["run"]["facets"]["errorMessage"]["message"]
    assert message == "the process that drove the run ended without a word"
    assert receiver.events[0]["run"]["runId"] != receiver.events[3]["run"]["runId"]
