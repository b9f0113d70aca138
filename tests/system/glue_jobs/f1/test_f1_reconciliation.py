"""Computed standings against official ones: the name of each difference, and which differences fail the run."""

from collections.abc import Callable
from typing import Any

import pytest
from pyspark.sql import Row, SparkSession

from lake import QualityError

pytestmark = pytest.mark.spark

COMPUTED = (
    "season int, round int, entity_id string, points decimal(9,2), wins int, podiums int, finishes array<int>"
)
OFFICIAL = "season int, round int, constructor_id string, points decimal(7,2), position int"


@pytest.fixture(scope="module")
def reconciled(spark: SparkSession) -> Callable[..., dict[str, Row]]:
    """Return a function that turns computed and official (id, points, position) into reconciled rows by id."""

    def make(
        computed: list[tuple[str, int, list[int]]], official: list[tuple[str, int, int]]
    ) -> dict[str, Row]:
        from f1_standings import adjustments, reconcile
        from job_config import F1, read_config

        config = read_config(F1, {})
        ours = spark.sql(_values([(2018, 14, i, p, 0, 0, [*f, 9999]) for i, p, f in computed], COMPUTED))
        theirs = spark.sql(_values([(2018, 14, i, p, n) for i, p, n in official], OFFICIAL))
        rows = reconcile(ours, theirs, adjustments(spark, config), "constructor").collect()
        return {row.entity_id: row for row in rows}

    return make


def _values(rows: list[tuple[Any, ...]], schema: str) -> str:
    import json

    names = [column.split()[0] for column in schema.split(", ")]
    records = json.dumps([dict(zip(names, row, strict=True)) for row in rows])
    return f"select inline(from_json('{records}', 'array<struct<{schema}>>'))"


def test_differences_are_named(reconciled: Callable[..., dict[str, Row]]) -> None:
    rows = reconciled(
        [
            ("ferrari", 50, [1]),
            ("force_india", 69, [2]),
            ("haas", 8, [3]),
            ("lotus", 0, []),
            ("mclaren", 9, [4]),
        ],
        [("ferrari", 50, 1), ("force_india", 10, 2), ("haas", 9, 4), ("mclaren", 9, 3)],
    )
    assert {name: row.status for name, row in rows.items()} == {
        "ferrari": "match", "force_india": "known_adjustment", "haas": "points_diff", "lotus": "missing_official",
        "mclaren": "match",
    }  # fmt: skip
    assert (rows["force_india"].delta, rows["haas"].delta) == (59, -1)


def test_level_points_are_ranked_by_count_back(reconciled: Callable[..., dict[str, Row]]) -> None:
    level = [("a", 10, [2, 2]), ("b", 10, [1, 9]), ("c", 10, [1, 9, 12])]
    rows = reconciled(level, [("c", 10, 1), ("b", 10, 2), ("a", 10, 3)])
    assert {name: row.position for name, row in rows.items()} == {"c": 1, "b": 2, "a": 3}
    tied = reconciled(level, [("a", 10, 1), ("b", 10, 2), ("c", 10, 3)])
    assert {name: row.status for name, row in tied.items()} == {
        "a": "order_tie",
        "b": "match",
        "c": "order_tie",
    }


def test_a_difference_without_a_ruling_fails_the_run(
    spark: SparkSession, reconciled: Callable[..., dict[str, Row]]
) -> None:
    from silver_to_gold_api import check_reconciliation

    rows = spark.sql(
        "select 2018 season, 14 round, 'driver' kind, 'senna' entity_id, 8 computed_points, 9 official_points,"
        " 'points_diff' status"
    )
    check_reconciliation(rows.where("status = 'match'"))
    with pytest.raises(QualityError, match="2018 round 14 driver senna: computed 8, official 9"):
        check_reconciliation(rows)


@pytest.mark.parametrize(("season", "is_listed"), [(1955, True), (1976, True), (1990, True), (1991, False)])
def test_a_season_with_unsupported_rules_is_refused_with_the_rule_and_the_supported_seasons(
    spark: SparkSession, season: int, is_listed: bool
) -> None:
    from silver_to_gold_api import check_reconciliation

    schema = (
        "season int, round int, kind string, entity_id string, computed_points double, official_points double, "
        "status string"
    )
    rows = spark.createDataFrame([(season, 3, "driver", "boros", 3.33, 4.66, "points_diff")], schema)
    with pytest.raises(
        QualityError, match=rf"{season} round 3 driver boros: computed 3.33, official 4.66"
    ) as raised:
        check_reconciliation(rows)
    message = str(raised.value)
    assert ("until 1957 drivers who shared a car shared its points" in message) is is_listed
    assert (
        message.endswith(f"from 1991 on: leave {season} out of the source's setting `seasons`") is is_listed
    )
