"""Earlier runs, read back from the ledger."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from etltctl.errors import UsageError
from etltctl.history import Cost, Having, costs, find_run, run_to_retry, summaries
from etltctl.ledger import DiskStore, Ledger
from etltctl.pipeline import read_logs, resume
from etltctl.settings import Settings, load_settings
from support.recorded_runs import started_run


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(env="local", environ={"ETLTCTL_STATE_DIR": str(tmp_path)})


@pytest.fixture
def store(tmp_path: Path) -> DiskStore:
    return DiskStore(tmp_path / "runs")


def test_a_run_is_described_by_its_first_and_last_event(settings: Settings, store: DiskStore) -> None:
    started_run(store, "r1").append("run.finished", outcome="succeeded", seconds=1.5)
    failed = started_run(store, "r2")
    failed.append("step.finished", "glue:job", outcome="failed")
    failed.append("run.finished", outcome="failed", seconds=2.0)
    started_run(store, "r3")
    runs = {run.run_id: (run.outcome, run.seconds, run.stopped_at) for run in summaries(settings, 9)}
    assert runs == {
        "r1": ("succeeded", 1.5, ""), "r2": ("failed", 2.0, "glue:job"), "r3": ("unfinished", None, ""),
    }  # fmt: skip
    assert [run.run_id for run in summaries(settings, 1)] == ["r3"]


def test_a_run_of_a_later_etltctl_hides_no_other(settings: Settings, store: DiskStore) -> None:
    started_run(store, "r1")
    store.add("r2", lambda _: '{"type": "version", "schema": "etltctl.events/2.0"}\n')
    outcomes = {run.run_id: run.outcome for run in summaries(settings, 9)}
    assert outcomes == {"r1": "unfinished", "r2": "written by a later etltctl"}
    with pytest.raises(UsageError, match=r"etltctl\.events/2\.0"):
        find_run(settings, "r2")


def test_the_end_of_an_id_is_enough_if_it_belongs_to_one_run(settings: Settings, store: DiskStore) -> None:
    started_run(store, "a-x1")
    started_run(store, "b-x1")
    assert find_run(settings, "a-x1")[0]["run_id"] == "a-x1"
    with pytest.raises(UsageError, match="2 runs end with x1"):
        find_run(settings, "x1")
    with pytest.raises(UsageError, match="no run is called y"):
        find_run(settings, "y")


def test_without_a_run_id_the_newest_suitable_run_is_used(settings: Settings, store: DiskStore) -> None:
    with pytest.raises(UsageError, match="there is no run yet") as raised:
        find_run(settings, "", Having.STEPS)
    assert raised.value.hint == "etltctl run mongodb"
    started_run(store, "r1").append("remote.started", "glue:job", remote_id="jr_1")
    started_run(store, "r2")
    Ledger(store, "r3", "local").append("run.started", pipeline="rollback", steps=[])
    store.add("r4", lambda _: '{"type": "version", "schema": "etltctl.events/2.0"}\n')
    run_ids = {having: find_run(settings, "", having)[0]["run_id"] for having in Having}
    story = {Having.STORY: "r2"}  # the rollback has changed nothing so far
    assert run_ids == {Having.EVENTS: "r3", Having.STEPS: "r2", Having.REMOTE_RUNS: "r1", **story}
    changed = {"tables": {"gold.day": {}}, "version": "v1"}
    Ledger(store, "r3", "local").append("publish.switched", **changed)
    assert find_run(settings, "", Having.STORY)[0]["run_id"] == "r3"
    with pytest.raises(UsageError, match="run r3 is a rollback: it has no steps to resume"):
        resume(find_run(settings, "r3"), settings)
    with pytest.raises(UsageError, match=r"run r3 \(rollback\) has no remote run to read"):
        read_logs(find_run(settings, "r3"), settings, print)


def stamped(store: DiskStore, run_id: str, *events: tuple[str, str, dict[str, object]]) -> None:
    """Write a run with events at these times of one day."""
    for seq, (at, kind, facts) in enumerate(events, start=1):
        common = {"ts": f"2026-11-25T{at}:00+00:00", "seq": seq, "run_id": run_id, "step": "", "type": kind}
        store.add(run_id, lambda _, line={**common, **facts}: json.dumps(line) + "\n")


def test_without_a_run_id_the_failed_run_that_was_started_last_is_retried(
    settings: Settings, store: DiskStore
) -> None:
    started = {"pipeline": "mongodb", "steps": ["glue:job"]}
    failed, succeeded = {"outcome": "failed"}, {"outcome": "succeeded"}
    begin = "run.started"
    stamped(store, "oldest", ("08:00", begin, started), ("08:30", "run.finished", failed))
    stamped(store, "newest", ("11:00", begin, started), ("11:05", "run.finished", failed))
    stamped(store, "good", ("12:00", begin, started), ("12:05", "run.finished", succeeded))
    stamped(store, "rollback", ("12:30", begin, {"pipeline": "rollback", "steps": []}))
    # An older run that was touched last, as a cancellation does.
    stamped(store, "touched", ("09:00", begin, started), ("13:00", "run.finished", failed))
    stamped(store, "headless", ("12:40", "run.finished", failed))
    choice = run_to_retry(settings, "")
    assert choice.events[0]["run_id"] == "newest"
    assert choice.sentence.startswith("Run newest of mongodb, started at ")
    assert {*choice.newer} == {
        "good succeeded",
        "rollback (rollback) has no steps to retry",
        "the first event of headless is lost, so that its steps are not known",
    }
    assert all(reason in choice.sentence for reason in choice.newer)
    named = run_to_retry(settings, "touched")
    assert (named.events[0]["run_id"], named.sentence) == ("touched", "")


def test_a_run_that_no_newer_one_hides_needs_no_reason(settings: Settings, store: DiskStore) -> None:
    started_run(store, "only").append("run.finished", outcome="failed")
    assert run_to_retry(settings, "").sentence.endswith("is the one to retry.")


def test_if_every_run_has_succeeded_none_is_retried_unless_it_is_named(
    settings: Settings, store: DiskStore
) -> None:
    with pytest.raises(UsageError, match="there is no run yet"):
        run_to_retry(settings, "")
    started_run(store, "r1").append("run.finished", outcome="succeeded")
    started_run(store, "r2").append("run.finished", outcome="succeeded")
    with pytest.raises(UsageError, match=r"no run needs a retry.*nothing was started") as raised:
        run_to_retry(settings, "")
    assert raised.value.hint == "etltctl runs list"
    assert run_to_retry(settings, "r1").events[0]["run_id"] == "r1"


@pytest.mark.parametrize(
    ("tries", "seconds"),
    [
        ([("12:00:10", 10.0), ("13:00:02", 2.0), ("14:00:00", 0.1)], 12.1),
        ([("12:00:10", 10.0), ("13:00:02", 3602.0)], 3602.0),
    ],
    ids=["each try by itself", "both counted from the start of the run"],
)
def test_the_seconds_of_a_run_are_those_of_all_its_tries(
    settings: Settings, store: DiskStore, tries: list[tuple[str, float]], seconds: float
) -> None:
    started_run(store, "r1")
    for at, took in tries:
        event = {"ts": f"2026-11-25T{at}+00:00", "seq": 9, "run_id": "r1", "step": "", "type": "run.finished"}
        line = json.dumps({**event, "outcome": "succeeded", "seconds": took}) + "\n"
        store.add("r1", lambda _, line=line: line)
    assert [run.seconds for run in summaries(settings, 9)] == [seconds]


def test_costs_are_summed_by_the_requested_group(settings: Settings, store: DiskStore) -> None:
    for run_id, pipeline, usd in (("r1", "api", 0.1), ("r2", "mongodb", 0.3), ("r3", "mongodb", 0.2)):
        started_run(store, run_id, pipeline=pipeline, env="aws").append(
            "cost.actual", f"glue:{pipeline}_job", usd=usd
        )
    assert costs(settings, "pipeline") == [
        Cost("mongodb", "aws", 2, 0.5, "actual"),
        Cost("api", "aws", 1, 0.1, "actual"),
    ]
    assert costs(settings, "step")[0] == Cost("glue:mongodb_job", "aws", 2, 0.5, "actual")
    assert [(cost.number, cost.usd) for cost in costs(settings, "day")] == [(3, 0.6)]


def test_runs_on_this_machine_cost_nothing(settings: Settings, store: DiskStore) -> None:
    started_run(store, "r1").append("cost.actual", "glue:job", usd=0.5)
    started_run(store, "r2", env="aws").append("cost.actual", "glue:job", usd=0.2)
    assert costs(settings, "pipeline") == [
        Cost("mongodb", "aws", 1, 0.2, "actual"),
        Cost("mongodb", "local", 1, 0.0, "actual"),
    ]


def test_a_job_run_without_a_reported_cost_counts_as_estimated(settings: Settings, store: DiskStore) -> None:
    live, billed, waiting = (started_run(store, run_id, env="aws") for run_id in ("r1", "r2", "r3"))
    for ledger in (live, billed, waiting):
        ledger.append("cost.estimate", "glue:job", usd=0.4)
    for ledger in (live, billed):
        ledger.append("remote.started", "glue:job", remote_id="jr_1", state="RUNNING")
    billed.append("cost.actual", "glue:job", usd=0.3)
    assert costs(settings, "pipeline") == [
        Cost("mongodb", "aws", 1, 0.4, "estimated"),
        Cost("mongodb", "aws", 1, 0.3, "actual"),
    ]
