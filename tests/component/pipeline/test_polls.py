"""The polls of a run: an observer sees each of them, with what the run has cost so far."""

from __future__ import annotations

import pytest

from etltctl.errors import RunFailedError
from etltctl.pipeline import RunOptions, run_pipeline, spent_usd, watch
from etltctl.runs import QueryExecution, Run, State
from support.scripted import Place, job_run, lists, polled, started


def test_an_observer_sees_every_poll_with_the_cost_so_far(place: Place) -> None:
    seen: list[tuple[str, str, float]] = []

    def on_poll(step: str, run: Run) -> None:
        seen.append((step, run.status, spent_usd(step, run, place.settings)))

    facts = {"NumberOfWorkers": 2, "WorkerType": "G.1X", "ExecutionTime": 3600}
    running, ended = job_run("RUNNING", "polled", **facts), job_run("SUCCEEDED", "polled", **facts)
    place.lake.script(lists(), started(), polled(running, running, ended))
    run_pipeline("often", place.settings, RunOptions("polled", on_poll=on_poll))
    dollars = 2 * place.settings.prices.glue_dpu_hour_usd
    assert (
        seen
        == [("glue:often", status, dollars) for status in ("RUNNING", "RUNNING", "SUCCEEDED")][-len(seen) :]
    )
    assert len(seen) >= 2


def test_an_observer_sees_the_polls_of_a_run_that_another_process_drives(place: Place) -> None:
    place.lake.script(polled(job_run("RUNNING", "watched"), job_run("FAILED", "watched")), lists())
    ledger = place.ledger("watched")
    ledger.append("run.started", pipeline="often", steps=["glue:often"])
    ledger.append("step.planned", "glue:often")
    ledger.append("remote.started", "glue:often", service="Glue", remote_id="jr_1", state="RUNNING")
    seen: list[tuple[str, str]] = []
    options = RunOptions(on_poll=lambda step, run: seen.append((step, run.status)))
    with pytest.raises(RunFailedError):
        watch(place.events("watched"), place.settings, options)
    assert seen == [("glue:often", "RUNNING")]


def test_a_query_costs_the_price_of_the_bytes_that_it_has_read_so_far(place: Place) -> None:
    reading = QueryExecution("q", "RUNNING", State.RUNNING, scanned_bytes=2 * 10**12)
    assert spent_usd("sql:any", reading, place.settings) == 2 * place.settings.prices.athena_tb_usd
    assert spent_usd("athena:refresh", reading, place.settings) == 0.0
