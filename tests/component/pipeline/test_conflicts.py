"""Live work of another run that blocks a start is reported with the run that began it."""

from __future__ import annotations

import pytest

from etltctl.errors import AlreadyRunningError
from etltctl.pipeline import RunOptions, Services, run_pipeline
from etltctl.pipeline.clear import clear_source
from etltctl.pipeline.conflicts import CLEAR, require_no_reader_of
from etltctl.testing import answered, refused, sync_job
from support.scripted import Place, job_run, lists, polled

NO_SLOT = "ConcurrentRunsExceededException"


@pytest.mark.parametrize("is_on_record", [True, False])
def test_a_job_whose_only_slot_is_taken_names_the_run_that_holds_it(place: Place, is_on_record: bool) -> None:
    holder = f"holder-{is_on_record}"
    if is_on_record:
        place.ledger(holder).append("run.started", pipeline="often", steps=[])
    live = job_run("RUNNING", holder, remote_id="jr_live")
    place.lake.script(lists(live), polled(live), refused("StartJobRun", NO_SLOT, times=0))
    with pytest.raises(AlreadyRunningError, match="holds its only slot") as blocked:
        run_pipeline("often", place.settings, RunOptions(f"blocked-by-{holder}"))
    assert blocked.value.facts["run"] == "jr_live"
    assert blocked.value.facts.get("held by") == (f"run {holder}" if is_on_record else None)


def test_a_clear_does_not_delete_files_that_a_job_still_reads(place: Place) -> None:
    live = job_run("RUNNING", "reader", remote_id="jr_reader")
    place.lake.script(lists(live))
    with pytest.raises(AlreadyRunningError, match="still reads what a clear of api would delete"):
        clear_source("api", place.settings, pytest.fail)
    assert place.count("POST /jobs") == 0


def test_a_clear_says_if_it_is_not_known_whether_a_job_reads_what_it_deletes(place: Place) -> None:
    place.lake.script(refused("GetJobRuns", "InternalServiceException", times=0))
    warnings: list[str] = []
    require_no_reader_of("api", CLEAR, Services(place.settings), warnings.append)
    assert "still reads what a clear of api deletes is not known" in warnings[0]


def test_a_sync_does_not_replace_files_that_a_job_still_reads(place: Place) -> None:
    live = job_run("RUNNING", "reader", remote_id="jr_reader")
    place.lake.script(sync_job("succeeded"), answered("GET /jobs", {"data": []}, times=0), lists(live))
    with pytest.raises(AlreadyRunningError, match="still reads what a sync of api would replace"):
        run_pipeline("both", place.settings, RunOptions("overwrites", only="sync:api"))
    assert place.count("POST /jobs") == 0
