"""Rollback to an earlier version: one catalog call, the same bytes, and only to a published version."""

from __future__ import annotations

import re

import pytest

from support.job_scripts import writing
from support.spoilt import SCRIPT, SpoiltLake

pytestmark = pytest.mark.faults


def version_and_rows(lake: SpoiltLake) -> tuple[str, int]:
    (table,) = [t for t in lake.json("athena", "tables")["rows"] if t["table"] == "small"]
    (row,) = lake.query("select count(*) as n from pi_m3_gold.small")
    return table["version"], row["n"]


def test_after_a_rollback_readers_see_the_earlier_version_until_the_next_run(lake: SpoiltLake) -> None:
    lake.run("run-glue", "small", "--wait", "--run-id", "good")
    script = lake.folder / "small.py"
    script.write_text(writing({"n": range(3)}))
    try:
        lake.run("run-glue", "small", "--wait", "--run-id", "bad")
    finally:
        script.write_text(SCRIPT)
    assert version_and_rows(lake) == ("bad", 3)
    done = lake.run("rollback", "gold.small")
    assert "gold.small is version good again: 5 rows" in done.stdout
    assert version_and_rows(lake) == ("good", 5)
    lake.run("rollback", "gold.small", "--to", "bad")
    assert version_and_rows(lake) == ("bad", 3)
    lake.run("run-glue", "small", "--wait", "--run-id", "next")
    assert version_and_rows(lake) == ("next", 5)
    described = lake.json("athena", "describe", "gold.small")["rows"]
    assert [row["name"] for row in described if row["part"] == "version"][:3] == ["next", "bad", "good"]
    since = next(row["type"] for row in described if row["name"] == "bad")
    assert re.fullmatch(r"out of use since \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", since)
    assert {"part": "column", "name": "n", "type": "bigint", "description": ""} in described


def test_only_a_published_version_can_be_rolled_back_to(lake: SpoiltLake) -> None:
    done = lake.run("rollback", "gold.small", "--to", "never", code=5)
    assert "has no published version never" in done.stderr
    assert "next: etltctl rollback gold.small --to bad  # published: next, bad, good" in done.stderr
    assert "did you mean gold.small?" in lake.run("rollback", "gold.smal", code=2).stderr
    assert "did you mean gold.small?" in lake.run("athena", "describe", "small", code=2).stderr
    assert "no table is called nowhere" in lake.run("athena", "describe", "nowhere", code=2).stderr
