"""Checks and contracts as a user meets them: failures are named with their rows, and the current version stays."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from support.job_scripts import writing
from support.spoilt import SCRIPT, SpoiltLake

pytestmark = pytest.mark.faults

RULES = '\n[tables."gold.small"]\nkeys = ["n"]\nranges = { n = { max = 4 } }\n'


@contextmanager
def changed(lake: SpoiltLake, script: str, rules: str = "") -> Iterator[None]:
    """Replace the job's script and the settings' rules within the block."""
    job, settings = lake.folder / "small.py", lake.folder / "etltctl.toml"
    before = settings.read_text()
    job.write_text(script)
    settings.write_text(before + rules)
    try:
        yield
    finally:
        job.write_text(SCRIPT)
        settings.write_text(before)


def test_a_version_that_fails_its_check_is_exit_5_and_is_not_published(lake: SpoiltLake) -> None:
    lake.run("run-glue", "small", "--wait", "--run-id", "sound")
    bad = writing({"n": [1, 2, 2, 3, 9]})
    with changed(lake, bad, RULES):
        done = lake.run("run-glue", "small", "--wait", "--run-id", "unsound", code=5)
    assert "the new version of gold.small fails its checks" in done.stderr
    assert '{"n": 9}' in done.stderr
    assert '{"n": 2, "times": 2}' in done.stderr
    events = map(json.loads, lake.run("runs", "show", "unsound", "-o", "ndjson").stdout.splitlines())
    assert {
        (e["step"], e["table"], e["rule"], e["count"], json.dumps(e["rows"]), e["reaction"])
        for e in events
        if e["type"] == "check.result"
    } == {
        ("glue:small", "gold.small", "n > 4", 1, '[{"n": 9}]', "freeze"),
        ("glue:small", "gold.small", "n not unique", 1, '[{"n": 2, "times": 2}]', "freeze"),
    }
    assert lake.query("select count(*) as n, max(n) as most from pi_m3_gold.small") == [{"n": 5, "most": 4}]
    # Without the rules, the written version is audited again and no job runs.
    retried = lake.run("retry", "unsound")
    assert "reused" in retried.stderr
    assert lake.query("select max(n) as most from pi_m3_gold.small") == [{"most": 9}]
    lake.run("rollback", "gold.small", "--to", "sound")


def test_a_dropped_column_is_exit_5_until_it_is_accepted(lake: SpoiltLake) -> None:
    renamed = writing({"number": range(5)})
    with changed(lake, renamed):
        done = lake.run("run-glue", "small", "--wait", "--run-id", "renamed", code=5)
    assert "gold.small breaks its contract: n dropped" in done.stderr
    assert "it looks renamed to number" in done.stderr
    assert "nothing has to be rolled back; if it is meant: etltctl contract accept gold.small" in done.stderr
    assert "then etltctl retry renamed; if not, correct the source or the job first" in done.stderr
    rows = list(
        csv.reader(lake.run("contract", "diff", "gold.small", "-o", "csv", code=5).stdout.splitlines())
    )
    assert rows[1][:6] == ["gold.small", "dropped", "n", "bigint", "", "blocked"]
    assert rows[1][6].startswith("it looks renamed to number")
    lake.run("contract", "accept", "gold.small")
    assert lake.json("contract", "diff", "gold.small")["rows"] == []
    lake.run("retry", "renamed")
    assert lake.query("select count(number) as n from pi_m3_gold.small") == [{"n": 5}]
    lake.run("run-glue", "small", "--wait", "--run-id", "back", code=5)
    lake.run("contract", "accept", "gold.small")
    lake.run("retry", "back")
