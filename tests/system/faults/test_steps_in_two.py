"""Steps that one process starts and another finishes, as in deferred tasks: they end as in a single process."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from etltctl.errors import (
    BudgetError,
    ConfigurationError,
    DetachedError,
    UnreachableError,
    UsageError,
    WaitTimeoutError,
)
from etltctl.pipeline import (
    StepHandle,
    describe_failure,
    finish_step,
    run_step,
    start_step,
    stop_step,
    wait_for_step,
)
from support.spoilt import SpoiltLake

pytestmark = pytest.mark.faults

WALK = ["sync:api", "glue:small", "athena:refresh"]


@pytest.fixture
def here(lake: SpoiltLake, monkeypatch: pytest.MonkeyPatch) -> SpoiltLake:
    """Yield the lake, with this process's environment pointed to it."""
    monkeypatch.chdir(lake.folder)
    for name, value in lake.json("local", "up")["environ"].items():
        monkeypatch.setenv(name, value)
    return lake


def in_two(step: str, run_id: str, **options: Any) -> dict[str, Any]:
    """Start, await and finish the step as if in three processes: only JSON passes from one to the next."""
    handle = json.dumps(start_step("small", step, run_id=run_id, **options).as_dict())
    asyncio.run(wait_for_step(StepHandle(**json.loads(handle))))
    return finish_step(StepHandle(**json.loads(handle)))


def recorded_steps(lake: SpoiltLake, run_id: str) -> list[tuple[str, str]]:
    """Return a run's recorded events, without the polls and the estimates, which depend on the time of day."""
    passing = {"step.progress", "cost.estimate"}
    return [(e["type"], e["step"]) for e in lake.events(run_id) if e["type"] not in passing]


def test_a_cost_limit_set_by_one_task_applies_to_later_tasks(here: SpoiltLake) -> None:
    run_step("small", WALK[0], run_id="limited-tasks", max_usd=2)
    here.spoil({"call": "GetJobRun", "change": {"DPUSeconds": 36_000.0}, "times": 0})
    with here.held_job(), pytest.raises(BudgetError, match=r"max_usd of the run leaves 2.00 USD"):
        in_two(WALK[1], "limited-tasks")
    here.spoil()
    run_step("small", WALK[1], run_id="limited-tasks", max_usd=50)
    kept = [e["options"] for e in here.events("limited-tasks") if e["type"] in ("run.started", "run.options")]
    assert kept == [{"max_usd": 2}, {"max_usd": 50}]


def test_the_command_line_and_tasks_in_one_process_or_several_record_the_same_events(
    here: SpoiltLake,
) -> None:
    here.run("run", "small", "--run-id", "by-command")
    for step in WALK:
        run_step("small", step, run_id="in-one")
    for step in WALK:  # in sequence, because only the first refresh after a sync finds its rows
        in_two(step, "in-two")
    assert (
        recorded_steps(here, "in-two") == recorded_steps(here, "in-one") == recorded_steps(here, "by-command")
    )
    results = [
        {k: v for k, v in e.items() if k in ("verb", "rows", "outcome")} for e in here.events("in-two")
    ]
    assert results[-1] == {"outcome": "succeeded"}
    assert {"verb": "started", "rows": 5, "outcome": "succeeded"} in results


