"""`local down` says which live runs end with the server; a person at a terminal is asked first."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from etltctl.history import live_runs
from etltctl.ledger import DiskStore, Ledger
from etltctl.local.client import began, find_server
from etltctl.settings import load_settings
from support.commands import exit_code_of
from support.recorded_runs import started_run
from support.served import Served, serve


class Terminal(io.StringIO):
    """A stream that a person reads, or types into."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setenv("ETLTCTL_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("ETLTCTL_ENV", "local")
    monkeypatch.chdir(tmp_path)
    with serve(tmp_path / "state", "--keep") as served:
        yield served


def live(folder: Path, run_id: str) -> Ledger:
    """Record a run with a remote run that goes on, as a detached command leaves it."""
    ledger = started_run(DiskStore(folder / "state" / "runs"), run_id, pipeline="mongodb")
    ledger.append("remote.started", "glue:job", service="Glue", remote_id="jr_1", state="RUNNING")
    return ledger


def down(*words: str) -> int:
    return exit_code_of("local", "down", *words)


def answers(monkeypatch: pytest.MonkeyPatch, answer: str) -> Terminal:
    """Let a person at a terminal answer the question."""
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(sys, "stdin", Terminal(answer + "\n"))
    return screen


def test_a_person_who_says_no_keeps_the_server_and_the_run(
    server: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live(tmp_path, "goes-on")
    screen = answers(monkeypatch, "n")
    assert down() == 5
    assert "run goes-on of mongodb is live on the embedded server, and ends with it" in screen.getvalue()
    assert "End the server all the same? [y/n]" in screen.getvalue()
    assert "etltctl runs watch goes-on" in screen.getvalue()
    assert server.request("GET", "health")[0] == 200
    answers(monkeypatch, "y")
    assert down() == 0
    assert server.process.wait(20) is not None


@pytest.mark.parametrize("words", [(), ("--yes",)])
def test_without_a_terminal_or_with_yes_the_server_ends_and_says_so(
    server: Served, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    live(tmp_path, "one")
    live(tmp_path, "two")
    assert down(*words) == 0
    assert "run two of mongodb; run one of mongodb are live" in capsys.readouterr().err
    assert server.process.wait(20) is not None


def test_a_run_of_an_earlier_server_and_one_that_ended_are_not_live(server: Served, tmp_path: Path) -> None:
    live(tmp_path, "ended").append("run.finished", outcome="succeeded", seconds=1.0)
    live(tmp_path, "goes-on")
    settings = load_settings()
    running = find_server(settings)
    assert running is not None
    assert [run.run_id for run in live_runs(settings, began(running))] == ["goes-on"]
    assert live_runs(settings, began(running) + 3600) == []
