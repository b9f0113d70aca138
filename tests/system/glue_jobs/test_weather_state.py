"""The reasons for which bronze_to_silver reads everything, found in the state that the earlier run left."""

from dataclasses import replace

import pytest
from pyspark.sql.types import DoubleType, LongType, StringType, StructType

from changes import FullRunNeeded
from lake import GENERATION
from weather_state import COUNTS, DocumentCounts, SilverState

DOCUMENTS = DocumentCounts(dict.fromkeys(COUNTS, 1), ("newark",), generation=3, first_future=None)
COLUMNS = StructType().add("_id", StringType()).add("dt", DoubleType()).add(GENERATION, LongType())
STATE = SilverState(
    COLUMNS.jsonValue(), DOCUMENTS, latest_dt=1000, partitions=("newark/2024",), companions={}
)


def test_the_state_is_read_as_it_was_written() -> None:
    assert SilverState.of(STATE.as_json()) == STATE
    assert STATE.places == {"newark"}


@pytest.mark.parametrize(("first_future", "latest"), [(None, 1000), (None, 2000), (2001, 2000)])
def test_times_that_are_judged_as_before_are_no_reason(first_future: float | None, latest: int) -> None:
    replace(STATE, documents=replace(DOCUMENTS, first_future=first_future)).check_times(latest)


def test_a_rejected_future_that_has_come_and_a_clock_that_went_back_are_reasons() -> None:
    with pytest.raises(FullRunNeeded, match="in the future is accepted now"):
        replace(STATE, documents=replace(DOCUMENTS, first_future=2000.0)).check_times(2000)
    with pytest.raises(FullRunNeeded, match="clock is behind"):
        STATE.check_times(999)


def test_a_higher_generation_is_a_reason() -> None:
    for generation in (None, 2, 3):
        STATE.check_generation(generation)
    with pytest.raises(FullRunNeeded, match="generation 4, the old ones of 3"):
        STATE.check_generation(4)
    with pytest.raises(FullRunNeeded, match="generation 0, the old ones of None"):
        replace(STATE, documents=replace(DOCUMENTS, generation=None)).check_generation(0)


def test_new_columns_are_added_and_missing_ones_stay() -> None:
    new = StructType().add("snow", StringType()).add("dt", DoubleType())
    assert STATE.schema_with(new).names == ["_id", "dt", GENERATION, "snow"]


@pytest.mark.parametrize(
    ("column", "kind", "reason"),
    [
        ("dt", StringType(), "dt is in the old files double, in the new ones string"),
        ("DT", DoubleType(), "DT is in the old files in other upper and lower case"),
        ("data", StringType(), "another shape"),
        ("wind_speed", DoubleType(), "another shape"),
    ],
)
def test_columns_that_change_how_old_documents_are_read_are_a_reason(
    column: str, kind: DoubleType | StringType, reason: str
) -> None:
    with pytest.raises(FullRunNeeded, match=reason):
        STATE.schema_with(StructType().add(column, kind))


def test_counts_of_groups_and_of_runs_are_added() -> None:
    row = {**dict.fromkeys(COUNTS, 2), "suspects": "b a", "generation": 3, "first_future": 9.0}
    none = {**dict.fromkeys(COUNTS, 0), "suspects": "", "generation": None, "first_future": None}
    new = DocumentCounts.of([row, none, {**row, "first_future": 8.0}])
    assert new == DocumentCounts(dict.fromkeys(COUNTS, 4), ("a", "b"), 3, 8.0)
    both = DOCUMENTS.plus(new)
    assert both == DocumentCounts(dict.fromkeys(COUNTS, 5), ("a", "b", "newark"), 3, 8.0)
