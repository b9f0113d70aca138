"""A run that is killed at any moment and taken up again: every service sees one start a step, and the data is right."""

from __future__ import annotations

import os
import random
from typing import Any

import pytest

from support.spoilt import ROWS, SpoiltLake

pytestmark = pytest.mark.faults

SEED = int(os.environ["ETLTCTL_SEED"])


def take_up_and_check(lake: SpoiltLake, run_id: str, syncs_before: int) -> None:
    """Goes on with the run and holds it against one that nothing disturbed."""
    lake.run("run", "small", "--run-id", run_id)
    starts = lake.starts(run_id)
    assert (starts["glue"], starts["airbyte"] - syncs_before) == (1, 1), starts
    assert lake.query("select count(*) as n, sum(n) as total from pi_m3_gold.small") == [
        {"n": ROWS, "total": 10}
    ]
    (table,) = [t for t in lake.json("athena", "tables")["rows"] if t["table"] == "small"]
    assert table["version"] == run_id
    events = lake.events(run_id)
    assert events[-1]["type"] == "run.finished"
    assert events[-1]["outcome"] == "succeeded"
    done = {event["step"] for event in events if event["type"] == "step.finished"}
    assert done == {"sync:api", "glue:small", "athena:refresh"}


@pytest.mark.parametrize("turn", range(2))
def test_a_run_killed_anywhere_starts_nothing_twice(lake: SpoiltLake, turn: int) -> None:
    chance = random.Random(f"{SEED}-{turn}")
    run_id, before = f"random-{SEED}-{turn}", lake.syncs()
    told = f"ETLTCTL_SEED={SEED}"
    for _ in range(2):
        rule: dict[str, Any] = {
            "call": "*", "skip": chance.randrange(40), "hold": chance.choice(["before", "after"]),
        }  # fmt: skip
        told += f" {rule}"
        print(told)
        if not lake.kill_where(rule, "run", "small", "--run-id", run_id):
            break
    take_up_and_check(lake, run_id, before)


def test_a_run_whose_ledger_is_lost_starts_no_second_job(lake: SpoiltLake) -> None:
    lake.run("run", "small", "--run-id", "forgotten")
    (lake.folder / ".etltctl" / "runs" / "forgotten.ndjson").unlink()
    steps = lake.json("run", "small", "--run-id", "forgotten")["steps"]
    assert [step["verb"] for step in steps] == ["started", "reused", ""]
    assert lake.starts("forgotten")["glue"] == 1


LAGGING = {
    "StartJobRun": {"call": "GetJobRuns", "refuse": {"status": 200, "body": {"JobRuns": []}}, "times": 3},
    "POST /jobs": {"call": "GET /jobs", "refuse": {"status": 200, "body": {"data": []}}, "times": 3},
}


@pytest.mark.parametrize("start", LAGGING)
def test_a_run_killed_at_a_start_is_looked_for_until_listings_show_it(lake: SpoiltLake, start: str) -> None:
    run_id, before = f"unlisted-{list(LAGGING).index(start)}", lake.syncs()
    assert lake.kill_where({"call": start, "hold": "after"}, "run", "small", "--run-id", run_id)
    lake.spoil(LAGGING[start])
    told = lake.run("run", "small", "--run-id", run_id).stderr
    assert "an earlier try may have started it: its run is searched for" in told
    starts = lake.starts(run_id)
    assert (starts["glue"], starts["airbyte"] - before) == (1, 1)
