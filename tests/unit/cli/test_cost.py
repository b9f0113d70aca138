"""What `etltctl cost` prints: a total, and for each amount whether it is actual or estimated."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from etltctl.ledger import DiskStore, Ledger
from support import forked
from support.workplace import ETLTCTL


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    store = DiskStore(tmp_path / ".etltctl" / "runs")
    for run_id, env, usd in (("r1", "aws", 0.5), ("r2", "local", 0.7), ("r3", "aws", 0.004)):
        ledger = Ledger(store, run_id, env)
        ledger.append("run.started", pipeline=run_id, steps=["glue:job"])
        ledger.append("cost.actual", "glue:job", usd=usd)
    live = Ledger(store, "r4", "aws")
    live.append("run.started", pipeline="live", steps=["glue:job"])
    live.append("cost.estimate", "glue:job", usd=0.25)
    live.append("remote.started", "glue:job", remote_id="jr_1", state="RUNNING")
    return tmp_path


def cost(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return forked.run([ETLTCTL, "cost", *options], cwd=folder, env=dict(os.environ), timeout=60)


def test_a_table_of_costs_ends_with_their_total(folder: Path) -> None:
    lines = [line.split() for line in cost(folder).stdout.splitlines()]
    assert lines[0] == ["pipeline", "env", "remote", "runs", "USD", "basis"]
    assert lines[2:] == [
        ["r1", "aws", "1", "0.50", "actual"],
        ["live", "aws", "1", "0.25", "estimated"],
        ["r3", "aws", "1", "0.0040", "actual"],
        ["r2", "local", "1", "0.00", "actual"],
        ["total", "4", "0.75", "actual", "and", "estimated"],
    ]


def test_a_document_of_costs_has_the_total_next_to_its_rows(folder: Path) -> None:
    document = json.loads(cost(folder, "-o", "json").stdout)
    assert document["total_usd"] == 0.754
    assert {row["pipeline"]: (row["usd"], row["basis"]) for row in document["rows"]} == {
        "r1": (0.5, "actual"),
        "live": (0.25, "estimated"),
        "r3": (0.004, "actual"),
        "r2": (0.0, "actual"),
    }


def test_without_runs_there_is_no_total(tmp_path: Path) -> None:
    done = cost(tmp_path)
    assert (done.stdout, "No run has cost anything yet." in done.stderr) == ("", True)
