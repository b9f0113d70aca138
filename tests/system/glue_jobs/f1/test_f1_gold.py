"""The gold tables of two invented seasons, every number worked out by hand.

2021: ann leads until bob draws level in the last round and wins by two wins to one. Bob and cid swap teams after round
1, dan retires, is disqualified, then stays at home; round 2 has a sprint, pays half points and has no fastest lap.
2015: eve has won before the last round.
"""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import Row, SparkSession

pytestmark = pytest.mark.spark

RESULT = (
    "season int, round int, session string, driver_id string, constructor_id string, position int, "
    "position_text string, is_classified boolean, points decimal(6,2), grid int, status_group string, "
    "fastest_lap_rank int"
)
QUALIFYING = "season int, round int, driver_id string, constructor_id string, position int, best_ms long"
PIT_STOP = "season int, round int, driver_id string, stop int, duration_ms long, is_long boolean"
RACE = "season int, round int, circuit_id string, has_sprint boolean"
STANDING = "season int, round int, {} string, points decimal(7,2), position int"

RACES = [
    (2021, 1, "ring", False), (2021, 2, "street", True), (2021, 3, "ring", False),
    (2015, 1, "oval", False), (2015, 2, "oval", False), (2015, 3, "oval", False),
]  # fmt: skip
# season, round, session, driver, team, position, its text, points, grid, status, rank of the fastest lap
RESULTS = [
    (2021, 1, "R", "ann", "red", 1, "1", 26, 1, "finished", 1),
    (2021, 1, "R", "bob", "red", 2, "2", 15, 3, "finished", 2),
    (2021, 1, "R", "cid", "blue", 3, "3", 15, 0, "lapped", 3),
    (2021, 1, "R", "dan", "blue", 4, "R", 0, 2, "retired", None),
    (2021, 2, "S", "bob", "blue", 1, "1", 3, 2, "finished", None),
    (2021, 2, "S", "ann", "red", 2, "2", 2.5, 1, "finished", None),
    (2021, 2, "S", "cid", "red", 3, "3", 1, 3, "finished", None),
    (2021, 2, "S", "dan", "blue", 4, "4", 0, 4, "finished", None),
    (2021, 2, "R", "bob", "blue", 1, "1", 12.5, 2, "finished", None),
    (2021, 2, "R", "ann", "red", 2, "2", 9, 1, "finished", None),
    (2021, 2, "R", "cid", "red", 3, "3", 7.5, 3, "finished", None),
    (2021, 2, "R", "dan", "blue", 4, "D", 0, 4, "dsq", None),
    (2021, 3, "R", "bob", "blue", 1, "1", 25, 1, "finished", 2),
    (2021, 3, "R", "ann", "red", 2, "2", 18, 3, "finished", 3),
    (2021, 3, "R", "cid", "red", 3, "3", 16, 2, "finished", 1),
    (2015, 1, "R", "eve", "solo", 1, "1", 25, 1, "finished", None),
    (2015, 1, "R", "fay", "duo", 2, "R", 0, 2, "retired", None),
    (2015, 2, "R", "eve", "solo", 1, "1", 25, 1, "finished", None),
    (2015, 2, "R", "fay", "duo", 2, "2", 18, 2, "finished", None),
    (2015, 3, "R", "fay", "duo", 1, "1", 25, 1, "finished", None),
    (2015, 3, "R", "eve", "solo", 2, "R", 0, 2, "retired", None),
]
QUALIFYINGS = [
    (2021, 1, "ann", "red", 1, 80_000), (2021, 1, "dan", "blue", 2, 80_400), (2021, 1, "bob", "red", 3, 80_800),
    (2021, 1, "cid", "blue", 4, 81_600),
    (2021, 2, "ann", "red", 1, 90_000), (2021, 2, "bob", "blue", 2, 90_450), (2021, 2, "dan", "blue", 3, 90_900),
    (2021, 2, "cid", "red", 4, 91_350),
    (2021, 3, "ann", "red", 1, 79_000), (2021, 3, "bob", "blue", 2, 79_100), (2021, 3, "cid", "red", 3, None),
]  # fmt: skip
PIT_STOPS = [
    (2021, 1, "ann", 1, 22_000, False), (2021, 1, "ann", 2, 23_000, False), (2021, 1, "bob", 1, 24_000, False),
    (2021, 1, "bob", 2, 75_000, True), (2021, 1, "cid", 1, 21_000, False), (2021, 1, "dan", 1, 90_000, True),
    (2021, 2, "bob", 1, 61_000, True),
]  # fmt: skip
DRIVERS = [
    (2021, 3, "bob", 55.5, 1), (2021, 3, "ann", 55.5, 2), (2021, 3, "cid", 39.5, 3), (2021, 3, "dan", 0, 4),
]  # fmt: skip
CONSTRUCTORS = [(2021, 3, "red", 95, 1), (2021, 3, "blue", 55.5, 2)]

