"""Reports of incremental jobs that do not fit what was written: nothing is published."""

from __future__ import annotations

import pytest

from etltctl.errors import UnverifiedError
from support.letters import SORT, Letters

SORT_STEP = "glue:sort_letters"


def test_a_report_that_does_not_fit_what_was_written_is_refused(letters: Letters) -> None:
    reports = {
        '{"replaces": ["sender=ann"]}': r"the job wrote the partition sender=bob of silver\.letters, and",
        '{"replaces": "sender=bob"}': r"report on silver\.letters has no list of partitions",
        '{"replaces": ["sender=bob"], "rows_out": 1}': r"says that it wrote 1 rows of silver\.letters",
    }
    letters.run("first", only=SORT_STEP)
    before = letters.content("silver.letters")
    letters.put("two", {"bob": ["b2"]})
    for number, (said, message) in enumerate(reports.items()):
        script = SORT.replace("report(name, **said, **({", "report(name, **{**said, **({").replace(
            '{"replaces": replaced} if is_incremental else {}))', f"{said} if is_incremental else {{}})}})", 1
        )
        letters.replace_script("sort_letters", script)
        letters.forget_code("first")
        with pytest.raises(UnverifiedError, match=message):
            letters.run(f"wrong-{number}", only=SORT_STEP)
        assert letters.services.lake.versions("silver.letters") == ["first"]
    assert letters.content("silver.letters") == before


def test_partitions_that_are_to_be_copied_from_nowhere_are_refused(letters: Letters) -> None:
    letters.replace_script("sort_letters", SORT.replace("if is_incremental else {})", ")"))
    with pytest.raises(UnverifiedError, match=r"wrote only some partitions, and no version is known"):
        letters.run("first", only=SORT_STEP)


def test_a_run_whose_record_is_gone_is_not_published(letters: Letters) -> None:
    letters.replace_script("sort_letters", SORT + '\ns3.delete_object(**place(given["--changes"]))\n')
    with pytest.raises(UnverifiedError, match=r"sort_letters had to read cannot be read any more") as refused:
        letters.run("first", only=SORT_STEP)
    assert "retry first --fresh" in str(refused.value.hint)


def test_a_job_that_ignores_what_is_new_is_published_as_it_wrote(letters: Letters) -> None:
    letters.replace_script(
        "sort_letters", SORT.replace('bool(changes["base"])', "False").replace('["reports"]', "['new']")
    )
    letters.run("first", only=SORT_STEP)
    letters.put("two", {"bob": ["b2"]})
    letters.run("second", only=SORT_STEP)
    assert len(letters.content("silver.letters")) == len(["a1", "a2", "b1", "b2"])
