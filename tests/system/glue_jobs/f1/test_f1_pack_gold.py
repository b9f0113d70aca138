"""The gold tables of the real seasons in the data pack, compared with known facts of these seasons."""

from collections import Counter
from decimal import Decimal

import pytest
from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F

pytestmark = [pytest.mark.spark, pytest.mark.pack]


@pytest.fixture(scope="module")
def rows(spark: SparkSession, pack_gold: dict[str, str]) -> dict[str, list[Row]]:
    """Return the rows of every table, by its name without the layer."""
    return {
        table.removeprefix("gold.f1_"): spark.read.parquet(location).collect()
        for table, location in pack_gold.items()
    }


def test_the_champions_are_the_real_ones(rows: dict[str, list[Row]]) -> None:
    champions = {row.season: row.driver_id for row in rows["driver_championship"] if row.is_champion}
    assert champions == {
        2014: "hamilton", 2016: "rosberg", 2018: "hamilton", 2020: "hamilton", 2022: "max_verstappen",
        2023: "max_verstappen", 2024: "max_verstappen",
    }  # fmt: skip


def test_the_tables_of_2024_are_the_official_ones(rows: dict[str, list[Row]]) -> None:
    drivers = {row.driver_id: row for row in rows["driver_championship"] if row.season == 2024}
    best = drivers["max_verstappen"]
    assert (best.position, best.points, best.wins) == (1, Decimal(437), 9)
    assert (drivers["norris"].points, drivers["leclerc"].points) == (374, 356)
    teams = {row.constructor_id: row.points for row in rows["constructor_championship"] if row.season == 2024}
    assert (teams["mclaren"], teams["ferrari"], teams["red_bull"]) == (666, 652, 589)


def test_titles_were_clinched_in_their_real_rounds(rows: dict[str, list[Row]]) -> None:
    clinched = {
        row.season: row.title_clinched_round for row in rows["driver_championship"] if row.is_champion
    }
    assert clinched == {2014: 19, 2016: 21, 2018: 19, 2020: 14, 2022: 18, 2023: 17, 2024: 22}


def test_every_official_driver_standing_is_matched_to_the_point(rows: dict[str, list[Row]]) -> None:
    drivers = [row for row in rows["standings_reconciliation"] if row.kind == "driver"]
    official = [row for row in drivers if row.official_points is not None]
    assert (len(official), {row.delta for row in official}) == (3098, {Decimal(0)})
    ties = [(row.season, row["round"], row.entity_id) for row in drivers if row.status == "order_tie"]
    assert sorted(ties) == [(2022, 6, "ricciardo"), (2022, 6, "tsunoda")]


def test_constructors_differ_by_the_two_rulings_only(rows: dict[str, list[Row]]) -> None:
    teams = [row for row in rows["standings_reconciliation"] if row.kind == "constructor"]
    assert sum(row.official_points is not None for row in teams) == 1495
    differing = Counter((row.entity_id, row.delta, row.status) for row in teams if row.delta)
    assert differing == {
        ("force_india", Decimal(59), "known_adjustment"): 9,
        ("racing_point", Decimal(15), "known_adjustment"): 13,
    }
    assert {row.status for row in teams} <= {"match", "known_adjustment", "missing_official"}


def test_the_last_race_of_2014_paid_double(rows: dict[str, list[Row]]) -> None:
    last = [row for row in rows["driver_points_progression"] if (row.season, row["round"]) == (2014, 19)]
    assert max(row.race_points for row in last) == 50
    before = [row for row in rows["driver_points_progression"] if (row.season, row["round"]) == (2014, 18)]
    assert {row.max_points_left for row in before} == {50}


def test_points_of_rounds_add_up_to_the_season(rows: dict[str, list[Row]]) -> None:
    for kind in ("driver", "constructor"):
        totals: Counter[tuple[int, str]] = Counter()
        for row in rows[f"{kind}_points_progression"]:
            totals[row.season, row[f"{kind}_id"]] += row.points_round
        gross = "points_cum_gross" if kind == "constructor" else "points_cum"
        ends: dict[tuple[int, str], Row] = {}
        for row in sorted(rows[f"{kind}_points_progression"], key=lambda row: row["round"]):
            ends[row.season, row[f"{kind}_id"]] = row
        assert {key: row[gross] for key, row in ends.items()} == totals


def test_sprint_weekends_leave_more_to_win(rows: dict[str, list[Row]]) -> None:
    left = {
        row["round"]: row.max_points_left for row in rows["driver_points_progression"] if row.season == 2024
    }
    assert (left[24], left[23], left[22]) == (0, 26, 60)
    teams = {
        row["round"]: row.max_points_left
        for row in rows["constructor_points_progression"]
        if row.season == 2024
    }
    assert (teams[23], teams[22]) == (44, 103)


def test_keys_are_unique(rows: dict[str, list[Row]]) -> None:
    from silver_to_gold_api import TABLES

    for table, gold in TABLES.items():
        counts = Counter(
            tuple(row[name] for name in gold.key) for row in rows[table.removeprefix("gold.f1_")]
        )
        assert max(counts.values()) == 1, table


def test_team_mates_meet_only_where_both_drove(rows: dict[str, list[Row]]) -> None:
    (pair,) = [row for row in rows["teammate_h2h"] if (row.season, row.constructor_id) == (2024, "mclaren")]
    assert (pair.driver_a, pair.driver_b, pair.races_together) == ("norris", "piastri", 24)
    assert (pair.points_a, pair.points_b, pair.quali_a, pair.quali_b) == (374, 292, 20, 4)
    ferrari = {
        (row.driver_a, row.driver_b): row.races_together
        for row in rows["teammate_h2h"] if (row.season, row.constructor_id) == (2024, "ferrari")
    }  # fmt: skip
    assert ferrari == {("leclerc", "sainz"): 23, ("bearman", "leclerc"): 1}


def test_every_pit_stop_is_ordinary_or_long(
    spark: SparkSession, pack_silver: dict[str, str], rows: dict[str, list[Row]]
) -> None:
    assert sum(row.stops + row.long_stops for row in rows["pit_stats"]) == 5479
    stops = spark.read.parquet(pack_silver["silver.f1_pit_stop"])
    assert sum(row.long_stops for row in rows["pit_stats"]) == stops.where(F.col("is_long")).count() == 378


def test_circuits_count_each_race_once(rows: dict[str, list[Row]]) -> None:
    assert sum(row.races for row in rows["circuit_stats"]) == 146
    assert sum(row.wins for row in rows["circuit_wins"]) == 146
    rates = [
        row[name]
        for row in rows["circuit_stats"]
        for name in ("pole_win_rate", "front_row_win_rate", "dnf_rate")
    ]
    assert all(0 <= rate <= 1 for rate in rates)
    (monza,) = [row for row in rows["circuit_stats"] if row.circuit_id == "monza"]
    assert (monza.races, monza.last_winner) == (7, "leclerc")