Rows = dict[tuple[Any, ...], Row]


@pytest.fixture(scope="module")
def gold(spark: SparkSession) -> Callable[..., Rows]:
    """Return a function that makes a gold table of the invented seasons and returns its rows by key."""
    from f1_seasons import Seasons
    from job_config import F1, read_config
    from silver_to_gold_api import TABLES

    def table(rows: list[tuple[Any, ...]], schema: str) -> Any:
        names = [column.split()[0] for column in schema.split(", ")]
        records = json.dumps([dict(zip(names, row, strict=True)) for row in rows])
        return spark.sql(f"select inline(from_json('{records}', 'array<struct<{schema}>>'))").coalesce(1)

    results = [(*row[:7], row[6].isdigit(), *row[7:]) for row in RESULTS]
    tables = {
        "silver.f1_result": table(results, RESULT).cache(),
        "silver.f1_race": table(RACES, RACE).cache(),
        "silver.f1_qualifying": table(QUALIFYINGS, QUALIFYING).cache(),
        "silver.f1_pit_stop": table(PIT_STOPS, PIT_STOP),
        "silver.f1_driver_standing": table(DRIVERS, STANDING.format("driver_id")),
        "silver.f1_constructor_standing": table(CONSTRUCTORS, STANDING.format("constructor_id")),
    }
    seasons = Seasons(spark, tables, read_config(F1, {}))

    def make(name: str, season: int | None = 2021) -> Rows:
        table = TABLES[f"gold.f1_{name}"]
        rows = table.make(seasons).collect()
        of_season = [row for row in rows if season is None or row.season == season]
        return {
            tuple(row[column] for column in table.key if column != "season" or not season): row
            for row in of_season
        }

    return make


def columns(rows: Rows, *names: str) -> dict[tuple[Any, ...], tuple[Any, ...]]:
    return {key: tuple(_plain(row[name]) for name in names) for key, row in rows.items()}


def _plain(value: Any) -> Any:
    return float(value) if isinstance(value, Decimal) else value


def test_points_add_up_round_by_round_and_level_points_go_by_count_back(gold: Callable[..., Rows]) -> None:
    rows = gold("driver_points_progression")
    assert columns(
        rows, "constructor_id", "race_points", "sprint_points", "points_round", "points_cum", "position_cum",
        "gap_to_leader",
    ) == {
        (1, "ann"): ("red", 26, 0, 26, 26, 1, 0), (1, "bob"): ("red", 15, 0, 15, 15, 2, 11),
        (1, "cid"): ("blue", 15, 0, 15, 15, 3, 11), (1, "dan"): ("blue", 0, 0, 0, 0, 4, 26),
        (2, "ann"): ("red", 9, 2.5, 11.5, 37.5, 1, 0), (2, "bob"): ("blue", 12.5, 3, 15.5, 30.5, 2, 7),
        (2, "cid"): ("red", 7.5, 1, 8.5, 23.5, 3, 14), (2, "dan"): ("blue", 0, 0, 0, 0, 4, 37.5),
        (3, "ann"): ("red", 18, 0, 18, 55.5, 2, 0), (3, "bob"): ("blue", 25, 0, 25, 55.5, 1, 0),
        (3, "cid"): ("red", 16, 0, 16, 39.5, 3, 16), (3, "dan"): ("blue", 0, 0, 0, 0, 4, 55.5),
    }  # fmt: skip
    assert columns(rows, "wins_cum", "podiums_cum", "max_points_left") == {
        (1, "ann"): (1, 1, 55), (1, "bob"): (0, 1, 55), (1, "cid"): (0, 1, 55), (1, "dan"): (0, 0, 55),
        (2, "ann"): (1, 2, 26), (2, "bob"): (1, 2, 26), (2, "cid"): (0, 2, 26), (2, "dan"): (0, 0, 26),
        (3, "ann"): (1, 3, 0), (3, "bob"): (2, 3, 0), (3, "cid"): (0, 3, 0), (3, "dan"): (0, 0, 0),
    }  # fmt: skip


