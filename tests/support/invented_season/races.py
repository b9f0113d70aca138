"""One invented race weekend: qualifying, grid, race, sprint and pit stops that agree with each other."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from support.invented_season.entries import Circuit, Record

RACE_POINTS = (25, 18, 15, 12, 10, 8, 6, 4, 2, 1)
SPRINT_POINTS = (8, 7, 6, 5, 4, 3, 2, 1)
Q2_CARS, Q3_CARS = 15, 10
STOP_MS = 21_000
RED_FLAG_MS = 754_567
GRID_SLOT_MS = 150
REASONS = ("Retired", "Engine", "Collision", "Gearbox")


@dataclass(frozen=True)
class Entry:
    """A driver in a car; `strength` 0 is the fastest car."""

    driver: Record
    constructor: Record
    strength: int

    @property
    def name(self) -> str:
        """Return the driver's id."""
        return str(self.driver["driverId"])

    @property
    def record(self) -> Record:
        """Return the first members of a result row: driver and constructor."""
        return {"Driver": self.driver, "Constructor": self.constructor}


@dataclass(frozen=True)
class Finish:
    """The end of one car's race: whole laps, milliseconds over the full distance, best lap, stops by lap."""

    entry: Entry
    grid: int
    laps: int
    total_ms: int
    best_ms: int
    best_lap: int
    reason: str
    stops: tuple[tuple[int, int], ...]


