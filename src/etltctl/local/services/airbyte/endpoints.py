"""The streams of the Formula 1 API (Ergast-compatible): where their records are, and their columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from etltctl.local.services.airbyte.records import Kind

_TEXT, _JSON = Kind.STRING, Kind.JSON
# A record has only the sessions that its weekend had; the columns are there for all of them.
_SESSION_NAMES = (
    "FirstPractice", "SecondPractice", "ThirdPractice", "Qualifying", "Sprint", "SprintShootout", "SprintQualifying",
)  # fmt: skip
_RACE = {
    **dict.fromkeys(("season", "round", "url", "raceName"), _TEXT),
    "Circuit": _JSON,
    "date": _TEXT,
    "time": _TEXT,
}
_STANDINGS = {"season": _TEXT, "round": _TEXT}
_DRIVER = dict.fromkeys(
    ("driverId", "permanentNumber", "code", "url", "givenName", "familyName", "dateOfBirth", "nationality"),
    _TEXT,
)
_CONSTRUCTOR = dict.fromkeys(("constructorId", "url", "name", "nationality"), _TEXT)
_CIRCUIT = {**dict.fromkeys(("circuitId", "url", "circuitName"), _TEXT), "Location": _JSON}


@dataclass(frozen=True)
class Endpoint:
    """Where a stream's records are in the API's answers, and the lists inside a record whose rows `total` counts."""

    path: str
    table: str
    listing: str
    columns: Mapping[str, Kind]
    rows: tuple[str, ...] = ()
    is_per_round: bool = False


def _race_endpoint(path: str, *rows: str, is_per_round: bool = False) -> Endpoint:
    return Endpoint(path, "RaceTable", "Races", {**_RACE, rows[0]: _JSON}, rows, is_per_round)


def _standings_endpoint(path: str, rows: str) -> Endpoint:
    return Endpoint(path, "StandingsTable", "StandingsLists", {**_STANDINGS, rows: _JSON}, (rows,), True)


ENDPOINTS: dict[str, Endpoint] = {
    "races": Endpoint("races", "RaceTable", "Races", {**_RACE, **dict.fromkeys(_SESSION_NAMES, _JSON)}),
    "results": _race_endpoint("results", "Results"),
    "sprint": _race_endpoint("sprint", "SprintResults"),
    "qualifying": _race_endpoint("qualifying", "QualifyingResults"),
    "pit_stops": _race_endpoint("pitstops", "PitStops", is_per_round=True),
    "drivers": Endpoint("drivers", "DriverTable", "Drivers", _DRIVER),
    "constructors": Endpoint("constructors", "ConstructorTable", "Constructors", _CONSTRUCTOR),
    "circuits": Endpoint("circuits", "CircuitTable", "Circuits", _CIRCUIT),
    "driver_standings": _standings_endpoint("driverstandings", "DriverStandings"),
    "constructor_standings": _standings_endpoint("constructorstandings", "ConstructorStandings"),
    # Two lists in each other: `total` counts the timings of all laps, not the laps.
    "laps": _race_endpoint("laps", "Laps", "Timings", is_per_round=True),
}
SEASONS = Endpoint("seasons", "SeasonTable", "Seasons", {})
DEFAULT_STREAMS = tuple(
    name for name in ENDPOINTS if name != "laps"
)  # 264 requests a season: only when asked for
