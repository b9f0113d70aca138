"""`etltctl runs list` names the step at which a run stopped, and calls only a failure one."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from etltctl.ledger import DiskStore
from support import forked
from support.recorded_runs import started_run
from support.workplace import ETLTCTL


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for outcome in ("detached", "failed"):
        ledger = started_run(DiskStore(tmp_path / ".etltctl" / "runs"), outcome)
        ledger.append("step.finished", "glue:job", outcome=outcome, seconds=1.0)
        ledger.append("run.finished", outcome=outcome, seconds=1.0)
    return tmp_path


def runs_list(folder: Path, *options: str) -> str:
    return forked.run(
        [ETLTCTL, "runs", "list", *options], cwd=folder, env=dict(os.environ), timeout=60
    ).stdout


def test_the_column_of_the_step_says_stopped_because_a_detached_step_has_not_failed(folder: Path) -> None:
    head, _, *rows = runs_list(folder).splitlines()
    assert head.split()[-2:] == ["stopped", "at"]
    assert {(row.split()[0], row.split()[-1]) for row in rows} == {
        ("detached", "glue:job"),
        ("failed", "glue:job"),
    }


def test_a_document_has_a_failed_step_of_failed_runs_alone(folder: Path) -> None:
    rows = json.loads(runs_list(folder, "-o", "json"))["rows"]
    assert {row["run"]: (row["failed at"], row["stopped at"]) for row in rows} == {
        "detached": ("", "glue:job"),
        "failed": ("glue:job", "glue:job"),
    }