def test_a_teams_points_are_those_of_its_drivers(gold: Callable[..., Rows]) -> None:
    rows = gold("constructor_points_progression")
    assert columns(rows, "points_round", "points_cum", "points_cum_gross", "position_cum", "max_points_left") == {
        (1, "red"): (41, 41, 41, 1, 93), (1, "blue"): (15, 15, 15, 2, 93),
        (2, "red"): (20, 61, 61, 1, 44), (2, "blue"): (15.5, 30.5, 30.5, 2, 44),
        (3, "red"): (34, 95, 95, 1, 0), (3, "blue"): (25, 55.5, 55.5, 2, 0),
    }  # fmt: skip


def test_the_championship_counts_each_driver_s_results(gold: Callable[..., Rows]) -> None:
    rows = gold("driver_championship")
    counted = ("position", "points", "wins", "podiums", "poles", "fastest_laps", "dnfs", "starts")
    assert columns(rows, *counted) == {
        ("bob",): (1, 55.5, 2, 3, 0, 0, 0, 3), ("ann",): (2, 55.5, 1, 3, 3, 1, 0, 3),
        ("cid",): (3, 39.5, 0, 3, 0, 1, 0, 3), ("dan",): (4, 0, 0, 0, 0, 0, 1, 2),
    }  # fmt: skip
    assert columns(rows, "points_per_start", "best_finish", "avg_finish", "is_champion") == {
        ("bob",): (18.5, 1, pytest.approx(4 / 3), True), ("ann",): (18.5, 1, pytest.approx(5 / 3), False),
        ("cid",): (pytest.approx(39.5 / 3), 3, 3, False), ("dan",): (0, None, None, False),
    }  # fmt: skip


def test_a_title_is_clinched_when_no_rival_can_catch_up(gold: Callable[..., Rows]) -> None:
    clinched = {
        row.driver_id: (row.season, row.is_champion, row.title_clinched_round)
        for row in gold("driver_championship", None).values()
        if row.position == 1
    }
    assert clinched == {"eve": (2015, True, 2), "bob": (2021, True, None)}


def test_teams_are_ranked_with_their_one_twos(gold: Callable[..., Rows]) -> None:
    rows = gold("constructor_championship")
    assert columns(rows, "position", "points", "wins", "one_twos", "podiums") == {
        ("red",): (1, 95, 1, 1, 6), ("blue",): (2, 55.5, 2, 0, 3),
    }  # fmt: skip


