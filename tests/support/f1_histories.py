"""Random histories of Formula 1 seasons: the records that syncs bring, sync after sync, of every kind that they can."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

Record = dict[str, Any]
Records = dict[str, list[Record]]

TEAMS = {"ann": "red", "bob": "red", "cid": "blue", "dan": "blue", "eve": "grey"}
CIRCUITS = ("ring", "street", "oval")
POINTS = ("0", "0.5", "6", "10", "25")
STATUS = ("Finished", "+1 Lap", "Engine", "Did not start", "Disqualified")
# Streams whose records are the rows of a session; those of the calendar and the standings are made otherwise.
SESSIONS = {
    "results": "Results",
    "sprint": "SprintResults",
    "qualifying": "QualifyingResults",
    "pit_stops": "PitStops",
}


def entries() -> Records:
    """Return the streams without seasons."""
    return {
        "drivers": [{"driverId": driver, "givenName": driver.title()} for driver in TEAMS],
        "constructors": [{"constructorId": team, "name": team.title()} for team in sorted({*TEAMS.values()})],
        "circuits": [{"circuitId": circuit, "circuitName": circuit.title()} for circuit in CIRCUITS],
    }


@dataclass
class Race:
    """A race as the API describes it now; a session that was not held yet has no rows."""

    circuit: str
    rows: dict[str, list[Record]] = field(default_factory=dict)
    has_standings: bool = False


class SeasonHistory:
    """One season, and what syncs have brought of it so far."""

    def __init__(self, season: int, seed: str) -> None:
        self.season = season
        self.random = Random(f"{seed}/{season}")
        self.races: dict[int, Race] = {}
        self.changed: set[tuple[str, int]] = (
            set()
        )  # the records that the next sync brings, as stream and round

    def sync(self) -> Records:
        """Return what a sync brings; at least one fact changes."""
        corrections = (
            self._correct_points, self._move_time, self._correct_stop, self._correct_grid, self._move_race,
            self._late_standings,
        )  # fmt: skip
        self._race()
        for _ in range(self.random.randint(0, 3)):
            self.random.choice((self._announce, self._race, self._late_sprint, *corrections))()
        brought = self.records(self.changed)
        self.changed.clear()
        if self.random.random() < 0.3:
            brought["qualifying"].append(self._conflict(brought["qualifying"][0]))
        return brought

    def repeated(self) -> Records:
        """Return records that came before, and rows that are rejected: no fact changes."""
        held = self._held("results")
        again = self.records(("results", number) for number in self.random.sample(held, len(held) // 2))
        nameless = {**self._result("ann", 1), "Driver": {}}
        faults = ({"round": "1", "Results": '[{"position": "1"'}, {"round": None, "Results": [self._result("ann", 1)]},
                  {"round": str(held[0]), "Results": [nameless]})  # fmt: skip
        again.setdefault("results", []).append({"season": str(self.season), **self.random.choice(faults)})
        return again

    def whole(self) -> Records:
        """Return all records of the season as they are now."""
        streams = ("races", *SESSIONS, "driver_standings", "constructor_standings")
        return self.records((stream, number) for stream in streams for number in self.races)

    def records(self, keys: Iterable[tuple[str, int]]) -> Records:
        """Return some records as they are now, by stream."""
        brought: Records = defaultdict(list)
        for stream, number in sorted(keys):
            race, head = self.races[number], {"season": str(self.season), "round": str(number)}
            if stream == "races":
                brought[stream].append({**head, "raceName": "GP", "Circuit": {"circuitId": race.circuit}})
            elif stream in SESSIONS and stream in race.rows:
                brought[stream].append({**head, SESSIONS[stream]: race.rows[stream]})
            elif stream.endswith("standings") and race.has_standings:
                brought[stream].append({**head, **self._standings(stream, number)})
        return dict(brought)

    def _held(self, stream: str) -> list[int]:
        return [number for number, race in self.races.items() if stream in race.rows]

    def _announce(self) -> int:
        number = len(self.races) + 1
        self.races[number] = Race(self.random.choice(CIRCUITS))
        self.changed.add(("races", number))
        return number

    def _race(self) -> None:
        """Hold a race that was announced, also before an earlier one of the calendar."""
        waiting = [number for number, race in self.races.items() if "results" not in race.rows]
        number = self.random.choice(waiting) if waiting and self.random.random() < 0.7 else self._announce()
        order = self.random.sample(sorted(TEAMS), self.random.randint(3, len(TEAMS)))
        rows = self.races[number].rows
        rows["results"] = [self._result(driver, place) for place, driver in enumerate(order, 1)]
        rows["qualifying"] = [self._lap(driver, place) for place, driver in enumerate(sorted(order), 1)]
        rows["pit_stops"] = [self._stop(driver) for driver in order[:2]]
        self.changed |= {(stream, number) for stream in ("results", "qualifying", "pit_stops")}
        self.races[number].has_standings = self.random.random() < 0.7
        self._standings_from(number)

    def _late_sprint(self) -> None:
        number = self.random.choice(self._held("results"))
        rows = self.races[number].rows
        rows["sprint"] = [{**row, "points": "1"} for row in rows["results"]]
        self.changed.add(("sprint", number))
        self._standings_from(number)

    def _late_standings(self) -> None:
        number = self.random.choice(self._held("results"))
        self.races[number].has_standings = True
        self._standings_from(number)

    def _correct_points(self) -> None:
        number, row = self._row_of("results")
        row["points"] = self.random.choice(POINTS)
        self._standings_from(number)

    def _correct_grid(self) -> None:
        _, row = self._row_of("results")
        row |= {"grid": str(self.random.randint(0, 5)), "status": self.random.choice(STATUS)}

    def _move_time(self) -> None:
        """Give the time of one segment to another: as many values are known as before."""
        _, row = self._row_of("qualifying")
        row["Q2"], row["Q3"] = row["Q3"], row["Q2"]

    def _correct_stop(self) -> None:
        _, row = self._row_of("pit_stops")
        row["duration"] = self.random.choice(("21.5", "22.125", "1:20.5"))

    def _conflict(self, record: Record) -> Record:
        """Return a second record of a session, in which a driver has another place and time; the first one counts."""
        row = {**record["QualifyingResults"][0], "position": "9", "Q1": "1:30.0"}
        return {**record, "QualifyingResults": [row]}

    def _move_race(self) -> None:
        number = self.random.choice(list(self.races))
        self.races[number].circuit = self.random.choice(CIRCUITS)
        self.changed.add(("races", number))

    def _row_of(self, stream: str) -> tuple[int, Record]:
        number = self.random.choice(self._held(stream))
        self.changed.add((stream, number))
        return number, self.random.choice(self.races[number].rows[stream])

    def _standings_from(self, number: int) -> None:
        """The standings of this race and of later ones change with its points."""
        kinds = ("driver_standings", "constructor_standings")
        self.changed |= {(kind, later) for later in self.races if later >= number for kind in kinds}

    def _standings(self, stream: str, number: int) -> Record:
        """Return the official standings, which agree with the results so far."""
        is_driver = stream.startswith("driver")
        totals = Counter[str]()
        for row in self._results_until(number):
            entity = row["Driver"]["driverId"] if is_driver else row["Constructor"]["constructorId"]
            totals[entity] += float(row["points"])  # type: ignore[assignment]
        rows = [
            {"position": str(place), "points": str(points), "wins": "0", **_named(entity, is_driver)}
            for place, (entity, points) in enumerate(totals.most_common(), 1)
        ]
        return {"DriverStandings" if is_driver else "ConstructorStandings": rows}

    def _results_until(self, number: int) -> Iterable[Record]:
        for earlier, race in self.races.items():
            if earlier <= number:
                yield from (*race.rows.get("results", ()), *race.rows.get("sprint", ()))

    def _result(self, driver: str, place: int) -> Record:
        return {
            "position": str(place), "positionText": self.random.choice((str(place), "R", "D")),
            "points": self.random.choice(POINTS), "grid": str(self.random.randint(0, 5)), "laps": "50",
            "status": self.random.choice(STATUS), "Driver": {"driverId": driver},
            "Constructor": {"constructorId": TEAMS[driver]},
        }  # fmt: skip

    def _lap(self, driver: str, place: int) -> Record:
        q3 = self.random.choice(("1:20.5", None))
        named = {"Driver": {"driverId": driver}, "Constructor": {"constructorId": TEAMS[driver]}}
        return {
            "position": str(place),
            "Q1": "1:22.5",
            "Q2": None if q3 else f"1:2{place}.0",
            "Q3": q3,
            **named,
        }

    def _stop(self, driver: str) -> Record:
        return {
            "driverId": driver,
            "stop": "1",
            "lap": "20",
            "duration": self.random.choice(("22.5", "23.75")),
        }


def _named(entity: str, is_driver: bool) -> Mapping[str, Any]:
    if is_driver:
        return {"Driver": {"driverId": entity}, "Constructors": [{"constructorId": TEAMS[entity]}]}
    return {"Constructor": {"constructorId": entity}}
