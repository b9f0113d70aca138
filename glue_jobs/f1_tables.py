"""The silver tables of Formula 1 as data: where their rows come from, their keys and how each column is read."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """A bronze stream; rows are the items of `listing`, or the records themselves without one."""

    stream: str
    listing: str | None = None
    session: str | None = None


@dataclass(frozen=True)
class Field:
    """A column read from the text at `path` as one of `f1_records.READERS`."""

    name: str
    path: str
    kind: str = "text"


@dataclass(frozen=True)
class Table:
    """A silver table; where `prefers` is set, of two rows of one key the one with the lower value there stays."""

    sources: tuple[Source, ...]
    key: tuple[str, ...]
    fields: tuple[Field, ...]
    shape: str = ""
    prefers: str | None = None


_DRIVER = "Driver struct<driverId string>"
_CONSTRUCTOR = "Constructor struct<constructorId string>"
_STANDING = "position string, positionText string, points string, wins string"

_RACE = (Field("season", "season", "int"), Field("round", "round", "int"))
_DRIVER_ID = Field("driver_id", "item.Driver.driverId")
_CONSTRUCTOR_ID = Field("constructor_id", "item.Constructor.constructorId")
_STANDING_FIELDS = (
    Field("position", "item.position", "int"),
    Field("position_text", "item.positionText"),
    Field("points", "item.points", "total"),
    Field("wins", "item.wins", "int"),
)

TABLES: Mapping[str, Table] = {
    "silver.f1_race": Table(
        (Source("races"),),
        ("season", "round"),
        (
            *_RACE,
            Field("race_name", "raceName"),
            Field("circuit_id", "Circuit.circuitId"),
            Field("race_date", "date", "date"),
            Field("race_time", "time"),
            Field("quali_day", "Qualifying.date"),
            Field("quali_time", "Qualifying.time"),
            Field("sprint_day", "Sprint.date"),
            Field("sprint_time", "Sprint.time"),
            Field("url", "url"),
        ),
    ),
    "silver.f1_circuit": Table(
        (Source("circuits"),),
        ("circuit_id",),
        (
            Field("circuit_id", "circuitId"),
            Field("circuit_name", "circuitName"),
            Field("locality", "Location.locality"),
            Field("country", "Location.country"),
            Field("lat", "Location.lat", "double"),
            Field("lon", "Location.long", "double"),
        ),
    ),
    "silver.f1_driver": Table(
        (Source("drivers"),),
        ("driver_id",),
        (
            Field("driver_id", "driverId"),
            Field("code", "code"),
            Field("permanent_number", "permanentNumber", "int"),
            Field("given_name", "givenName"),
            Field("family_name", "familyName"),
            Field("date_of_birth", "dateOfBirth", "date"),
            Field("nationality", "nationality"),
        ),
    ),
    "silver.f1_constructor": Table(
        (Source("constructors"),),
        ("constructor_id",),
        (
            Field("constructor_id", "constructorId"),
            Field("name", "name"),
            Field("nationality", "nationality"),
        ),
    ),
    # The constructor is that of the result: drivers change team in mid-season.
    "silver.f1_result": Table(
        (Source("results", "Results", "R"), Source("sprint", "SprintResults", "S")),
        ("season", "round", "session", "driver_id"),
        (
            *_RACE,
            Field("session", "session"),
            _DRIVER_ID,
            _CONSTRUCTOR_ID,
            Field("car_number", "item.number", "int"),
            Field("position", "item.position", "int"),
            Field("position_text", "item.positionText"),
            Field("points", "item.points", "points"),
            Field("grid", "item.grid", "int"),
            Field("laps", "item.laps", "int"),
            Field("status", "item.status"),
            Field("race_time_ms", "item.Time.millis", "long"),
            Field("fastest_lap_rank", "item.FastestLap.rank", "int"),
            Field("fastest_lap_no", "item.FastestLap.lap", "int"),
            Field("fastest_lap_ms", "item.FastestLap.Time.time", "duration"),
        ),
        f"array<struct<number string, position string, positionText string, points string, {_DRIVER},"
        f" {_CONSTRUCTOR}, grid string, laps string, status string, Time struct<millis string, time string>,"
        " FastestLap struct<rank string, lap string, Time struct<time string>>>>",
        prefers="position",
    ),
    "silver.f1_qualifying": Table(
        (Source("qualifying", "QualifyingResults"),),
        ("season", "round", "driver_id"),
        (
            *_RACE,
            _DRIVER_ID,
            _CONSTRUCTOR_ID,
            Field("position", "item.position", "int"),
            Field("q1_ms", "item.Q1", "duration"),
            Field("q2_ms", "item.Q2", "duration"),
            Field("q3_ms", "item.Q3", "duration"),
        ),
        f"array<struct<position string, {_DRIVER}, {_CONSTRUCTOR}, Q1 string, Q2 string, Q3 string>>",
        prefers="position",
    ),
    # Lane times, from entry to exit: not the time the car stood still.
    "silver.f1_pit_stop": Table(
        (Source("pit_stops", "PitStops"),),
        ("season", "round", "driver_id", "stop"),
        (
            *_RACE,
            Field("driver_id", "item.driverId"),
            Field("stop", "item.stop", "int"),
            Field("lap", "item.lap", "int"),
            Field("duration_ms", "item.duration", "duration"),
            Field("local_time", "item.time"),
        ),
        "array<struct<driverId string, lap string, stop string, time string, duration string>>",
    ),
    "silver.f1_lap": Table(
        (Source("laps", "Laps"),),
        ("season", "round", "driver_id", "lap"),
        (
            *_RACE,
            Field("driver_id", "item.timing.driverId"),
            Field("lap", "item.number", "int"),
            Field("position", "item.timing.position", "int"),
            Field("lap_ms", "item.timing.time", "duration"),
        ),
        "array<struct<number string, Timings array<struct<driverId string, position string, time string>>>>",
        prefers="position",
    ),
    "silver.f1_driver_standing": Table(
        (Source("driver_standings", "DriverStandings"),),
        ("season", "round", "driver_id"),
        (*_RACE, _DRIVER_ID, *_STANDING_FIELDS, Field("teams", "item.teams")),
        f"array<struct<{_STANDING}, {_DRIVER}, Constructors array<struct<constructorId string>>>>",
        prefers="position",
    ),
    "silver.f1_constructor_standing": Table(
        (Source("constructor_standings", "ConstructorStandings"),),
        ("season", "round", "constructor_id"),
        (*_RACE, _CONSTRUCTOR_ID, *_STANDING_FIELDS),
        f"array<struct<{_STANDING}, {_CONSTRUCTOR}>>",
        prefers="position",
    ),
}

# Objects inside the records that are rows themselves.
OBJECTS = {
    "Circuit": "circuitId string",
    "Location": "lat string, long string, locality string, country string",
    "Qualifying": "date string, time string",
    "Sprint": "date string, time string",
}
