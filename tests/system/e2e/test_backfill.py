"""A backfill with the installed command: on Spark it publishes what one run publishes, and a kill doubles nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from etltctl.local.kernel.processes import wait_until
from etltctl.pipeline import BackfillOptions, run_backfill, run_pipeline
from etltctl.testing import EmbeddedLake, open_lake
from support.backfilled import PROJECT, ROUNDS, SEASONS, copying, pack
from support.sample_settings import on_sample
from support.workplace import ETLTCTL, Workplace

pytestmark = pytest.mark.e2e
LONGEST_S = 300.0
# They name the run, or when a row was read.
OF_A_RUN = {"run_id", "ingested_at", "source_file", "config_hash"}


def chunk_events(folder: Path, label: str) -> list[dict[str, Any]]:
    """Return the recorded events of the chunk's run."""
    files = list((folder / ".etltctl" / "runs").glob(f"*-{label}.ndjson"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def has(folder: Path, label: str, kind: str, step: str) -> bool:
    """Return whether the chunk's run has an event of the kind for the step."""
    return any(event["type"] == kind and event["step"] == step for event in chunk_events(folder, label))


@pytest.fixture
def copied(tmp_path: Path) -> Iterator[Workplace]:
    """Yield a folder with four seasons and a job that copies them without Spark."""
    place = Workplace(tmp_path, {"ETLTCTL_DATA_PACK": str(pack(tmp_path / "pack"))})
    (tmp_path / "etltctl.toml").write_text(on_sample(PROJECT))
    (tmp_path / "copy_races.py").write_text(copying())
    place.run("local", "up")
    yield place
    place.run("local", "down")


@pytest.mark.parametrize(
    ("kind", "step"),
    [("step.planned", "sync:api"), ("remote.started", "sync:api"), ("remote.started", "glue:copy")],
)
def test_a_kill_in_the_middle_of_a_chunk_resumes_without_doubling(
    copied: Workplace, kind: str, step: str
) -> None:
    words = ("backfill", "races", "--start", "2096", "--end", "2099", "--chunk", "2")
    command = subprocess.Popen(
        [ETLTCTL, *words],
        cwd=copied.folder,
        env=copied.full_environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    assert wait_until(lambda: has(copied.folder, "2098-2099", kind, step), LONGEST_S)
    os.kill(command.pid, signal.SIGKILL)
    command.wait()
    resumed = copied.json(*words)
    assert [row["outcome"] for row in resumed["rows"]] == ["reused", "succeeded"]
    races = copied.query(
        "select season, count(*) n, count(distinct round) d from pi_m3_gold.races group by 1 order by 1"
    )
    assert [(int(row["season"]), row["n"], row["d"]) for row in races] == [
        (s, ROUNDS, ROUNDS) for s in SEASONS
    ]
    events = chunk_events(copied.folder, "2098-2099")
    for each in ("sync:api", "glue:copy"):
        started = [
            event["remote_id"]
            for event in events
            if event["type"] == "remote.started" and event["step"] == each
        ]
        assert len(started) <= 1  # a start without its answer on record is adopted
    why = copied.run("why", resumed["rows"][1]["run"], code=0)
    assert "succeeded" in why.stdout + why.stderr


def test_chunks_on_spark_publish_row_for_row_what_one_run_publishes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ETLTCTL_DATA_PACK", str(pack(tmp_path / "pack")))
    flags = {"sources.api.seasons": [2098, 2099], "sources.api.rate": "1000/s"}
    with open_lake(tmp_path / "lake", project=tmp_path, flags=flags) as lake:
        result = run_backfill("api", lake.settings, BackfillOptions(2098, 2099))
        assert [str(each.outcome) for each in result.chunks] == ["succeeded", "succeeded"]
        in_chunks = f1_rows(lake)
        run_pipeline("api", lake.settings)
        at_once = f1_rows(lake)
    assert in_chunks == at_once
    assert len([rows for rows in at_once.values() if rows]) > 15


def f1_rows(lake: EmbeddedLake) -> dict[str, list[str]]:
    """Return the rows of every published table of Formula 1, sorted, without what names their run."""
    rows = {}
    for table in (name for name in lake.settings.versioned_tables() if ".f1_" in name):
        answer = lake.query(f"select * from pi_m3_{table}")
        kept = [{name: value for name, value in row.items() if name not in OF_A_RUN} for row in answer]
        rows[table] = sorted(json.dumps(row, sort_keys=True, default=str) for row in kept)
    return rows
