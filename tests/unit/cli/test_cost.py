"""What `etltctl cost` prints: a total, and for each amount whether it is actual or estimated."""

from __future__ import annotations

import json
import os
import subprocess
from datetime import UTC, datetime, timedelta
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
    ledger.append("cost.actual", "glue:job", usd=0.0001, remote_id="q", scanned_bytes=9)
    live = Ledger(store, "r4", "aws")
    live.append("run.started", pipeline="live", steps=["glue:job"])
    live.append("cost.estimate", "glue:job", usd=0.25)
    live.append("remote.started", "glue:job", remote_id="jr_1", state="RUNNING")
    return tmp_path


def cost(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return forked.run([ETLTCTL, "cost", *options], cwd=folder, env=dict(os.environ), timeout=60)


def test_a_table_of_costs_ends_with_their_total(folder: Path) -> None:
    lines = [line.split() for line in cost(folder).stdout.splitlines()]
    assert lines[0] == ["pipeline", "env", "job", "runs", "queries", "USD", "basis"]
    assert lines[2:] == [
        ["r1", "aws", "1", "0", "0.50", "actual"],
        ["live", "aws", "1", "0", "0.25", "estimated"],
        ["r3", "aws", "1", "1", "0.0041", "actual"],
        ["r2", "local", "1", "0", "0.00", "actual"],
        ["total", "4", "1", "0.75", "actual", "and", "estimated"],
    ]


def test_a_document_of_costs_has_the_total_next_to_its_rows(folder: Path) -> None:
    document = json.loads(cost(folder, "-o", "json").stdout)
    assert document["total_usd"] == 0.7541
    assert [(row["billed"], row["job runs"], row["queries"]) for row in document["rows"]][2] == (2, 1, 1)
    assert {row["pipeline"]: (row["usd"], row["basis"]) for row in document["rows"]} == {
        "r1": (0.5, "actual"),
        "live": (0.25, "estimated"),
        "r3": (0.0041, "actual"),
        "r2": (0.0, "actual"),
    }


@pytest.mark.parametrize(
    ("options", "pipelines"),
    [
        (("--pipeline", "r1"), {"r1"}),
        (("--since", "2d"), {"r1", "live"}),
        (("--since", "2d", "--until", "1h"), {"r1"}),
        (("--until", "2d"), {"r2", "r3"}),
    ],
)
def test_costs_are_those_of_the_runs_that_a_filter_leaves(
    folder: Path, options: tuple[str, ...], pipelines: set[str]
) -> None:
    now = datetime.now(UTC)
    for run_id, age in (("r1", timedelta(hours=12)), ("r2", timedelta(days=3)), ("r3", timedelta(days=9))):
        file = folder / ".etltctl" / "runs" / f"{run_id}.ndjson"
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        shifted = [{**line, "ts": (now - age).isoformat()} if "ts" in line else line for line in lines]
        file.write_text("".join(f"{json.dumps(line)}\n" for line in shifted))
    document = json.loads(cost(folder, *options, "-o", "json").stdout)
    assert {row["pipeline"] for row in document["rows"]} == pipelines


def test_a_filter_that_leaves_no_run_says_so(folder: Path) -> None:
    done = cost(folder, "--pipeline", "other")
    assert (done.stdout, "No run that matches the filter has cost anything." in done.stderr) == ("", True)
    assert cost(folder, "--since", "soon").returncode == 2


def test_without_runs_there_is_no_total(tmp_path: Path) -> None:
    done = cost(tmp_path)
    assert (done.stdout, "No run has cost anything yet." in done.stderr) == ("", True)
