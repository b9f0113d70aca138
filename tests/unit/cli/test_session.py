"""What a session reads, and how it warns."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from etltctl.cli.chunk_progress import drawn_chunks
from etltctl.cli.session import Session
from etltctl.console import Console
from etltctl.errors import NextStep
from etltctl.history import RunSummary, live_text
from etltctl.settings import Settings, load_settings


@pytest.mark.parametrize(
    ("env", "state", "needs_server"),
    [("local", "s3://data/state", True), ("local", "", False), ("aws", "s3://data/state", False)],
)
def test_only_a_record_in_the_embedded_server_needs_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, env: str, state: str, needs_server: bool
) -> None:
    connected: list[bool] = []

    @contextmanager
    def connect(_: Session) -> Iterator[Settings]:
        connected.append(True)
        yield settings

    settings = load_settings(env=env, environ={"ETLTCTL_STATE_DIR": state or str(tmp_path)})
    monkeypatch.setattr(Session, "connected", connect)
    with Session().reading(settings) as reached:
        assert reached is settings
    assert bool(connected) is needs_server


def test_a_warning_of_a_backfill_is_one_like_every_other() -> None:
    stderr = io.StringIO()
    with drawn_chunks(Console(stderr=stderr, quiet=True)) as progress:
        progress.warn(NextStep("it is late"))
    assert stderr.getvalue() == "warning: it is late\n"


def test_a_warning_stands_above_a_live_line() -> None:
    from rich.console import Console as RichConsole
    from rich.progress import Progress

    screen = io.StringIO()
    console = Console(stderr=io.StringIO())
    progress = Progress(console=RichConsole(file=screen, force_terminal=True, width=80), transient=True)
    with console.drawing(progress):
        progress.add_task("the live line")
        console.warn("it is late")
    assert "warning: it is late" in screen.getvalue()


def test_the_live_runs_are_named_in_one_sentence() -> None:
    runs = [RunSummary(name, "mongodb", "", "running", None, "") for name in ("a", "b")]
    assert live_text(runs[:1]) == "run a of mongodb is live"
    assert live_text(runs) == "run a of mongodb; run b of mongodb are live"
