"""The silver tables of Formula 1: the row that each record becomes, rule by rule."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import Row, SparkSession
from pyspark.sql import functions as F

from support.f1_records import qualifying, race, result

pytestmark = pytest.mark.spark
Silver = Callable[..., list[Row]]
Write = Callable[..., str]


@pytest.fixture(scope="session")
def silver(spark: SparkSession, write_stream: Write) -> Silver:
    """Return a function that turns the records of one stream, or located streams, into rows of a silver table."""

    def make(table: str, stream: str, records: Any) -> list[Row]:
        from bronze_to_silver_api import COLUMNS, no_records, read_records
        from f1_cleaning import clean_rows, screen_rows

        location = records if isinstance(records, str) else write_stream(stream, records)
        streams = {name: no_records(spark, name) for name in COLUMNS} | {
            stream: read_records(spark, location, stream)
        }
        name = f"silver.f1_{table}"
        return clean_rows(name, screen_rows(name, streams), streams, {"run_id": F.lit("run-1")}).collect()

    return make


def test_a_result_keeps_every_digit(silver: Silver) -> None:
    (row,) = silver("result", "results", [race(result(1, "senna", points="12.5", grid="0"))])
    assert (row.season, row["round"], row.session, row.driver_id, row.constructor_id) == (
        2024,
        1,
        "R",
        "senna",
        "lotus",
    )
    assert (row.points, row.position, row.is_classified, row.laps) == (Decimal("12.50"), 1, True, 57)
    assert (row.grid, row.pit_lane_start, row.status_group) == (0, True, "finished")
    assert (row.race_time_ms, row.gap_ms, row.fastest_lap_ms) == (5_000_001, 0, 92_608)
    assert (row.source_rows, row.dq_flags, row.run_id) == (1, [], "run-1")


def test_a_race_cut_over_two_pages_is_one_race(silver: Silver) -> None:
    rows = silver("result", "results", [race(result(1, "senna")), race(result(2, "prost"))])
    assert [(row.driver_id, row.gap_ms, row.dq_flags) for row in rows] == [("prost", 1, []), ("senna", 0, [])]


def test_a_row_repeated_over_pages_is_kept_once(silver: Silver) -> None:
    (row,) = silver("result", "results", [race(result(1, "senna")), race(result(1, "senna"))])
    assert (row.source_rows, row.dq_flags) == (2, [])


def test_of_rows_that_differ_the_better_place_is_kept(silver: Silver) -> None:
    record = {"season": "2023", "round": "10"}
    entries = [qualifying("hunt", 1, "1:20.0"), qualifying("bottas", 2, "1:29.0"), qualifying("bottas", 3)]
    rows = silver("qualifying", "qualifying", [{**record, "QualifyingResults": entries}])
    assert [(row.driver_id, row.position, row.dq_flags) for row in rows] == [
        ("bottas", 2, ["DUP_CONFLICT"]), ("hunt", 1, []),
    ]  # fmt: skip


def test_a_later_sync_of_an_appended_stream_supersedes(silver: Silver, write_stream: Write) -> None:
    location = write_stream("results", [race(result(1, "senna", points="25"))], synced_at=200)
    write_stream("results", [race(result(1, "senna", points="18"))], location, synced_at=100)
    (row,) = silver("result", "results", location)
    assert (row.points, row.source_rows, row.dq_flags) == (25, 2, [])


def test_only_the_newest_generation_counts(silver: Silver, write_stream: Write) -> None:
    location = write_stream("results", [race(result(1, "senna"), result(2, "prost"))], generation=1)
    write_stream("results", [race(result(1, "prost"))], location, generation=2, synced_at=2)
    assert [row.driver_id for row in silver("result", "results", location)] == ["prost"]


BROKEN = [
    ("POSITION_GAP", [result(1, "a"), result(3, "b")]),
    ("POSITION_GAP", [result(1, "a"), result(2, "b"), result(2, "c", positionText="3", grid="3")]),
    ("WINNER_COUNT", [result(1, "a", positionText="R"), result(2, "b")]),
    ("WINNER_COUNT", [result(1, "a"), result(2, "b", positionText="1")]),
    ("POINTS_RANGE", [result(1, "a", points="61")]),
    ("POINTS_RANGE", [result(1, "a", points="-1")]),
    ("LAPS_GT_WINNER", [result(1, "a"), result(2, "b", laps="58")]),
    ("GRID_REPEATED", [result(1, "a"), result(2, "b", grid="1")]),
    ("FASTEST_LAP_COUNT", [result(1, "a"), result(2, "b", FastestLap={"rank": "1"})]),
    ("TEXT_UNREADABLE", [result(1, "a", points="ten")]),
    ("TEXT_UNREADABLE", [result(1, "a", FastestLap={"rank": "1", "Time": {"time": "1.32.608"}})]),
]


@pytest.fixture(scope="module")
def broken_rows(silver: Silver) -> list[Row]:
    """Return the rows of all `BROKEN` races, made in one job."""
    return silver("result", "results", [race(*rows, round_=n) for n, (_, rows) in enumerate(BROKEN)])


@pytest.mark.parametrize("index", range(len(BROKEN)), ids=[code for code, _ in BROKEN])
def test_a_broken_rule_flags_its_race_and_no_other_rule_does(broken_rows: list[Row], index: int) -> None:
    rows = [row for row in broken_rows if row["round"] == index]
    assert {code for row in rows for code in row.dq_flags} == {BROKEN[index][0]}


def test_two_cars_from_the_pit_lane_and_no_fastest_lap_are_not_flagged(silver: Silver) -> None:
    pair = [result(n, f"d{n}", grid="0", FastestLap=None) for n in (1, 2)]
    assert [row.dq_flags for row in silver("result", "results", [race(*pair)])] == [[], []]


def test_segments_of_qualifying_follow_each_other(silver: Silver) -> None:
    entries = [
        qualifying("a", 1, "1:20.123", "1:19.0", "1:18.999"), qualifying("b", 2, "", "1:19.5"),
        qualifying("c", 3, "1:21.0", "", "1:19.9"), qualifying("d", 4, ""),
    ]  # fmt: skip
    record = {"season": "2024", "round": "1", "QualifyingResults": entries}
    a, b, c, d = silver("qualifying", "qualifying", [record])
    assert (a.q1_ms, a.best_ms, a.segment_reached, a.dq_flags) == (80_123, 78_999, 3, [])
    assert (b.dq_flags, c.dq_flags) == (["Q2_WITHOUT_Q1"], ["Q3_WITHOUT_Q2"])
    assert (d.best_ms, d.segment_reached, d.dq_flags) == (None, None, [])


def test_pit_stops_over_a_minute_are_long_and_a_missing_one_is_flagged(silver: Silver) -> None:
    stops = [
        {"driverId": "a", "lap": "9", "stop": "1", "duration": "59.999", "time": "15:05:16"},
        {"driverId": "a", "lap": "30", "stop": "2", "duration": "15:25.181"},
        {"driverId": "b", "lap": "30", "stop": "2", "duration": "25"},
    ]
    rows = silver("pit_stop", "pit_stops", [{"season": "2024", "round": "1", "PitStops": stops}])
    assert [(row.duration_ms, row.is_long) for row in rows] == [
        (59_999, False),
        (925_181, True),
        (25_000, False),
    ]
    assert [row.dq_flags for row in rows] == [[], [], ["STOP_GAP"]]


def test_a_race_without_a_stop_has_no_rows(silver: Silver) -> None:
    empty = [{"season": "2024", "round": str(n), "PitStops": stops} for n, stops in enumerate(([], None))]
    assert silver("pit_stop", "pit_stops", empty) == []


def test_each_driver_has_one_row_a_lap(silver: Silver) -> None:
    timings = [
        {"driverId": name, "position": str(n), "time": f"1:3{n}.5"} for n, name in enumerate("ab", start=1)
    ]
    record = {"season": "2024", "round": "1", "Laps": [{"number": "7", "Timings": timings}]}
    rows = silver("lap", "laps", [record])
    assert [(row.driver_id, row.lap, row.position, row.lap_ms) for row in rows] == [
        ("a", 7, 1, 91_500), ("b", 7, 2, 92_500),
    ]  # fmt: skip


def test_a_standing_without_a_place_is_kept(silver: Silver) -> None:
    teams = [{"constructorId": "lotus"}, {"constructorId": "ferrari"}]
    entries = [
        {"position": "1", "positionText": "1", "points": "12.5", "wins": "1", "Driver": {"driverId": "a"},
         "Constructors": teams},
        {"positionText": "-", "points": "0", "wins": "0", "Driver": {"driverId": "b"}, "Constructors": []},
    ]  # fmt: skip
    first, second = silver(
        "driver_standing", "driver_standings", [{"season": "2024", "round": "1", "DriverStandings": entries}]
    )
    assert (first.points, first.constructor_ids) == (Decimal("12.50"), ["lotus", "ferrari"])
    assert (second.position, second.position_text) == (None, "-")


def test_a_race_lists_its_sessions(silver: Silver) -> None:
    record = {
        "season": "2024", "round": "5", "raceName": "Test GP", "date": "2024-04-21", "time": "07:00:00Z", "url": "",
        "Circuit": {"circuitId": "shanghai"}, "Sprint": {"date": "2024-04-20", "time": "03:00:00Z"},
        "Qualifying": {"date": "2024-04-20"},
    }  # fmt: skip
    (row,) = silver("race", "races", [record])
    assert (row.circuit_id, row.race_date, row.has_sprint, row.url) == (
        "shanghai",
        date(2024, 4, 21),
        True,
        None,
    )
    assert row.race_start.astimezone(UTC) == datetime(2024, 4, 21, 7, tzinfo=UTC)
    assert (row.quali_start, row.sprint_start.astimezone(UTC).day) == (None, 20)


def test_the_fullest_of_a_drivers_records_is_kept(silver: Silver) -> None:
    bare = {"driverId": "senna", "givenName": "Ayrton", "familyName": "Senna"}
    (row,) = silver("driver", "drivers", [bare, {**bare, "permanentNumber": "12"}])
    assert (row.permanent_number, row.source_rows) == (12, 2)


TIMES = {
    "1:31:44.742": 5_504_742, "1:32.608": 92_608, "25.885": 25_885, "15:25.181": 925_181, "+11.987": 11_987,
    "+1:05.1": 65_100, "59": 59_000, "0.07": 70, "+1 Lap": None, "": None, "1:2:3:4": None, "12.3456": None,
}  # fmt: skip


def test_times_are_exact_milliseconds(spark: SparkSession) -> None:
    from f1_records import milliseconds

    times = spark.createDataFrame([(time,) for time in TIMES], "time string")
    converted = times.select("time", milliseconds(F.col("time")).alias("ms")).collect()
    assert {row.time: row.ms for row in converted} == TIMES


STATUS = {
    ("Finished", "1"): "finished", ("+1 Lap", "12"): "lapped", ("Lapped", "12"): "lapped", ("Engine", "R"): "retired",
    ("Retired", "R"): "retired", ("Engine", "17"): "retired", ("Disqualified", "D"): "dsq", ("Finished", "E"): "dsq",
    ("Did not start", "W"): "dns", ("Withdrew", "R"): "retired", ("Did not qualify", "F"): "dns",
    (None, "R"): "retired", (None, "3"): None,
}  # fmt: skip


def test_status_words_fall_into_groups(spark: SparkSession) -> None:
    from f1_cleaning import status_group

    rows = spark.createDataFrame(list(STATUS), "status string, place string")
    grouped = rows.select("*", status_group(F.col("status"), F.col("place")).alias("it")).collect()
    assert {(row.status, row.place): row.it for row in grouped} == STATUS


def test_the_same_bronze_gives_the_same_silver(silver: Silver) -> None:
    halves = [race(result(1, "senna")), race(result(2, "prost"))]
    assert silver("result", "results", halves) == silver("result", "results", halves[::-1])
