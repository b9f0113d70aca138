"""Limits of cost stop runs, and every cost is billed to its step."""

from __future__ import annotations

import time

import pytest

from etltctl.testing import refused
from support.event_streams import of_type
from support.spoilt import SpoiltLake

pytestmark = pytest.mark.faults
DEAR = {"call": "GetJobRun*", "change": {"DPUSeconds": 36_000.0}, "times": 0}  # 4.40 USD at 0.44 USD an hour


def test_a_job_over_budget_is_stopped_while_it_runs_and_the_reason_is_kept(lake: SpoiltLake) -> None:
    limited = {"ETLTCTL__GLUE__JOBS__SMALL__MAX_USD": "1.5"}
    with lake.held_script():
        lake.spoil({**DEAR, "call": "GetJobRun"})
        done = lake.run("run-glue", "small", "--wait", "--run-id", "over-budget", code=9, **limited)
        lake.spoil()
        lake.settle()
    assert "was stopped: 4.40 USD so far, and glue.jobs.small.max_usd leaves 1.50 USD" in done.stderr
    (run,) = [run for run in lake.glue_runs() if run["Arguments"].get("--run_id") == "over-budget"]
    assert run["JobRunState"] == "STOPPED"
    (stopped,) = of_type(lake, "over-budget", "remote.stopped")
    assert stopped["stopped_by"] == "glue.jobs.small.max_usd"
    assert "4.40 USD" in stopped["reason"]
    (billed,) = of_type(lake, "over-budget", "cost.actual")
    assert billed["usd"] == 4.4
    again = lake.run("run-glue", "small", "--wait", "--run-id", "over-budget", code=9, **limited)
    assert "glue.jobs.small.max_usd leaves 0.00 USD" in again.stderr, "the cost of earlier tries counts"
    assert lake.starts("over-budget")["glue"] == 1


def test_a_whole_run_has_a_cost_limit(lake: SpoiltLake) -> None:
    lake.spoil({**DEAR, "call": "GetJobRun"})
    with lake.held_script():
        done = lake.run("run", "small", "--run-id", "whole-limit", "--max-usd", "2", code=9)
        lake.spoil()
        lake.settle()
    assert "max_usd of the run leaves 2.00 USD" in done.stderr


def test_every_command_that_resumes_a_run_keeps_its_cost_limit(lake: SpoiltLake) -> None:
    lake.spoil(*refused("StartJobRun", "InvalidInputException"))
    lake.run("run", "small", "--run-id", "limited", "--max-usd", "2", code=1)
    with lake.held_script():
        lake.spoil({**DEAR, "call": "GetJobRun"})
        done = lake.run("retry", "limited", code=9)
        lake.spoil()
        lake.settle()
    assert "max_usd of the run leaves 2.00 USD" in done.stderr
    lake.run("retry", "limited", "--max-usd", "50")
    options = [event["options"] for event in of_type(lake, "limited", "run.started")]
    assert options == [{"max_usd": 2.0}, {"max_usd": 2.0}, {"max_usd": 50.0}]


def test_the_same_query_under_the_same_run_id_is_paid_once(lake: SpoiltLake) -> None:
    sql = "select count(*) as n from pi_m3_gold.small"
    command = ("athena", "query", sql, "--run-id", "asked-once")
    first = lake.json(*command)
    time.sleep(2.1)  # Athena gives the time of a query's submission in whole seconds
    again = lake.json(*command)
    assert (first["verb"], again["verb"], again["query_id"]) == ("started", "reused", first["query_id"])
    assert lake.json("athena", "query", sql)["query_id"] != first["query_id"]


def test_every_check_of_a_step_is_billed_to_it(lake: SpoiltLake) -> None:
    settings = lake.folder / "etltctl.toml"
    kept = settings.read_text()
    rules = '[tables."gold.small"]\nkeys = ["n"]\nnot_null = ["n"]\n[prices.regions.us-east-1]\nathena_tb_usd = 1e6\n'
    settings.write_text(kept + "\n" + rules)
    try:
        lake.run("run-glue", "small", "--wait", "--run-id", "checked")
    finally:
        settings.write_text(kept)
    queries = of_type(lake, "checked", "query.started")
    billed = of_type(lake, "checked", "cost.actual")
    assert queries
    assert [bill["remote_id"] for bill in billed] == [query["remote_id"] for query in queries]
    assert all(bill["usd"] == 10.0 for bill in billed), "ten megabytes at least, at the region's price"
