"""Runs and steps: safe names and true outcomes."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

import pytest

from etltctl.errors import RunFailedError, UnverifiedError, UsageError
from etltctl.pipeline import PipelineResult, RunId, Step, StepResult, new_run_id
from etltctl.pipeline.model import outcome_of
from etltctl.pipeline.run_ids import CLOCKS_DIFFER


def test_a_run_that_reused_every_step_had_nothing_to_do() -> None:
    done = [StepResult("sync:api", "reused"), StepResult("athena:refresh")]
    assert PipelineResult("api", "r", 1.0, done, had_succeeded=True).is_reused
    assert not PipelineResult("api", "r", 1.0, done).is_reused, "this try completed it"
    assert not PipelineResult(
        "api", "r", 1.0, [*done, StepResult("glue:j", "started")], had_succeeded=True
    ).is_reused
    assert not PipelineResult("api", "r", 1.0, [StepResult("athena:refresh")], had_succeeded=True).is_reused


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (KeyboardInterrupt(), "interrupted"),
        (SystemExit(143), "interrupted"),
        (type("OutOfTime", (BaseException,), {})(), "interrupted"),
        (UnverifiedError("x"), "unverified"),
        (RunFailedError("x"), "failed"),
        (KeyError("bug"), "failed"),
    ],
)
def test_the_end_of_a_run_is_one_word(error: BaseException, word: str) -> None:
    assert outcome_of(error) == word


def test_airflow_s_run_ids_become_safe_in_paths() -> None:
    assert (
        RunId("dag_api-manual__2026-01-02T03:04:05+00:00").safe == "dag_api-manual__2026-01-02T03-04-05-00-00"
    )
    assert re.fullmatch("etc-[0-9a-f]{8}", RunId("../../etc").safe)


@pytest.mark.parametrize(
    "ids",
    [
        ("rerun 1", "rerun/1", "rerun-1"),
        ("x+02", "x:02", "x-02"),
        ("dag-再実行", "dag-再計算", "dag", "-dag"),
    ],
)
def test_different_run_ids_stay_different(ids: tuple[str, ...]) -> None:
    safe = [RunId(run_id).safe for run_id in ids]
    assert len(set(safe)) == len(ids)
    assert [RunId(run_id).safe for run_id in safe] == safe


def test_a_run_id_without_a_usable_character_is_refused() -> None:
    with pytest.raises(UsageError, match="no letter or digit"):
        str(RunId("::").safe)


def test_every_try_of_a_step_has_the_same_run_key_and_no_other_step_has_it() -> None:
    step = Step.parse("glue:job")
    key = RunId("r1").key(step, env="local", pipeline="api")
    assert key == "db2510fc7eed99ddd0d844ba5bfee5b417bfa629"
    others = [
        RunId("r1").key(step, env="aws", pipeline="api"),
        RunId("r2").key(step, env="local", pipeline="api"),
        RunId("r1", 1).key(step, env="local", pipeline="api"),
        RunId("r1").key(step, env="local", pipeline="m"),
        RunId("r1").key(Step.parse("sync:job"), env="local", pipeline="api"),
        RunId("r1").key(Step.parse("glue:job2"), env="local", pipeline="api"),
        RunId("r1").key(Step.parse("lue:job"), env="local", pipeline="apig"),
    ]
    assert len({key, *others}) == 1 + len(others)


def test_run_ids_sort_by_time_and_name_their_pipeline() -> None:
    moments = [
        datetime(2025, 12, 31, 23, 59, tzinfo=UTC) + timedelta(minutes=n) for n in (0, 1, 60, 3_000, 600_000)
    ]
    ids = [new_run_id("bronze_to_silver", at) for at in moments]
    assert sorted(ids) == ids
    assert all(re.fullmatch(r"\d{8}-\d{4}-bronze-to-silver-[a-z2-9]{4}", run_id) for run_id in ids)
    assert [RunId(run_id).began_after for run_id in ids[:4]] == [at - CLOCKS_DIFFER for at in moments[:4]]
    assert len({new_run_id("api", moments[0]) for _ in range(50)}) > 45, "runs of one minute differ"


def test_a_new_run_id_contains_the_time_in_utc() -> None:
    lima = timezone(timedelta(hours=-5))
    assert new_run_id("api", datetime(2026, 1, 1, 22, 30, tzinfo=lima)).startswith("20260102-0330-api-")
    assert RunId(new_run_id("api")).began_after is not None


@pytest.mark.parametrize(
    ("run_id", "began"),
    [
        ("20260102-0304-mongodb-k7qf", datetime(2026, 1, 2, 3, 4, tzinfo=UTC) - CLOCKS_DIFFER),
        ("29990102-0304-mongodb-k7qf", None),  # a wrong clock limits no search
        ("20260102-0304-mine", None),
        ("20261302-0304-api-k7qf", None),
        ("manual__2026-01-02T03:04:05+00:00", None),
    ],
)
def test_only_a_generated_run_id_says_when_its_run_began(run_id: str, began: datetime | None) -> None:
    assert RunId(run_id).began_after == began