def test_qualifying_stands_next_to_grid_and_finish(gold: Callable[..., Rows]) -> None:
    rows = gold("quali_vs_race")
    places = ("quali_position", "grid", "finish_position", "grid_penalty", "places_gained")
    assert columns(rows, *places) == {
        (1, "ann"): (1, 1, 1, 0, 0), (1, "bob"): (3, 3, 2, 0, 1), (1, "cid"): (4, 0, 3, None, None),
        (1, "dan"): (2, 2, None, 0, None),
        (2, "ann"): (1, 1, 2, 0, -1), (2, "bob"): (2, 2, 1, 0, 1), (2, "cid"): (4, 3, 3, -1, 0),
        (2, "dan"): (3, 4, None, 1, None),
        (3, "ann"): (1, 3, 2, 2, 1), (3, "bob"): (2, 1, 1, -1, 0), (3, "cid"): (3, 2, 3, -1, -1),
    }  # fmt: skip
    assert columns(rows, "gap_to_pole_ms", "gap_to_teammate_ms") == {
        (1, "ann"): (0, -800), (1, "bob"): (800, 800), (1, "cid"): (1600, 1200), (1, "dan"): (400, -1200),
        (2, "ann"): (0, -1350), (2, "bob"): (450, -450), (2, "cid"): (1350, 1350), (2, "dan"): (900, 450),
        (3, "ann"): (0, None), (3, "bob"): (100, None), (3, "cid"): (None, None),
    }  # fmt: skip


def test_long_stops_are_counted_but_left_out_of_the_statistics(gold: Callable[..., Rows]) -> None:
    rows = gold("pit_stats")
    assert columns(rows, "stops", "median_ms", "p25_ms", "best_ms", "long_stops", "rank") == {
        (1, "red"): (3, 23_000, 22_500, 22_000, 1, 2), (1, "blue"): (1, 21_000, 21_000, 21_000, 1, 1),
        (2, "blue"): (0, None, None, None, 1, None),
    }  # fmt: skip


def test_team_mates_are_compared_only_where_both_drove_and_were_classified(gold: Callable[..., Rows]) -> None:
    rows = gold("teammate_h2h")
    counted = ("races_together", "race_a", "race_b", "quali_a", "quali_b", "points_a", "points_b")
    assert columns(rows, *counted) == {
        ("red", "ann", "bob"): (1, 1, 0, 1, 0, 26, 15), ("blue", "cid", "dan"): (1, 0, 0, 0, 1, 15, 0),
        ("red", "ann", "cid"): (2, 2, 0, 2, 0, 29.5, 24.5), ("blue", "bob", "dan"): (1, 0, 0, 1, 0, 15.5, 0),
    }  # fmt: skip
    assert {key: row.median_quali_gap_pct for key, row in rows.items()} == {
        ("red", "ann", "bob"): pytest.approx(-100 * 800 / 80_800),
        ("blue", "cid", "dan"): pytest.approx(100 * 1200 / 80_400),
        ("red", "ann", "cid"): pytest.approx(-100 * 1350 / 91_350),
        ("blue", "bob", "dan"): pytest.approx(-100 * 450 / 90_900),
    }


def test_circuits_summarise_their_races(gold: Callable[..., Rows]) -> None:
    rows = gold("circuit_stats", None)
    rates = ("races", "pole_win_rate", "front_row_win_rate", "avg_places_gained", "dnf_rate")
    circuits = {
        key[0]: values for key, values in columns(rows, *rates, "distinct_winners", "last_winner").items()
    }
    assert circuits["ring"] == (2, 0.5, 1.0, pytest.approx(0.2), pytest.approx(1 / 7), 2, "bob")
    assert circuits["street"] == (1, 0.0, 1.0, 0.0, 0.0, 1, "bob")


def test_drivers_are_counted_at_each_circuit(gold: Callable[..., Rows]) -> None:
    rows = gold("circuit_wins", None)
    counts = columns(rows, "starts", "wins", "win_rate", "podiums", "best_grid")
    assert {key: row for key, row in counts.items() if key[0] != "oval"} == {
        ("ring", "ann"): (2, 1, 0.5, 2, 1), ("ring", "bob"): (2, 1, 0.5, 2, 1),
        ("ring", "cid"): (2, 0, 0.0, 2, 2), ("ring", "dan"): (1, 0, 0.0, 0, 2),
        ("street", "ann"): (1, 0, 0.0, 1, 1), ("street", "bob"): (1, 1, 1.0, 1, 2),
        ("street", "cid"): (1, 0, 0.0, 1, 3), ("street", "dan"): (1, 0, 0.0, 0, 4),
    }  # fmt: skip
