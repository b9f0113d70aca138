"""What a backfill refuses before it starts anything: another process, another sync, a budget that is used up."""

from __future__ import annotations

import pytest

from etltctl.connections import SeasonsOfSource
from etltctl.errors import AlreadyRunningError, BudgetError, ConfigurationError, UsageError
from etltctl.pipeline.backfill.record import BackfillRecord
from etltctl.testing import answered
from support.backfilled import SEASONS, Place, rounds


def test_a_second_backfill_of_the_source_is_refused(place: Place) -> None:
    record = BackfillRecord.of("races", place.services)
    with (
        record.lease("api"),
        pytest.raises(AlreadyRunningError, match="another process backfills source api"),
    ):
        place.backfill()
    assert (place.results, place.services.store.run_ids()) == ([], [])


def test_a_second_backfill_names_the_run_of_the_chunk_that_is_under_way(place: Place) -> None:
    record, plan = BackfillRecord.of("races", place.services), place.plan()
    run_id = plan.chunks[1].run_id(plan.id)
    place.services.store.add(run_id, lambda _: "{}\n")
    with record.lease("api"):
        with pytest.raises(AlreadyRunningError) as failure:
            place.backfill()
        assert "run" not in failure.value.facts, "no chunk is under way"
        record.begin(plan)
        with place.services.store.lease(run_id), pytest.raises(AlreadyRunningError) as failure:
            place.backfill()
    assert failure.value.facts["run"] == run_id
    assert failure.value.hint.startswith(f"follow it: etltctl runs watch {run_id}; after the end")


def test_a_budget_is_one_for_all_chunks(place: Place) -> None:
    with pytest.raises(BudgetError, match="chunk 2097 was not started: the chunks so far cost") as failure:
        place.backfill(
            2096, 2098, max_usd=0.00005, keep_going=True
        )  # the least that Athena bills for a query
    assert place.outcomes() == {"2096": "succeeded", "2097": "failed", "2098": "not started"}
    assert "C110" in str(failure.value.facts["cause"])
    assert "--max-usd " in failure.value.hint
    assert place.gold() == rounds(2096)
    assert SeasonsOfSource.of("api", place.settings).read() == SEASONS


def test_a_sync_of_another_caller_is_waited_for(place: Place) -> None:
    foreign = {"jobId": 900, "jobType": "sync", "status": "running", "startTime": "2099-01-01T00:00:00Z"}
    place.lake.script(answered("GET /jobs", {"data": [foreign]}, times=0))
    with pytest.raises(AlreadyRunningError, match="sync 900 of api runs already"):
        place.backfill()
    assert place.outcomes()["2096"] == "failed"
    assert place.services.store.run_ids() == []


def test_a_connection_that_appends_is_refused(place: Place) -> None:
    place.lake.script(
        [{"call": "GET /connections", "times": 0, "change": {"syncMode": "incremental_append"}}]
    )
    with pytest.raises(ConfigurationError, match="does not overwrite races at each sync"):
        place.backfill()


def test_seasons_in_bronze_that_the_settings_do_not_name_are_refused(place: Place) -> None:
    place.run()
    fewer = place.settings.overlaid({"sources": {"api": {"seasons": [2096, 2097]}}})
    with pytest.raises(ConfigurationError, match=r"does not name: 2098 to 2099"):
        place.with_settings(fewer).backfill(2096, 2097)


def test_a_run_that_has_the_id_of_a_chunk_is_not_taken_over(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("etltctl.pipeline.run_ids.random.SystemRandom.choices", lambda *_, k: "a" * k)
    run_id = place.plan().chunks[0].run_id(place.plan().id)
    place.services.store.add(run_id, lambda _: "{}\n")
    with pytest.raises(UsageError, match="exists and is not of this backfill"):
        place.backfill()
