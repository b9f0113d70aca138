"""The stages of Spark, which a person who watches a Glue job run sees: read from the log, and never at its cost."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from etltctl.errors import BudgetError
from etltctl.logs.progress_bar import MOST_MISSES, stage_of
from etltctl.pipeline import RunOptions, Services, in_detail, run_pipeline
from etltctl.runs import JobRun, Run, SparkStage
from etltctl.testing import Rule, answered, delayed, refused
from support.scripted import Place, job_run, lists, polled, started, stoppable

LIVE = JobRun("jr_1", "often", "RUNNING")
BAR = {"events": [{"message": "[Stage 3:====>     (40 + 2) / 200]", "timestamp": 1, "ingestionTime": 1}]}


def stage(run: Run, services: Services) -> SparkStage | None:
    seen = in_detail("glue:often", run, services)
    assert isinstance(seen, JobRun)
    return seen.stage


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("[Stage 3:=======>                (40 + 2) / 200]", SparkStage(3, 40, 200)),
        ("[Stage 3 (parquet at Native.java:0):> (0 + 4) / 20]", SparkStage(3, 0, 20)),
        ("[Stage 3:=>  (1 + 1) / 4][Stage 11:>  (0 + 0) / 7]", SparkStage(11, 0, 7)),
        ("Stage 3 of 7", None),
        ("", None),
    ],
)
def test_the_newest_stage_of_a_bar_is_read(line: str, expected: SparkStage | None) -> None:
    assert stage_of(line) == expected


def test_a_live_job_run_shows_its_stage_at_the_price_of_one_call(place: Place) -> None:
    place.lake.script(answered("GetLogEvents", BAR, times=0))
    services = place.services
    assert stage(LIVE, services) == SparkStage(3, 40, 200)
    assert place.count("GetLogEvents") == 1
    assert stage(JobRun("jr_1", "often", "SUCCEEDED"), services) is None
    assert place.count("GetLogEvents") == 1


def test_a_job_run_without_a_bar_is_no_longer_asked_after_some_polls(place: Place) -> None:
    place.lake.script(refused("GetLogEvents", "ResourceNotFoundException", times=0))
    services = place.services
    assert [stage(LIVE, services) for _ in range(MOST_MISSES + 5)] == [None] * (MOST_MISSES + 5)
    assert place.count("GetLogEvents") == MOST_MISSES
    # Each run is counted by itself.
    place.lake.script(answered("GetLogEvents", BAR, times=0))
    assert stage(JobRun("jr_2", "often", "RUNNING"), services) == SparkStage(3, 40, 200)


@pytest.mark.parametrize("code", ["AccessDeniedException", "InvalidParameterException"])
def test_a_log_that_cannot_be_read_is_asked_once_and_fails_nothing(place: Place, code: str) -> None:
    place.lake.script(refused("GetLogEvents", code, times=0))
    services = place.services
    assert [stage(LIVE, services) for _ in range(3)] == [None] * 3
    assert place.count("GetLogEvents") == 1


@pytest.mark.parametrize("answer", [{}, {"events": [{"timestamp": 1}]}], ids=["no events", "no message"])
def test_an_answer_without_a_line_shows_no_stage(place: Place, answer: dict[str, object]) -> None:
    place.lake.script(answered("GetLogEvents", answer, times=0))
    assert stage(LIVE, place.services) is None


def test_a_bar_that_is_there_resets_the_misses(place: Place) -> None:
    missing = refused("GetLogEvents", "ResourceNotFoundException", times=MOST_MISSES - 1)
    place.lake.script(missing, answered("GetLogEvents", BAR), missing, answered("GetLogEvents", BAR, times=0))
    services = place.services
    seen = [stage(LIVE, services) for _ in range(2 * MOST_MISSES)]
    assert [number for number, one in enumerate(seen, 1) if one] == [MOST_MISSES, 2 * MOST_MISSES]


def watching(services: Services, seconds: list[float]) -> Callable[[str, Run], None]:
    """Return a listener that reads the details of each poll, and keeps how long that took."""

    def on_poll(step: str, run: Run) -> None:
        began = time.monotonic()
        in_detail(step, run, services)
        seconds.append(time.monotonic() - began)

    return on_poll


def watched(place: Place, run_id: str, *polls: list[Rule], **options: float) -> list[float]:
    """Run the job while CloudWatch hangs; return the seconds that each poll's details took."""
    seconds: list[float] = []
    place.lake.script(lists(), started(), *polls, stoppable(), delayed("GetLogEvents", 20.0, times=0))
    listener = watching(place.services, seconds)
    run_pipeline("often", place.settings, RunOptions(run_id, on_poll=listener, **options))
    return seconds


def test_a_log_that_hangs_delays_a_run_once_and_for_five_seconds_at_most(place: Place) -> None:
    seconds = watched(place, "hangs", polled(job_run("RUNNING"), job_run("RUNNING"), job_run("SUCCEEDED")))
    assert 1.0 < max(seconds) < 6.0
    assert sum(seconds) - max(seconds) < 1.0
    assert place.count("GetLogEvents") == 1


def test_a_log_that_hangs_keeps_no_budget_from_stopping_the_run(place: Place) -> None:
    dear = job_run("RUNNING", DPUSeconds=36_000.0)
    began = time.monotonic()
    with pytest.raises(BudgetError, match=r"was stopped: 4\.40 USD so far"):
        watched(place, "hangs-dear", polled(job_run("RUNNING"), dear), max_usd=2.0)
    assert time.monotonic() - began < 12.0
    assert place.count("BatchStopJobRun") == 1


def test_a_sync_has_no_stages(place: Place) -> None:
    run = Run("7", "api", "running")
    assert in_detail("sync:api", run, place.services) is run
