"""What an incremental run of the Formula 1 jobs goes by: fingerprints of seasons, and when gold makes all of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark

QUALIFYING = "silver.f1_qualifying"
SCHEMA = (
    "season int, round int, driver_id string, q2_ms long, q3_ms long, dq_flags array<string>, source_rows int, "
    "ingested_at timestamp, run_id string, config_hash string"
)
ROWS: list[tuple[Any, ...]] = [
    (2023, 1, "ann", 80, None, [], 1, None, "r1", "c"),
    (2024, 1, "ann", 81, None, [], 1, None, "r1", "c"),
    (2024, 1, "bob", 82, 83, [], 1, None, "r1", "c"),
]


def prints_of(spark: SparkSession, folder: Path, rows: list[tuple[Any, ...]]) -> dict[str, str]:
    from f1_changes import read_fingerprints

    spark.createDataFrame(rows, SCHEMA).write.parquet(str(folder))
    fingerprints = read_fingerprints(spark, {QUALIFYING: str(folder), "silver.f1_circuit": "nowhere"})
    assert list(fingerprints) == [QUALIFYING]
    return dict(fingerprints[QUALIFYING])


def test_a_fingerprint_changes_with_any_fact_of_the_season_and_with_nothing_else(
    spark: SparkSession, tmp_path: Path
) -> None:
    whole = prints_of(spark, tmp_path / "whole", ROWS)
    assert set(whole) == {"2023", "2024"}
    again = [(*row[:6], 2, None, "r2", "d") for row in reversed(ROWS)]
    assert prints_of(spark, tmp_path / "again", again) == whole, "read again, and in another order"
    moved = prints_of(spark, tmp_path / "moved", [ROWS[0], (2024, 1, "ann", None, 81, *ROWS[1][5:]), ROWS[2]])
    assert moved["2023"] == whole["2023"]
    assert moved["2024"] != whole["2024"], "the same value in another column"
    flagged = prints_of(spark, tmp_path / "flagged", [(*ROWS[0][:5], ["X"], *ROWS[0][6:]), *ROWS[1:]])
    assert flagged["2023"] != whole["2023"]


def test_a_season_differs_if_it_came_or_went_or_changed() -> None:
    from f1_changes import differences

    before = {"silver.f1_race": {"1999": "a", "2001": "b", "2002": "c"}}
    after = {"silver.f1_race": {"1998": "x", "2001": "b", "2002": "d"}, "silver.f1_lap": {"2001": "e"}}
    assert differences(before, after) == {
        "silver.f1_race": {"differs": ["season=1998", "season=1999", "season=2002"]}
    }


def test_a_run_before_that_left_no_fingerprints_is_compared_with_nothing(
    spark: SparkSession, tmp_path: Path
) -> None:
    from changes import Changes
    from f1_changes import base_fingerprints, leave_fingerprints

    folders = {table: str(tmp_path / table) for table in ("silver.f1_race", "silver.f1_lap")}
    changes = Changes({}, states=folders, base=folders, base_states=folders)
    leave_fingerprints(spark, changes, {"silver.f1_race": {"2001": "b"}})
    assert base_fingerprints(spark, changes) == {"silver.f1_race": {"2001": "b"}}


def test_gold_makes_the_seasons_in_which_any_input_changed() -> None:
    from changes import Changes
    from f1_changes import TouchedSeasons

    folders = {"silver.f1_race": ["season=2001"], "silver.f1_lap": ["season=2003/round=1", "season=2001"]}
    seasons = TouchedSeasons.of(Changes({}, base={"gold.a": "s3://a"}, touched=folders), folders).seasons
    assert seasons == {2001, 2003}


@pytest.mark.parametrize(
    ("touched", "reason"),
    [
        ({"silver.f1_race": []}, "silver.f1_lap has no versions"),
        ({"silver.f1_race": ["season=2001"], "silver.f1_lap": ["place=spa"]}, "place=spa, which has changed"),
        ({"silver.f1_race": [], "silver.f1_lap": ["season=__HIVE_DEFAULT_PARTITION__"]}, "is not a season"),
        ({"silver.f1_race": [], "silver.f1_lap": ["2001"]}, "2001, which has changed, is not a season"),
    ],
)
def test_gold_makes_all_seasons_if_it_is_not_known_which_changed(
    touched: dict[str, list[str]], reason: str
) -> None:
    from changes import Changes, FullRunNeeded
    from f1_changes import TouchedSeasons

    inputs = dict.fromkeys(("silver.f1_race", "silver.f1_lap"), "s3://x")
    with pytest.raises(FullRunNeeded, match=reason):
        TouchedSeasons.of(Changes({}, base={"gold.a": "s3://a"}, touched=touched), inputs)
