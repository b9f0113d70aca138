"""Which ranges a backfill accepts, how it cuts them into chunks, and which failure of several decides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from etltctl.errors import (
    BudgetError,
    ConfigurationError,
    DetachedError,
    EtltctlError,
    ServiceError,
    UnverifiedError,
    UsageError,
)
from etltctl.pipeline import BackfillOptions, require_backfillable
from etltctl.pipeline.backfill import BackfillPlan, BackfillResult, Chunk, ChunkOutcome, ChunkResult
from etltctl.pipeline.backfill.model import in_chunks
from etltctl.pipeline.backfill.runner import _worst
from etltctl.pipeline.model import outcome_of
from etltctl.settings import load_settings
from support.sample_settings import on_sample

SOURCE = """
[sources.api]
kind = "http"
base_url = "https://x.test"
seasons = {seasons}
connection_id = "c"
sync_mode = "{mode}"
streams = ["{stream}"]

[pipelines.both]
steps = ["sync:api", "sync:mongodb"]
"""
LIST = "[1991, 2019, 2020, 2021]"


def refused(
    folder: Path,
    start: Any,
    end: Any,
    pipeline: str = "api",
    *,
    seasons: str = LIST,
    mode: str = "full_refresh_overwrite",
    stream: str = "races",
    chunk: int = 1,
) -> EtltctlError:
    (folder / "etltctl.toml").write_text(on_sample(SOURCE.format(seasons=seasons, mode=mode, stream=stream)))
    settings = load_settings(directory=folder, env="aws", environ={})
    with pytest.raises(EtltctlError) as raised:
        require_backfillable(pipeline, settings, BackfillOptions(start, end, chunk))
    return raised.value


@pytest.mark.parametrize(
    ("start", "end", "says"),
    [
        (2021, 2019, "the range starts at 2021 and ends at 2019, which is earlier"),
        (2018, 2021, r"no season 2018: sources.api.seasons names 1991, 2019 to 2021"),
        (2000, 2030, r"no season 2000 and no season 2030"),
        (1, 100_000, "1 to 100000 would be 100,000 chunks, and a backfill has at most 200"),
        ("2019-01-01", 2021, "'2019-01-01' is not a season of source api"),
        ("2019-01-01T00:00:00+02:00", 2021, "is not a season"),
        ("-5", 2021, "is not a season"),
        ("", 2021, "is not a season"),
        ("٢٠١٩", 2021, "is not a season"),
    ],
)
def test_a_range_that_the_source_does_not_have_is_refused(
    tmp_path: Path, start: Any, end: Any, says: str
) -> None:
    error = refused(tmp_path, start, end)
    assert isinstance(error, UsageError)
    assert says in error.message
    assert error.hint or "earlier" in says


def test_more_seasons_a_chunk_allow_a_longer_range(tmp_path: Path) -> None:
    assert "100,000 chunks" in refused(tmp_path, 1, 100_000).message
    assert "no season 1 and no season 100000" in refused(tmp_path, 1, 100_000, chunk=1000).message


def test_a_collection_has_no_range_of_times(tmp_path: Path) -> None:
    error = refused(tmp_path, "2024-01-01", "2024-12-31", "mongodb")
    assert (
        "source mongodb has no seasons: Airbyte's MongoDB connector reads whole collections" in error.message
    )
    assert error.hint == "read all of it: etltctl run mongodb"


def test_a_pipeline_with_two_syncs_is_refused(tmp_path: Path) -> None:
    assert "pipeline both has 2 syncs" in refused(tmp_path, 2019, 2020, "both").message


def test_settings_under_which_rows_could_be_lost_or_doubled_are_refused(tmp_path: Path) -> None:
    appended = refused(tmp_path, 2019, 2020, mode="full_refresh_append")
    assert isinstance(appended, ConfigurationError)
    assert "a sync that appends would land them twice" in appended.message
    unknown = refused(tmp_path, 2019, 2020, stream="pit_stops")
    assert "cannot be known which seasons bronze holds" in unknown.message
    assert 'add "races" to sources.api.streams' in unknown.hint


def test_a_source_of_all_seasons_has_none_to_name(tmp_path: Path) -> None:
    (tmp_path / "etltctl.toml").write_text(on_sample())
    settings = load_settings(directory=tmp_path, env="local", environ={})
    with pytest.raises(ConfigurationError, match=r'sources\.api\.seasons is "all"'):
        require_backfillable("api", settings, BackfillOptions(2023, 2024))


@pytest.mark.parametrize("wrong", [{"chunk": 0}, {"chunk": -1}, {"max_usd": -1.0}, {"max_usd": float("nan")}])
def test_options_without_a_meaning_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        BackfillOptions(2019, 2020, **wrong)


def test_chunks_follow_the_seasons_that_there_are() -> None:
    chunks = in_chunks([1991, 2019, 2020], 2)
    assert [chunk.label for chunk in chunks] == ["1991-2019", "2020"]
    assert chunks[0].run_id("b") == "b-1991-2019"


def plan(*chunks: Chunk, held: tuple[int, ...] = ()) -> BackfillPlan:
    seasons = tuple(season for chunk in chunks for season in chunk.seasons)
    return BackfillPlan("b", "api", "api", seasons[0], seasons[-1], 2, seasons, chunks, held)


def test_each_sync_reads_what_bronze_holds_and_all_chunks_before() -> None:
    assert plan(Chunk((2019, 2020)), Chunk((2021,)), held=(2024,)).reads == [
        (2019, 2020, 2024),
        (2019, 2020, 2021, 2024),
    ]
    assert str(plan(Chunk((2019,))).command) == "etltctl backfill api --start 2019 --end 2019 --chunk 2"


def test_the_whole_is_named_after_the_first_chunk_that_is_not_done() -> None:
    chunks = Chunk((2019,)), Chunk((2020,)), Chunk((2021,))
    outcomes = ChunkOutcome.REUSED, ChunkOutcome.FAILED, ChunkOutcome.NOT_STARTED
    results = [
        ChunkResult(chunk, chunk.run_id("b"), outcome, usd=0.5, error="why", exit_code=6)
        for chunk, outcome in zip(chunks, outcomes, strict=True)
    ]
    result = BackfillResult(plan(*chunks), tuple(results), 1.0)
    assert (result.outcome, result.usd) == ("failed", 1.5)
    assert BackfillResult(plan(*chunks), tuple(results[:1]), 1.0).outcome == "succeeded"
    assert results[1].exit_code == 6


def test_data_that_is_not_what_a_service_said_is_the_worst_failure() -> None:
    errors = [BudgetError("b"), ServiceError("s"), UnverifiedError("u"), ConfigurationError("c")]
    assert _worst(errors) is errors[2]
    assert _worst(errors[:2]) is errors[1]


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (DetachedError("d"), "detached"),
        (KeyboardInterrupt(), "interrupted"),
        (SystemExit(143), "interrupted"),
        (ValueError(), "failed"),
        (ServiceError("s"), "failed"),
        (UnverifiedError("u"), "unverified"),
    ],
)
def test_a_chunk_has_the_word_that_the_record_has_for_its_run(error: BaseException, outcome: str) -> None:
    assert ChunkOutcome(outcome_of(error)) == outcome