def race_weekend(
    random: Random,
    circuit: Circuit,
    entries: list[Entry],
    *,
    has_sprint: bool,
    pit_lane_start: str,
    has_red_flag: bool,
) -> dict[str, list[Record]]:
    """Return the API's row lists of one round: QualifyingResults, Results, PitStops and any SprintResults."""
    qualifying, order = _qualify(random, circuit, entries)
    grid = _grid(order, pit_lane_start)
    finishes = _race(random, circuit, grid, circuit.laps, has_stops=True)
    weekend = {
        "QualifyingResults": qualifying,
        "Results": _result_rows(finishes, circuit, RACE_POINTS),
        "PitStops": _stop_rows(finishes, circuit, has_red_flag),
    }
    if has_sprint:
        sprint = _race(random, circuit, _grid(order, ""), circuit.laps // 3, has_stops=False)
        weekend["SprintResults"] = _result_rows(sprint, circuit, SPRINT_POINTS)
    return weekend


def _qualify(random: Random, circuit: Circuit, entries: list[Entry]) -> tuple[list[Record], list[Entry]]:
    """Return three segments; a driver who is eliminated stays behind those who reach the next segment."""
    left, order = list(entries), list[Entry]()
    laps: dict[str, dict[str, str]] = {entry.name: {} for entry in entries}
    for segment, going_on in (("Q1", Q2_CARS), ("Q2", Q3_CARS), ("Q3", 0)):
        times = {entry.name: _qualifying_ms(random, circuit, entry, segment) for entry in left}
        left.sort(key=lambda entry: times[entry.name])
        for entry in left:
            laps[entry.name][segment] = lap_time(times[entry.name])
        order, left = left[going_on:] + order, left[:going_on]
    rows = [
        {
            "number": entry.driver["permanentNumber"],
            "position": str(position),
            **entry.record,
            **laps[entry.name],
        }
        for position, entry in enumerate(order, 1)
    ]
    return rows, order


def _qualifying_ms(random: Random, circuit: Circuit, entry: Entry, segment: str) -> int:
    return circuit.lap_ms + 110 * entry.strength + int(900 * random.random()) - 250 * int(segment[1])


def _grid(order: list[Entry], pit_lane_start: str) -> list[tuple[int, Entry]]:
    """Return slots in qualifying order; a driver from the pit lane has grid 0, and those behind move up."""
    starters = [entry for entry in order if entry.name != pit_lane_start]
    late = [(0, entry) for entry in order if entry.name == pit_lane_start]
    return list(enumerate(starters, 1)) + late


def _race(
    random: Random, circuit: Circuit, grid: list[tuple[int, Entry]], laps: int, *, has_stops: bool
) -> list[Finish]:
    """Return the cars in classification order: finishers by time, then the retired by laps completed."""
    finishes = [_drive(random, circuit, slot, entry, laps, has_stops) for slot, entry in grid]
    return sorted(
        finishes, key=lambda each: (each.reason != "", -each.laps if each.reason else 0, each.total_ms)
    )


def _drive(random: Random, circuit: Circuit, slot: int, entry: Entry, laps: int, has_stops: bool) -> Finish:
    pace = circuit.lap_ms + 3_000 + 130 * entry.strength + int(500 * random.random())
    best_ms, best_lap = pace - 1_500 + int(700 * random.random()), laps - int(laps * 0.4 * random.random())
    stop_count = 1 + (random.random() < 0.6) + (random.random() < 0.15) if has_stops else 0
    stops = tuple(
        (
            laps * (number + 1) // (stop_count + 1) - int(5 * random.random()),
            STOP_MS + int(4_000 * random.random()),
        )
        for number in range(stop_count)
    )
    reason, done = "", laps
    if random.random() < (0.09 if has_stops else 0.02):
        reason, done = REASONS[int(len(REASONS) * random.random())], 1 + int((laps - 2) * random.random())
    start_ms = GRID_SLOT_MS * (slot or len(REASONS) * 10)
    total_ms = start_ms + laps * pace + sum(duration for lap, duration in stops)
    return Finish(entry, slot, done, total_ms, best_ms, min(best_lap, done), reason, stops)


def _result_rows(finishes: list[Finish], circuit: Circuit, points: tuple[int, ...]) -> list[Record]:
    winner = finishes[0]
    ranks = {
        finish.entry.name: rank
        for rank, finish in enumerate(sorted(finishes, key=lambda each: each.best_ms), 1)
    }
    rows = []
    for position, finish in enumerate(finishes, 1):
        scored = points[position - 1] if not finish.reason and position <= len(points) else 0
        row = {
            "number": finish.entry.driver["permanentNumber"],
            "position": str(position),
            "positionText": "R" if finish.reason else str(position),
            "points": str(scored),
            **finish.entry.record,
            "grid": str(finish.grid),
            **_ending(finish, winner),
            "FastestLap": _fastest_lap(finish, ranks[finish.entry.name], circuit),
        }
        rows.append(row)
    return rows


def _ending(finish: Finish, winner: Finish) -> Record:
    """Return laps, status and, for cars on the winner's lap, the time."""
    if finish.reason:
        return {"laps": str(finish.laps), "status": finish.reason}
    gap = finish.total_ms - winner.total_ms
    behind = gap // (winner.total_ms // winner.laps)
    if behind:
        return {"laps": str(finish.laps - behind), "status": "Lapped"}
    time = race_time(winner.total_ms) if finish is winner else f"+{gap_time(gap)}"
    return {
        "laps": str(finish.laps),
        "status": "Finished",
        "Time": {"millis": str(finish.total_ms), "time": time},
    }


def _fastest_lap(finish: Finish, rank: int, circuit: Circuit) -> Record:
    speed = circuit.length_km / finish.best_ms * 3_600_000
    return {
        "rank": str(rank),
        "lap": str(finish.best_lap),
        "Time": {"time": lap_time(finish.best_ms)},
        "AverageSpeed": {"units": "kph", "speed": f"{speed:.3f}"},
    }


def _stop_rows(finishes: list[Finish], circuit: Circuit, has_red_flag: bool) -> list[Record]:
    """Return every stop by lap; under a red flag the winner's first stop lasts as long as the flag."""
    rows = []
    for finish in finishes:
        for number, (lap, duration) in enumerate(finish.stops, 1):
            if lap > finish.laps:
                continue
            is_long = has_red_flag and finish is finishes[0] and number == 1
            rows.append((lap, finish.entry.name, number, RED_FLAG_MS if is_long else duration))
    return [
        {
            "driverId": name,
            "lap": str(lap),
            "stop": str(number),
            "time": _time_of_day(lap, circuit),
            "duration": gap_time(duration),
        }
        for lap, name, number, duration in sorted(rows)
    ]


def _time_of_day(lap: int, circuit: Circuit) -> str:
    seconds = 15 * 3600 + lap * (circuit.lap_ms + 3_000) // 1000
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def lap_time(milliseconds: int) -> str:
    """Format a lap time as in "1:20.235"."""
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes}:{rest // 1000:02d}.{rest % 1000:03d}"


def race_time(milliseconds: int) -> str:
    """Format a race time as in "1:33:56.736"."""
    hours, rest = divmod(milliseconds, 3_600_000)
    return f"{hours}:{rest // 60_000:02d}:{rest // 1000 % 60:02d}.{rest % 1000:03d}"


def gap_time(milliseconds: int) -> str:
    """Format a gap as in "21.987", and as in "1:04.123" from one minute up."""
    if milliseconds >= 60_000:
        return lap_time(milliseconds)
    return f"{milliseconds // 1000}.{milliseconds % 1000:03d}"
