"""Incremental jobs on the embedded services: what they get, what is carried over, and when they read everything."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from etltctl.errors import UsageError
from etltctl.ledger import read_events
from etltctl.settings import Settings
from etltctl.testing import throttled
from support.letters import SORT, Letters
from support.served import wait_until

SORT_STEP, COUNT_STEP = "glue:sort_letters", "glue:count_letters"


def inputs_of(letters: Letters, run_id: str, **options: Any) -> list[dict[str, Any]]:
    """Run the pipeline, and return what each step says of its inputs."""
    return [step.facts["inputs"] for step in letters.run(run_id, **options)]


def test_the_first_run_reads_everything_and_the_next_what_is_new(letters: Letters) -> None:
    sorting, counting = inputs_of(letters, "first")
    assert sorting == {"everything": "silver.letters has no published version yet", "files": 1}
    assert counting == {"everything": "gold.letters has no published version yet", "files": 0}
    record = letters.inputs("silver.letters", "first")
    assert (record.base, record.new, record.touched, record.reports, record.base_states) == (
        {},
        {},
        {},
        {},
        {},
    )
    assert list(record.states) == ["silver.letters", "silver.stamps"]
    letters.put("two", {"bob": ["b2"], "cas": ["c1"]})
    sorting, counting = inputs_of(letters, "second")
    assert sorting == {"base": "first", "files": 2, "new_files": 1, "touched": 0}
    assert counting == {"base": "first", "files": 0, "new_files": 0, "touched": 2}
    assert letters.content("silver.letters") == [
        ("sender=ann", "a1"), ("sender=ann", "a2"), ("sender=bob", "b1"), ("sender=bob", "b2"),
        ("sender=cas", "c1"),
    ]  # fmt: skip
    assert letters.content("silver.stamps") == [("", "a"), ("", "a"), ("", "b"), ("", "b"), ("", "c")]
    assert letters.content("gold.letters") == [("", "ann", 2), ("", "bob", 2), ("", "cas", 1)]
    assert letters.log("second", COUNT_STEP) == ["read bob", "read cas"]


def test_an_incremental_version_is_published_and_rolled_back_as_any_other(letters: Letters) -> None:
    letters.run("first")
    letters.put("two", {"bob": ["b2"]})
    letters.run("second")
    lake = letters.services.lake
    assert lake.versions("silver.letters") == ["second", "first"]
    assert lake.intact_location("silver.letters")
    before = letters.content("silver.letters", "first")
    lake.rollback("silver.letters")
    assert letters.content("silver.letters") == before
    assert letters.lake.query("select count(*) as n from letters_silver.letters") == [{"n": 3}]
    letters.put("three", {"ann": ["a3"]})
    sorting, counting = inputs_of(letters, "third")
    assert sorting["everything"] == "the current versions of its tables are not of one run"
    assert (
        counting["everything"]
        == "it is not on record where version third of silver.letters differs from version second"
    )
    assert letters.content("gold.letters") == [("", "ann", 3), ("", "bob", 2)]


def test_gold_catches_up_with_several_versions_of_silver(letters: Letters) -> None:
    letters.run("first")
    letters.put("two", {"bob": ["b2"]})
    letters.run("second", only=SORT_STEP)
    letters.put("three", {"cas": ["c1"]})
    letters.run("third")
    assert letters.log("third", COUNT_STEP) == ["read bob", "read cas"]
    assert letters.content("gold.letters") == [("", "ann", 2), ("", "bob", 2), ("", "cas", 1)]


def test_full_reads_everything_in_every_try_of_the_run(letters: Letters) -> None:
    letters.run("first")
    letters.put("two", {"bob": ["b2"]})
    why = "a full run was requested"
    assert inputs_of(letters, "second", full=True, last=SORT_STEP)[0]["everything"] == why
    assert inputs_of(letters, "second", first=COUNT_STEP)[0]["everything"] == why
    with pytest.raises(
        UsageError, match="run second has no Glue job to start, so there is nothing to read in full"
    ):
        letters.run("second", full=True)


def test_everything_is_read_where_old_rows_may_not_stand_for_a_full_run(letters: Letters) -> None:
    def why(run_id: str, settings: Settings | None = None) -> str:
        (inputs,) = inputs_of(letters, run_id, settings=settings, only=SORT_STEP)
        return str(inputs.get("everything", ""))

    letters.put("two", {"bob": ["b2"]})
    letters.run("r0", only=SORT_STEP)
    before = letters.content("silver.letters")
    # The job is read where it runs, not on this machine.
    letters.replace_script("sort_letters", SORT + "\n# a change\n")
    assert why("r1") == "its code changed since version r0"
    other = letters.lake.settings.overlaid({"glue": {"jobs": {"sort_letters": {"config": {"a": 1}}}}})
    assert why("r2", other) == "its config changed since version r1"
    assert why("r3") == "its config changed since version r2"
    assert why("r4") == ""  # nothing is new, and everything is carried over
    assert letters.content("silver.letters") == before
    letters.put("one", {"ann": ["A1"]})
    assert why("r5") == "the file one.parquet of bronze.letters was written again"
    assert letters.content("silver.letters") == [("sender=ann", "A1"), ("sender=bob", "b2")]
    letters.services.s3.remove("s3://letters-bronze/letters/one.parquet")
    assert why("r6") == "the file one.parquet of bronze.letters is gone"
    lake = letters.services.lake
    lake.s3.write(f"{lake.current_location('silver.letters')}sender=ann/part-foreign.parquet", b"no rows")
    assert why("r7") == "the files of silver.letters are not those that were published"
    lake.s3.remove(lake.places.inputs("silver.stamps", "r7"))
    assert why("r8") == "it is not on record from what version r7 was made"
    lake.s3.write(lake.places.job_report("silver.letters", "r8").object("part-0.txt"), b"{bad")
    assert why("r9") == "the report on version r8 of silver.letters is damaged"
    assert letters.content("silver.letters") == [("sender=bob", "b2")]


def test_a_file_that_lands_while_the_job_runs_belongs_to_the_next_run(letters: Letters) -> None:
    late = SORT.replace(
        "came = [",
        'write("s3://letters-bronze/letters/late.parquet", [{"sender": "zoe", "text": "z"}])\ncame = [',
        1,
    )
    letters.replace_script("sort_letters", late)
    letters.run("first", only=SORT_STEP)
    assert all(folder != "sender=zoe" for folder, _ in letters.content("silver.letters"))
    letters.run("second", only=SORT_STEP)
    assert ("sender=zoe", "z") in letters.content("silver.letters")


def test_a_start_that_glue_throttles_is_sent_again_with_the_same_record(letters: Letters) -> None:
    letters.lake.script(throttled("StartJobRun"))
    letters.run("first", only=SORT_STEP)
    assert letters.lake.met()["StartJobRun"] == 1
    events = [event["type"] for event in read_events(letters.services.store, "first")]
    assert events.count("remote.intended") == len(["throttled", "started"])
    assert events.count("step.inputs") == 1


def test_a_start_that_is_sent_again_reads_what_has_landed_meanwhile(letters: Letters) -> None:
    letters.run("first", only=SORT_STEP)
    letters.lake.script(throttled("StartJobRun", times=3))
    with ThreadPoolExecutor() as threads:
        running = threads.submit(letters.run, "second", only=SORT_STEP)
        wait_until(lambda: letters.lake.met().get("StartJobRun", 0) > 0)
        letters.put("two", {"bob": ["b2"]})
        running.result()
    assert letters.content("silver.letters")[-1] == ("sender=bob", "b2")
    said = [
        event for event in read_events(letters.services.store, "second") if event["type"] == "step.inputs"
    ]
    assert [event["new_files"] for event in said] == [0, 1]
