"""A record that was lost or cut off is rebuilt, and nothing starts twice."""

from __future__ import annotations

import json
from typing import Any

import pytest

from support.event_streams import of_type
from support.spoilt import SpoiltLake

pytestmark = pytest.mark.faults


def test_a_lost_ledger_is_rebuilt_and_its_run_starts_nothing_twice(lake: SpoiltLake) -> None:
    lake.run("run", "small", "--run-id", "lost-1")
    before, syncs = lake.events("lost-1"), lake.syncs()
    kept = lake.folder / ".etltctl" / "runs" / "lost-1.ndjson"
    kept.unlink()
    (row,) = lake.json("runs", "rebuild", "lost-1")["rows"]
    assert (row["run"], row["pipeline"], row["remote runs"]) == ("lost-1", "small", 2)

    def remote(events: list[dict[str, Any]]) -> dict[str, str]:
        return {
            e["step"]: e["remote_id"] for e in events if e["type"].startswith("remote.") and "remote_id" in e
        }

    assert remote(lake.events("lost-1")) == remote(before)
    newer = lake.json("run", "small", "--run-id", "newer-than-lost-1")
    assert newer["outcome"] == "succeeded"
    again = lake.json("retry", "lost-1")
    assert [step["verb"] for step in again["steps"]] == ["reused", "reused", ""]
    assert (lake.starts("lost-1")["glue"], lake.syncs()) == (1, syncs + 1)
    versions = {t["table"]: t["version"] for t in lake.json("athena", "tables")["rows"]}
    assert versions["small"] == "newer-than-lost-1", "the newer version stays published"
    assert lake.json("runs", "rebuild", "lost-1")["rows"] == [], "an existing record is not changed"


def test_one_job_of_a_run_is_resumed_without_waiting(lake: SpoiltLake) -> None:
    lake.run("run", "small", "--run-id", "unwaited")
    resumed = lake.run("run-glue", "small", "--run-id", "unwaited", "-o", "json")
    assert json.loads(resumed.stdout)["verb"] == "reused"
    assert lake.starts("unwaited")["glue"] == 1


def test_a_failed_start_without_waiting_is_recorded(lake: SpoiltLake) -> None:
    refused = {"status": 400, "body": {"__type": "InvalidInputException", "message": "as intended"}}
    lake.spoil({"call": "StartJobRun", "refuse": refused})
    lake.run("run-glue", "small", "--run-id", "unwaited-failed", code=1)
    ended = of_type(lake, "unwaited-failed", "step.finished", "run.finished")
    assert [event["outcome"] for event in ended] == ["failed", "failed"]
    assert "as intended" in ended[0]["error"]
    (shown,) = [r for r in lake.json("runs", "list")["rows"] if r["run"] == "unwaited-failed"]
    assert shown["outcome"] == "failed"


def test_a_run_of_one_target_is_not_resumed_as_a_run_of_another(lake: SpoiltLake) -> None:
    done = lake.run("run", "api", "--run-id", "undisturbed", code=2)
    assert "run undisturbed is a run of small, not of api" in done.stderr
    assert lake.starts("undisturbed")["glue"] == 1


def test_a_run_with_unreadable_events_is_named_and_rebuilt(lake: SpoiltLake) -> None:
    lake.run("run", "small", "--run-id", "emptied")
    (lake.folder / ".etltctl" / "runs" / "emptied.ndjson").write_text("[1]\n")
    for command in ("retry", "runs show", "runs watch", "runs logs"):
        errors = lake.run(*command.split(), "emptied", code=2).stderr
        assert "nothing is on record of run emptied" in errors
        assert "etltctl runs rebuild emptied" in errors
    (row,) = lake.json("runs", "rebuild", "emptied")["rows"]
    assert row["run"] == "emptied"
    assert [step["verb"] for step in lake.json("retry", "emptied")["steps"]][1] == "reused"
    assert lake.starts("emptied")["glue"] == 1
