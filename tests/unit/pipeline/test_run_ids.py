"""The run that `--run-id` means: an earlier one, also by the end of its id. A new one needs `--new`."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from etltctl.errors import ExitCode, UsageError
from etltctl.history import run_to_resume
from etltctl.ledger import DiskStore, Ledger
from etltctl.settings import load_settings
from support import forked
from support.workplace import ETLTCTL

KNOWN = "20260102-0304-api-ydzy"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    runs = DiskStore(tmp_path / ".etltctl" / "runs")
    for run_id in (KNOWN, "20260102-0304-mongodb-k7qf", "manual__2026-01-02T03-04-05-00-00"):
        Ledger(runs, run_id, "local").append("run.started", pipeline="api", steps=[])
    return tmp_path


def refused(project: Path, *words: str) -> str:
    done = forked.run([ETLTCTL, *words], cwd=project, env=os.environ, timeout=60)
    assert done.returncode == ExitCode.USAGE, done.stderr
    assert not (project / ".etltctl" / "server").exists(), "nothing was started"
    return done.stderr


@pytest.mark.parametrize(("named", "meant"), [(KNOWN, KNOWN), ("ydzy", KNOWN), ("api-ydzy", KNOWN)])
def test_the_end_of_an_id_is_enough(
    project: Path, named: str, meant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    settings = load_settings(environ={}, directory=project)
    assert run_to_resume(settings, named) == meant
    assert run_to_resume(settings, "another", is_new=True) == "another"
    with pytest.raises(UsageError, match=f"a run is called {KNOWN} already") as taken:
        run_to_resume(settings, named, is_new=True)
    assert taken.value.hint == f"etltctl retry {KNOWN}"


@pytest.mark.parametrize(
    "command", [["run", "api"], ["sync", "api"], ["run-glue", "silver_to_gold"]], ids=" ".join
)
def test_an_unknown_id_starts_nothing_and_names_the_most_similar(project: Path, command: list[str]) -> None:
    said = refused(project, *command, "--run-id", "ydzi")
    assert f"no run is called ydzi, so nothing was started\n  next: did you mean {KNOWN}?" in said
    assert "new begins a run of that name" in said


@pytest.mark.parametrize("flag", ["--fresh", "--new"])
@pytest.mark.parametrize(
    "command", [["run", "api"], ["sync", "api"], ["run-glue", "silver_to_gold"]], ids=" ".join
)
def test_options_of_a_run_need_its_id(project: Path, command: list[str], flag: str) -> None:
    assert f"{flag} needs the run that it is for" in refused(project, *command, flag)


def test_an_ambiguous_end_of_an_id_names_both_runs(project: Path) -> None:
    for run_id in ("x-same", "y-same"):
        Ledger(DiskStore(project / ".etltctl" / "runs"), run_id, "local").append(
            "run.started", pipeline="api"
        )
    assert "2 runs end with same\n  next: name one: x-same, y-same" in refused(
        project, "run", "api", "--run-id", "same"
    )


def test_a_misspelt_run_gets_a_suggestion_in_every_command(project: Path) -> None:
    assert f"did you mean {KNOWN}?" in refused(project, "retry", "ydzi")
    said = refused(project, "runs", "show", "20260102-0304-api-ydzi")
    assert f"did you mean {KNOWN}? etltctl runs show {KNOWN}" in said
    assert "did you mean" not in refused(project, "retry", "something-else")


def test_a_run_without_recorded_options_has_none(tmp_path: Path) -> None:
    """An earlier version of etltctl wrote such runs."""
    store = DiskStore(tmp_path)
    event = {"ts": "2026-01-02T03:04:05+00:00", "seq": 1, "run_id": "old", "step": "", "type": "run.started"}
    store.add("old", lambda _: json.dumps(event) + "\n")
    ledger = Ledger(store, "old", "local")
    assert ledger.options == {}
    ledger.append("run.options", options={"max_usd": 2.0})
    assert Ledger(store, "old", "local").options == {"max_usd": 2.0}
