"""An invented season in the shape of the F1 API: always the same races, and standings that reconcile."""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache
from random import Random

from support.invented_season.entries import (
    ABOUT,
    SEASON,
    Circuit,
    Record,
    make_circuits,
    make_constructors,
    make_drivers,
)
from support.invented_season.races import Entry, race_weekend
from support.invented_season.standings import Standings

FIRST_RACE = date(2099, 3, 15)
DAYS_BETWEEN_RACES = 14
SPRINT_ROUNDS = {3, 7}
ABSENT = {4: "invented_tyrewall"}  # nineteen starters, so that later pages split races
PIT_LANE_STARTS = {5: "invented_nosecone"}
RED_FLAGS = {6}  # one stop of many minutes
SESSIONS = (
    ("FirstPractice", 2, 11),
    ("SecondPractice", 2, 15),
    ("ThirdPractice", 1, 10),
    ("Qualifying", 1, 14),
)
SPRINT_SESSIONS = (
    ("FirstPractice", 2, 11),
    ("SprintQualifying", 2, 15),
    ("Sprint", 1, 10),
    ("Qualifying", 1, 14),
)
TEAM_SWAP_ROUND = 6
TEAM_SWAP = ("invented_damper", "invented_gearbox")  # each takes the other's car from that round on


@cache
def invented_season() -> dict[str, list[Record]]:
    """Return the complete list of each endpoint: races with all their rows, and one standings list per round."""
    drivers, constructors, circuits = make_drivers(), make_constructors(), make_circuits()
    season: dict[str, list[Record]] = {
        "races": [],
        "results": [],
        "sprint": [],
        "qualifying": [],
        "pitstops": [],
        "laps": [],
        "driverstandings": [],
        "constructorstandings": [],
        "drivers": sorted(drivers, key=lambda driver: driver["familyName"]),
        "constructors": sorted(constructors, key=lambda constructor: constructor["name"]),
        "circuits": sorted((circuit.record for circuit in circuits), key=lambda each: each["circuitId"]),
    }
    standings = Standings()
    for number, circuit in enumerate(circuits, 1):
        head, race = _race_heads(number, circuit)
        season["races"].append(race)
        weekend = race_weekend(
            Random(int(SEASON) * 100 + number),
            circuit,
            _entries(number, drivers, constructors),
            has_sprint=number in SPRINT_ROUNDS,
            pit_lane_start=PIT_LANE_STARTS.get(number, ""),
            has_red_flag=number in RED_FLAGS,
        )
        _add(season, head, weekend)
        standings.add(weekend["Results"], weekend.get("SprintResults", []))
        position = {"season": SEASON, "round": str(number)}
        season["driverstandings"].append({**position, "DriverStandings": standings.drivers()})
        season["constructorstandings"].append({**position, "ConstructorStandings": standings.constructors()})
    return season


def _add(season: dict[str, list[Record]], head: Record, weekend: dict[str, list[Record]]) -> None:
    lists = {
        "results": "Results",
        "sprint": "SprintResults",
        "qualifying": "QualifyingResults",
        "pitstops": "PitStops",
    }
    for endpoint, name in lists.items():
        if name in weekend:
            season[endpoint].append({**head, name: weekend[name]})


def _race_heads(number: int, circuit: Circuit) -> tuple[Record, Record]:
    """Return the race as other endpoints repeat it, and as the calendar shows it with its sessions."""
    day = FIRST_RACE + timedelta(days=DAYS_BETWEEN_RACES * (number - 1))
    head = {
        "season": SEASON,
        "round": str(number),
        "url": f"{ABOUT}/races/{number}",
        "raceName": f"Invented {circuit.name} Grand Prix",
        "Circuit": circuit.record,
        "date": day.isoformat(),
        "time": "13:00:00Z",
    }
    sessions = SPRINT_SESSIONS if number in SPRINT_ROUNDS else SESSIONS
    times = {
        name: {"date": (day - timedelta(days=before)).isoformat(), "time": f"{hour}:00:00Z"}
        for name, before, hour in sessions
    }
    return head, {**head, **times}


def _entries(number: int, drivers: list[Record], constructors: list[Record]) -> list[Entry]:
    """Return the entries of this round; a car's strength is its constructor's place in the list."""
    seats = {driver["driverId"]: index // 2 for index, driver in enumerate(drivers)}
    if number >= TEAM_SWAP_ROUND:
        one, other = TEAM_SWAP
        seats[one], seats[other] = seats[other], seats[one]
    return [
        Entry(driver, constructors[seats[driver["driverId"]]], strength=seats[driver["driverId"]])
        for driver in drivers
        if ABSENT.get(number) != driver["driverId"]
    ]
