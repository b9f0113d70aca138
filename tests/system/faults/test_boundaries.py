"""Both pipelines killed at the boundaries of their remote calls and after their recorded events, and then resumed.

A kill before a call and a kill after the call took effect, with its answer never read, are the only cases: between
two calls only the ledger changes, and runs are also killed after each ledger event. With `ETLTCTL_EVERY_BOUNDARY=1`
every boundary is tested, which takes a quarter of an hour. Otherwise every start is tested, and some other boundaries
chosen by a seed that a failure prints.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from support.quick import Boundary, QuickLake, Runner

pytestmark = pytest.mark.faults
PIPELINES = ("mongodb", "api")
SEED = int(os.environ["ETLTCTL_SEED"])
EVERY = bool(os.environ.get("ETLTCTL_EVERY_BOUNDARY"))
OTHERS, EVENTS = 2, 1


@dataclass(frozen=True)
class Undisturbed:
    """The calls and results of an undisturbed run."""

    calls: list[str]
    events: int
    queries: int
    tables: dict[str, tuple[str, int, str]]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[QuickLake]:
    """Yield a lake with quick jobs, in place of the folder's lake."""
    quick_lake = QuickLake.make(tmp_path_factory.mktemp("quick"))
    quick_lake.run("local", "up")
    try:
        yield quick_lake
    finally:
        quick_lake.run("local", "down")


@pytest.fixture(scope="module")
def runner(lake: QuickLake) -> Iterator[Runner]:
    with lake.runner() as quick_runner:
        yield quick_runner


@pytest.fixture(scope="module", params=PIPELINES)
def undisturbed(request: pytest.FixtureRequest, lake: QuickLake, runner: Runner) -> tuple[str, Undisturbed]:
    pipeline = request.param
    assert runner.run(pipeline, f"{pipeline}-first") == 0, "makes the tables"
    before, queries = lake.log_length(), lake.queries()
    assert runner.run(pipeline, f"{pipeline}-undisturbed") == 0
    calls = lake.calls(before)
    assert {"POST /jobs", "StartJobRun", "UpdateTable", "StartQueryExecution"} <= set(calls)
    events = len(lake.events(f"{pipeline}-undisturbed"))
    tables = {n: t for n, t in lake.tables().items() if t[0] == f"{pipeline}-undisturbed"}
    return pipeline, Undisturbed(calls, events, lake.queries() - queries, tables)


def chosen(lake: QuickLake, pipeline: str, calls: list[str]) -> list[Boundary]:
    boundaries = lake.boundaries(calls)
    if EVERY:
        return boundaries
    starts = [one for one in boundaries if one.call in {"POST /jobs", "StartJobRun"}]
    rest = [one for one in boundaries if one not in starts]
    return starts + random.Random(f"{SEED}-{pipeline}").sample(rest, OTHERS)


def test_a_pipeline_killed_at_any_boundary_resumes_to_the_undisturbed_result(
    lake: QuickLake, runner: Runner, undisturbed: tuple[str, Undisturbed]
) -> None:
    pipeline, expected = undisturbed
    print(f"ETLTCTL_SEED={SEED}")
    killed = 0
    for number, boundary in enumerate(chosen(lake, pipeline, expected.calls)):
        run_id, before = f"{pipeline}-killed-{number}", (lake.syncs(), lake.queries())
        print(run_id, boundary, flush=True)
        killed += runner.kill_at(pipeline, run_id, boundary)
        check_resumed(lake, runner, pipeline, run_id, before, expected)
    assert killed > 6
    print(f"killed at {killed} boundaries")


def test_a_pipeline_killed_after_any_event_resumes_to_the_undisturbed_result(
    lake: QuickLake, runner: Runner, undisturbed: tuple[str, Undisturbed]
) -> None:
    pipeline, expected = undisturbed
    print(f"ETLTCTL_SEED={SEED}")
    every = range(1, expected.events)
    for number in every if EVERY else random.Random(f"{SEED}-events-{pipeline}").sample(every, EVENTS):
        run_id, before = f"{pipeline}-event-{number}", (lake.syncs(), lake.queries())
        print(run_id, flush=True)
        assert runner.run_and_die(pipeline, run_id, after=number)
        check_resumed(lake, runner, pipeline, run_id, before, expected)


@pytest.mark.parametrize("pipeline", PIPELINES)
def test_a_whole_pipeline_killed_in_its_second_job_is_resumed_there_by_the_command(
    lake: QuickLake, pipeline: str
) -> None:
    run_id = f"whole-{pipeline}"
    rule = {"call": "StartJobRun", "skip": 1, "hold": "after"}
    assert lake.kill_where(rule, "run", pipeline, "--run-id", run_id)
    steps = lake.json("run", pipeline, "--run-id", run_id)["steps"]
    assert [step["verb"] for step in steps[:2]] == ["reused", "reused"]
    assert steps[2]["verb"] in {"adopted", "reused"}, lake.ends()
    assert lake.starts(run_id)["glue"] == 2


def check_resumed(
    lake: QuickLake,
    runner: Runner,
    pipeline: str,
    run_id: str,
    before: tuple[int, int],
    expected: Undisturbed,
) -> None:
    """Resume the run and check it: one start a step, the undisturbed run's tables, and a ledger that is true."""
    syncs, queries = before
    assert runner.run(pipeline, run_id) == 0
    runs = {run["Id"]: run["JobName"] for run in lake.glue_runs() if run["Arguments"]["--run_id"] == run_id}
    assert sorted(runs.values()) == sorted({*runs.values()}), "one start a job"
    assert (len(runs), lake.syncs() - syncs, lake.queries() - queries) == (2, 1, expected.queries)
    tables = lake.tables()
    assert {name: tables[name] for name in expected.tables} == {
        name: (run_id, rows, content) for name, (_, rows, content) in expected.tables.items()
    }
    events = lake.events(run_id)
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    started = {
        e["remote_id"]: e["step"].partition(":")[2]
        for e in events
        if e["type"].startswith("remote.") and "remote_id" in e
    }
    assert {i: job for i, job in started.items() if i.startswith("jr_")} == runs, "exactly the existing runs"
    assert events[-1]["type"] == "run.finished"
    assert events[-1]["outcome"] == "succeeded"
    finished = [event["step"] for event in events if event["type"] == "step.finished"]
    assert {step.partition(":")[0] for step in finished} == {"sync", "glue", "athena"}
