"""A backfill in chunks brings what one run brings, and no chunk takes away or doubles what another one brought."""

from __future__ import annotations

from pathlib import Path

import pytest

from etltctl.connections import SeasonsOfSource
from etltctl.errors import RunFailedError, UnverifiedError, UsageError
from etltctl.history import summaries
from etltctl.pipeline import plan_backfill
from support.backfilled import SEASONS, Place, copying, open_place, reopened, rounds
from support.f1_seasons import make_pack


def test_chunks_publish_the_same_rows_as_one_run(place: Place) -> None:
    result = place.backfill(chunk=2)
    assert place.outcomes() == {"2096-2097": "succeeded", "2098-2099": "succeeded"}
    assert [each.rows for each in result.chunks] == [18, 36]
    in_chunks = place.gold()
    place.run()
    assert in_chunks == place.gold() == rounds(*SEASONS)
    assert place.backfill(chunk=2).chunks == ()


def test_no_chunk_takes_away_what_bronze_held_before(place: Place) -> None:
    source = SeasonsOfSource.of("api", place.settings)
    source.write([2098, 2099])
    place.run()
    published = [place.gold()]
    result = place.backfill(2096, 2097, on_end=lambda _: published.append(place.gold()))
    assert published == [rounds(*SEASONS[2:]), rounds(2096, *SEASONS[2:]), rounds(*SEASONS)]
    assert result.plan.held == (2098, 2099)
    assert source.read() == SEASONS


def test_a_failed_chunk_stops_the_backfill_and_the_same_call_resumes_it(place: Place) -> None:
    place.put_script(copying('if "2097" in rows["season"].to_pylist(): raise ValueError("2097 is broken")'))
    with pytest.raises(RunFailedError) as failure:
        place.backfill(2096, 2098)
    assert place.outcomes() == {"2096": "succeeded", "2097": "failed", "2098": "not started"}
    assert "etltctl backfill races --start 2096 --end 2098" in str(failure.value.facts["resume"])
    first = place.results[-1].chunks
    assert place.gold() == rounds(2096)
    place.put_script(copying())
    again = place.backfill(2096, 2098).chunks
    assert place.outcomes() == {"2096": "reused", "2097": "succeeded", "2098": "succeeded"}
    assert [each.run_id for each in again] == [each.run_id for each in first]
    assert place.gold() == rounds(*SEASONS[:3])
    # The sync of the failed chunk had landed its season, so only the job ran again.
    assert len(place.started(first[1].run_id, "sync:api")) == 1


def test_with_keep_going_later_chunks_follow_one_whose_season_never_came(tmp_path: Path) -> None:
    with open_place(tmp_path, **{"sources.api.seasons": [2095, 2096, 2099]}) as place:
        with pytest.raises(UnverifiedError):
            place.backfill(2095, 2096, keep_going=True)
        assert place.outcomes() == {"2095": "unverified", "2096": "succeeded"}
        assert place.results[-1].chunks[0].exit_code == 6
        plan = plan_backfill("races", place.settings, place.options(2095, 2096))
        assert (plan.is_resumed, [chunk.label for chunk in plan.chunks]) == (True, ["2095", "2096"])
        assert SeasonsOfSource.of("api", place.settings).read() == [2095, 2096, 2099]


def test_a_sync_without_the_season_of_its_chunk_starts_no_job_and_is_repeated(tmp_path: Path) -> None:
    flags = {"sources.api.seasons": [2095, 2096]}
    with open_place(tmp_path, **flags) as place:
        place.backfill(2096, 2096)
        with pytest.raises(UnverifiedError, match="bronze has no row of season 2095; no job was started"):
            place.backfill(2095, 2095)
        (failed,) = place.results[-1].chunks
        assert place.started(failed.run_id, "glue:copy") == []
        assert place.gold() == rounds(2096)
    make_pack(tmp_path / "pack", [2095])  # the API has the season by now
    with reopened(place, **flags) as later:
        later.backfill(2095, 2095)
        assert later.outcomes() == {"2095": "succeeded"}
        assert len(later.started(failed.run_id, "sync:api")) == 2
        assert later.gold() == rounds(2095, 2096)


def test_a_chunk_whose_seasons_were_taken_away_meanwhile_runs_again(place: Place) -> None:
    place.put_script(copying('if "2097" in rows["season"].to_pylist(): raise ValueError("2097 is broken")'))
    with pytest.raises(RunFailedError):
        place.backfill(2096, 2097)
    place.put_script(copying())
    source = SeasonsOfSource.of("api", place.settings)
    source.write([2099])
    place.run()
    assert place.gold() == rounds(2099)
    place.backfill(2096, 2097)
    assert place.outcomes() == {"2096": "succeeded", "2097": "succeeded"}
    assert place.gold() == rounds(2096, 2097, 2099)


def test_seasons_that_landed_and_were_not_published_are_not_called_done_in_other_chunks(place: Place) -> None:
    place.put_script(copying('raise ValueError("broken")'))
    with pytest.raises(RunFailedError):
        place.backfill(2096, 2097, chunk=2)
    with pytest.raises(UsageError, match="a backfill from 2096 to 2097 has not finished") as refused:
        place.backfill(2096, 2097)
    assert "etltctl backfill races --start 2096 --end 2097 --chunk 2" in refused.value.hint


def test_a_chunk_whose_rows_are_not_proven_has_the_word_of_its_run(place: Place) -> None:
    place.lake.script([{"call": "GET /jobs/*", "change": {"rowsSynced": 98}, "times": 0}])
    with pytest.raises(UnverifiedError):
        place.backfill(2096, 2097)
    assert place.outcomes() == {"2096": "unverified", "2097": "not started"}
    assert [run.outcome for run in summaries(place.settings, 9)] == ["unverified"]