def test_a_job_over_budget_ends_the_wait_and_is_stopped_by_the_finishing_process(
    here: SpoiltLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ETLTCTL__GLUE__JOBS__SMALL__MAX_USD", "1.5")
    with here.held_job():
        handle = start_step("small", "glue:small", run_id="dear-in-two")
        here.spoil({"call": "GetJobRun", "change": {"DPUSeconds": 36_000.0}, "times": 0})
        asyncio.run(wait_for_step(handle))
        with pytest.raises(BudgetError, match=r"was stopped: 4\.40 USD so far"):
            finish_step(handle)
        here.spoil()
        here.settle()
    (run,) = [run for run in here.glue_runs() if run["Arguments"].get("--run_id") == "dear-in-two"]
    assert run["JobRunState"] == "STOPPED"


def test_a_step_whose_first_process_died_is_adopted_and_finished_by_the_next(here: SpoiltLake) -> None:
    with here.held_job():
        start_step("small", "glue:small", run_id="died")
        adopted = start_step("small", "glue:small", run_id="died")
        here.let_go()
        asyncio.run(wait_for_step(adopted))
        assert finish_step(adopted)["verb"] == "adopted"
    assert in_two("glue:small", "died")["verb"] == "reused"
    assert here.starts("died")["glue"] == 1


def test_a_fresh_start_happens_once_for_each_fresh_for_name(here: SpoiltLake) -> None:
    verbs = [
        in_two("glue:small", "fresh-names", fresh=True, fresh_for=name)["verb"]
        for name in ("clear 0", "clear 0", "clear 4", "clear 4")
    ]
    assert verbs == ["started", "reused", "started", "reused"]


@pytest.mark.parametrize(("detach", "state"), [(False, "STOPPED"), (True, "RUNNING")])
def test_a_remote_run_whose_waiting_task_is_ended_follows_the_stop_policy(
    here: SpoiltLake, detach: bool, state: str
) -> None:
    run_id = f"ended-{state}".lower()
    with here.held_job():
        start_step("small", "glue:small", run_id=run_id)
        here.wait_for_state(run_id, "RUNNING", in_ledger=False)
        stopped = stop_step("glue:small", run_id=run_id, by="a test", detach=detach)
        assert stopped is not None
        here.wait_for_state(run_id, state, in_ledger=False)
    (event,) = [e for e in here.events(run_id) if e["type"] in {"remote.stopped", "remote.detached"}]
    assert event.get("stopped_by", event.get("detached_by")) == "a test"
    assert here.events(run_id)[-1]["outcome"] == ("detached" if detach else "interrupted")


class OutOfTimeError(BaseException):
    """The exception that a scheduler's time limit raises."""


@pytest.mark.parametrize(
    ("policy", "event_type"), [("stop", "remote.stopped"), ("detach", "remote.detached")]
)
def test_a_time_limit_during_the_wait_follows_the_stop_policy(
    here: SpoiltLake, monkeypatch: pytest.MonkeyPatch, policy: str, event_type: str
) -> None:
    def time_is_up(event: Any) -> None:
        if event["type"] == "step.progress":
            raise OutOfTimeError

    monkeypatch.setenv("ETLTCTL__AIRFLOW__ON_KILL", policy)
    with here.held_job(), pytest.raises((OutOfTimeError, DetachedError)):
        run_step("small", "glue:small", run_id=f"limit-{policy}", on_event=time_is_up)
    assert event_type in [event["type"] for event in here.events(f"limit-{policy}")]


@pytest.mark.parametrize(
    ("policy", "event_type"), [("stop", "remote.stopped"), ("detach", "remote.detached")]
)
def test_the_first_decision_about_a_remote_run_stays(
    here: SpoiltLake, monkeypatch: pytest.MonkeyPatch, policy: str, event_type: str
) -> None:
    """A scheduler that marks a task failed calls its `on_kill`, and then ends the wait with an exception."""
    run_id = f"decided-{policy}"

    def on_kill(event: Any) -> None:
        if event["type"] == "step.progress":
            stop_step("glue:small", run_id=run_id, by="Airflow", detach=policy == "detach")
            raise OutOfTimeError

    monkeypatch.setenv("ETLTCTL__AIRFLOW__ON_KILL", policy)
    with here.held_job():
        with pytest.raises(DetachedError if policy == "detach" else OutOfTimeError):
            run_step("small", "glue:small", run_id=run_id, on_event=on_kill)
        assert stop_step("glue:small", run_id=run_id, by="a second one") is None
    decisions = [e for e in here.events(run_id) if e["type"] in {"remote.stopped", "remote.detached"}]
    assert [(e["type"], e.get("stopped_by", e.get("detached_by"))) for e in decisions] == [
        (event_type, "Airflow")
    ]
    assert here.events(run_id)[-1]["outcome"] == ("detached" if policy == "detach" else "interrupted")


def test_nothing_is_stopped_if_the_run_has_no_live_remote_run(here: SpoiltLake) -> None:
    assert stop_step("glue:small", run_id="never-began", by="a test") is None
    in_two("glue:small", "over")
    assert stop_step("glue:small", run_id="over", by="a test") is None


def test_a_sync_that_another_caller_started_is_stopped_by_no_try(here: SpoiltLake) -> None:
    # Hold the source's first page, so that the sync keeps running.
    here.spoil({"call": "GET /sample*", "hold": "before"})
    owner = start_step("small", "sync:api", run_id="owner")
    for _ in range(2):
        guest = start_step("small", "sync:api", run_id="guest")
        assert (guest.verb, guest.remote_id, guest.is_ours) == ("adopted", owner.remote_id, False)
        assert stop_step("sync:api", run_id="guest", by="a test") is None
    (row,) = here.json("runs", "cancel", "guest")["rows"]
    assert (row["remote run"], row["done"]) == (owner.remote_id, "goes on: another caller started it")
    assert here.met() == 1
    here.spoil()
    asyncio.run(wait_for_step(owner))
    assert finish_step(owner)["rows"] > 0


@pytest.mark.parametrize(
    "is_lost", [True, False], ids=["the answer to its start was lost", "another caller's job blocks it"]
)
def test_a_sync_belongs_to_the_run_only_if_the_run_started_it(here: SpoiltLake, is_lost: bool) -> None:
    """The first try's job was cancelled; the second try finds its own job, or another caller's job blocks it."""
    run_id, slow = f"whose-{is_lost}", {"call": "GET /sample*", "delay": 8}
    here.spoil(slow)
    first = start_step("small", "sync:api", run_id=run_id)
    assert stop_step("sync:api", run_id=run_id, by="a test") is not None
    here.spoil(slow, {"call": "POST /jobs", "lose": True})
    if not is_lost:
        here.spoil(slow)
        start_step("small", "sync:api", run_id=f"{run_id}-owner")
    handle = start_step("small", "sync:api", run_id=run_id)
    assert (handle.verb, handle.is_ours) == ("adopted", is_lost)
    assert handle.remote_id != first.remote_id
    assert (stop_step("sync:api", run_id=run_id, by="a test") is not None) is is_lost
    stop_step("sync:api", run_id=f"{run_id}-owner", by="a test")


def test_a_wait_that_exceeded_its_timeout_in_another_process_is_over_here(here: SpoiltLake) -> None:
    with here.held_job():
        handle = start_step("small", "glue:small", run_id="too-long")
        late = StepHandle(**{**handle.as_dict(), "began": handle.began - 86400})
        with pytest.raises(WaitTimeoutError, match="still"):
            asyncio.run(wait_for_step(late))
        with pytest.raises(WaitTimeoutError, match="still"):
            finish_step(late)
        stop_step("glue:small", run_id="too-long", by="a test")


@pytest.mark.parametrize(
    ("pipeline", "step", "message"),
    [("smal", "glue:small", "no pipeline is called smal"), ("small", "glue:big", "has no step glue:big")],
)
def test_an_unknown_step_or_pipeline_is_named_before_anything_starts(
    here: SpoiltLake, pipeline: str, step: str, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        start_step(pipeline, step, run_id="nothing")
    assert here.events("nothing") == []


@pytest.mark.parametrize(
    ("variable", "value", "error", "message"),
    [
        ("CLIENT_ID", "env:NOT_SET_ANYWHERE", ConfigurationError, "NOT_SET_ANYWHERE"),
        ("URL", "http://127.0.0.1:1/v1", UnreachableError, "http://127.0.0.1:1/v1 did not answer"),
    ],
)
def test_a_task_that_cannot_reach_airbyte_says_what_is_wrong_and_starts_nothing(
    here: SpoiltLake,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str,
    error: type[Exception],
    message: str,
) -> None:
    before = here.syncs()
    monkeypatch.setenv(f"ETLTCTL__AIRBYTE__{variable}", value)
    with pytest.raises(error, match=message):
        start_step("small", "sync:api", run_id=f"wrong-{variable}")
    assert here.syncs() == before
    assert here.events(f"wrong-{variable}")[-1]["outcome"] == "failed"


def test_a_failed_task_reports_its_cause_the_run_s_steps_and_the_next_command(here: SpoiltLake) -> None:
    in_two("sync:api", "reported")
    here.spoil({"call": "GetJobRun", "change": {"JobRunState": "TIMEOUT"}, "times": 0})
    with pytest.raises(Exception, match="ended TIMEOUT") as caught:
        run_step("small", "glue:small", run_id="reported")
    wrapped = RuntimeError("the scheduler's wrapper")
    wrapped.__cause__ = caught.value
    text = describe_failure(wrapped, "reported")
    for part in ("ended TIMEOUT", "sync:api: succeeded", "glue:small: failed jr_", "etltctl retry reported"):
        assert part in text
    assert describe_failure("gone", "nothing-of-it").startswith("run nothing-of-it failed: gone")
