"""Both DAGs on a real scheduler, triggerer and web server, on Airflow 3.x and 2.11: success, crashes, kills, clears."""

from __future__ import annotations

import os
import re
import signal
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from etltctl.pipeline import RunId
from support.live import Site
from support.pages import keep_page

pytestmark = [pytest.mark.airflow, pytest.mark.e2e]

GLUE = {"run_glue_job_bronze", "run_glue_job_silver"}


def run_id(dag: str, run: str) -> str:
    return RunId(f"{dag}-{run}").safe


def types(site: Site, dag: str, run: str) -> list[str]:
    return [event["type"] for event in site.lake.events(run_id(dag, run))]


def verbs(site: Site, dag: str, run: str) -> list[str]:
    return [
        e["verb"] for e in site.lake.events(run_id(dag, run)) if e["type"] == "step.finished" and "verb" in e
    ]


def wait_for_event(site: Site, dag: str, run: str, type_: str) -> dict[str, Any]:
    site.airflow.wait_until(lambda: type_ in types(site, dag, run), 180, f"the ledger has {type_}")
    return [event for event in site.lake.events(run_id(dag, run)) if event["type"] == type_][-1]


def glue_states(site: Site, dag: str, run: str) -> list[str]:
    mine = [
        record for record in site.lake.glue_runs() if record["Arguments"].get("--run_id") == run_id(dag, run)
    ]
    return [record["JobRunState"] for record in mine]


def test_both_dags_succeed_without_holding_a_slot_while_waiting_and_gold_is_right(site: Site) -> None:
    runs = {dag: site.airflow.trigger(dag) for dag in ("dag_mongodb", "dag_api")}
    deferred: set[tuple[str, str]] = set()
    deadline = time.monotonic() + 600
    while {site.airflow.state(dag, run) for dag, run in runs.items()} & {"queued", "running"}:
        assert time.monotonic() < deadline, f"the runs do not end; logs: {site.airflow.home}"
        for dag, run in runs.items():
            states = {task: instance["state"] for task, instance in site.airflow.tasks(dag, run).items()}
            deferred |= {(dag, task) for task, state in states.items() if state == "deferred"}
        time.sleep(1)
    final = {
        dag: {t: f["state"] for t, f in site.airflow.tasks(dag, run).items()} for dag, run in runs.items()
    }
    assert {state for tasks in final.values() for state in tasks.values()} == {"success"}, final
    assert {task for _, task in deferred} >= GLUE, deferred
    for dag, run in runs.items():
        assert verbs(site, dag, run) == ["started", "started", "started", ""]
        keep_page(site.airflow, dag, run)
    champions = site.lake.query(
        "select count(*) as n from pi_m3_gold.f1_driver_championship where position = 1"
    )
    assert champions == [{"n": 1}]
    days = site.lake.query("select count(*) as n from pi_m3_gold.weather_daily")
    assert days[0]["n"] > 700


def test_gold_tables_are_reported_as_assets_with_their_outcome(site: Site) -> None:
    path = "/assets/events" if site.airflow.version == 3 else "/datasets/events"
    answer = site.airflow.ask("GET", f"{path}?limit=100")
    events = answer.get("asset_events") or answer.get("dataset_events")
    extras = {event.get("uri") or event.get("dataset_uri"): event["extra"] for event in events}
    assert extras["x-etltctl://gold/weather_daily"]["verb"] == "started"
    assert extras["x-etltctl://gold/f1_driver_championship"]["rows"] == 20  # drivers of the invented season


def test_a_retry_adopts_the_remote_run_of_a_worker_killed_during_its_wait(site: Site) -> None:
    with site.lake.slow_job(45.0):
        run = site.airflow.trigger("dag_held")
        wait_for_event(site, "dag_held", run, "step.progress")
        pid = site.airflow.wait_for("dag_held", run, "held", "running")["pid"]
        parent = int(re.search(r"^PPid:\t(\d+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)[1])
        assert parent in site.airflow.family()
        for victim in (parent, pid):
            with suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
        wait_for_event(site, "dag_held", run, "remote.adopted")
        assert site.airflow.wait_for_end("dag_held", run) == "success"
    assert glue_states(site, "dag_held", run) == ["SUCCEEDED"]
    assert verbs(site, "dag_held", run) == ["adopted"]
    assert site.airflow.tasks("dag_held", run)["held"]["try_number"] == 2


def test_another_triggerer_continues_the_wait_of_one_that_was_killed(site: Site) -> None:
    with site.lake.slow_job(20.0):
        run = site.airflow.trigger("dag_small")
        site.airflow.wait_for("dag_small", run, "deferred", "deferred")
        site.airflow.kill_service("triggerer")
        site.airflow.start_service("triggerer")
        assert site.airflow.wait_for_end("dag_small", run) == "success"
    assert glue_states(site, "dag_small", run) == ["SUCCEEDED"]
    assert site.airflow.tasks("dag_small", run)["deferred"]["try_number"] == 1


@pytest.mark.parametrize(
    ("dag", "task", "state"), [("dag_small", "deferred", "deferred"), ("dag_held", "held", "running")]
)
def test_a_waiting_task_that_is_marked_failed_stops_its_glue_run(
    site: Site, dag: str, task: str, state: str
) -> None:
    with site.lake.slow_job(60.0):
        run = site.airflow.trigger(dag)
        wait_for_event(site, dag, run, "remote.started")
        site.airflow.wait_for(dag, run, task, state)
        if state == "deferred":
            site.airflow.wait_for_trigger(dag, run, task)
        site.airflow.wait_until(lambda: glue_states(site, dag, run) == ["RUNNING"], 60, "Glue runs it")
        site.airflow.mark_failed(dag, run, task)
        assert wait_for_event(site, dag, run, "remote.stopped")["stopped_by"] == "Airflow"
        site.airflow.wait_until(lambda: glue_states(site, dag, run) == ["STOPPED"], 60, "Glue has stopped it")
    assert site.airflow.tasks(dag, run)[task]["state"] == "failed"


def test_a_cleared_task_reports_that_it_reused_and_starts_again_if_fresh_is_set(site: Site) -> None:
    run = site.airflow.trigger("dag_small")
    assert site.airflow.wait_for_end("dag_small", run) == "success"
    site.airflow.clear("dag_small", run, "deferred")
    assert site.airflow.wait_for_end("dag_small", run) == "success"
    assert verbs(site, "dag_small", run) == ["started", "reused"]
    assert "nothing was started and nothing ran" in site.airflow.log("dag_small", run, "deferred")

    run = site.airflow.trigger("dag_small", fresh=True)
    assert site.airflow.wait_for_end("dag_small", run) == "success"
    site.airflow.clear("dag_small", run, "deferred")
    assert site.airflow.wait_for_end("dag_small", run) == "success"
    assert verbs(site, "dag_small", run) == ["started", "started"]
    assert glue_states(site, "dag_small", run) == ["SUCCEEDED"] * 2


def test_a_permanent_failure_is_summarised_in_the_task_s_log_and_not_retried(site: Site) -> None:
    settings = site.lake.folder / "etltctl.toml"
    before = settings.read_text()
    settings.write_text(before.replace('"glue:small", ', ""))
    try:
        run = site.airflow.trigger("dag_held")
        assert site.airflow.wait_for_end("dag_held", run) == "failed"
    finally:
        settings.write_text(before)
    assert site.airflow.tasks("dag_held", run)["held"]["try_number"] == 1
    log = site.airflow.log("dag_held", run, "held")
    assert "pipeline small has no step glue:small" in log
    assert "etltctl runs show dag_held-" in log
    assert glue_states(site, "dag_held", run) == []
