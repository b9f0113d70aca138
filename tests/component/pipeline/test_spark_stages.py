"""The stages of Spark, which a person who watches a Glue job run sees: read from the log, and never at its cost."""

from __future__ import annotations

import pytest

from etltctl.logs.progress_bar import MOST_MISSES, stage_of
from etltctl.pipeline import Services, in_detail
from etltctl.runs import JobRun, Run, SparkStage
from etltctl.testing import answered, refused
from support.scripted import Place

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


def test_a_sync_has_no_stages(place: Place) -> None:
    run = Run("7", "api", "running")
    assert in_detail("sync:api", run, place.services) is run
