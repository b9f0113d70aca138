"""Championship standings after each round, added up from the rows of the invented results."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

from support.invented_season.entries import Record


class Standings:
    """Points and places so far, ordered by points, then first places, second places, … in races, then name."""

    def __init__(self) -> None:
        self._drivers: dict[str, Record] = {}
        self._constructors: dict[str, Record] = {}
        self._driven: defaultdict[str, dict[str, Record]] = defaultdict(dict)
        self._points: Counter[str] = Counter()
        self._places: defaultdict[str, Counter[int]] = defaultdict(Counter)

    def add(self, results: list[Record], sprint: list[Record]) -> None:
        """Count one round: points of race and sprint, places of the race only."""
        for row in [*results, *sprint]:
            driver, constructor = row["Driver"], row["Constructor"]
            self._drivers[driver["driverId"]] = driver
            self._constructors[constructor["constructorId"]] = constructor
            self._driven[driver["driverId"]][constructor["constructorId"]] = constructor
            for name in (driver["driverId"], constructor["constructorId"]):
                self._points[name] += int(row["points"])
        for row in results:
            if row["positionText"].isdigit():
                for name in (row["Driver"]["driverId"], row["Constructor"]["constructorId"]):
                    self._places[name][int(row["position"])] += 1

    def drivers(self) -> list[Record]:
        """Return the drivers' table, the leader first."""
        return [
            {**row, "Driver": self._drivers[name], "Constructors": list(self._driven[name].values())}
            for name, row in self._table(self._drivers)
        ]

    def constructors(self) -> list[Record]:
        """Return the constructors' table, the leader first."""
        return [
            {**row, "Constructor": self._constructors[name]} for name, row in self._table(self._constructors)
        ]

    def _table(self, names: Mapping[str, Record]) -> list[tuple[str, Record]]:
        order = sorted(names, key=lambda name: (-self._points[name], *self._count_back(name), name))
        return [
            (
                name,
                {
                    "position": str(position),
                    "positionText": str(position),
                    "points": str(self._points[name]),
                    "wins": str(self._places[name][1]),
                },
            )
            for position, name in enumerate(order, 1)
        ]

    def _count_back(self, name: str) -> list[int]:
        return [-self._places[name][place] for place in range(1, 21)]
