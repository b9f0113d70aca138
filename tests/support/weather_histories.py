"""Random histories of a place's weather documents: what syncs bring, sync after sync, of every kind that they can."""

from __future__ import annotations

from random import Random
from typing import Any

NEW_YEAR = 1_704_067_200  # 2024-01-01 00:00 UTC: the hours before it are of another partition
HOUR = 3600
ENTRIES = ({"id": 200, "main": "Thunderstorm"}, {"id": 502, "main": "Rain"}, {"id": 601, "main": "Snow"},
           {"id": 741, "main": "Fog"}, {"id": 800, "main": "Clear"}, {"id": 804, "main": "Clouds"})  # fmt: skip

Document = dict[str, Any]


class PlaceHistory:
    """One place, and the documents that syncs have brought of it so far."""

    def __init__(self, number: int, seed: int) -> None:
        self.random = Random(f"{seed}/{number}")
        self.name = f"Place {seed} {number}"
        self.number = number
        # Of one place in four, documents come from the turn of the year on: they are of two partitions.
        self.begin = NEW_YEAR if number % 4 == 0 else NEW_YEAR + 100 * 24 * HOUR
        self.documents: list[Document] = []

    def sync(self, sync: int) -> list[Document]:
        """Return what a sync brings; the first one of the place has a document that is accepted."""
        kinds = [
            self._new, self._new, self._late, self._repeat, self._corrected, self._same_measures,
            self._other_measures, self._without_id, self._rejected, self._unreadable, self._elsewhere,
        ]  # fmt: skip
        before = len(self.documents)
        if not before:
            self.documents.append(self._measured(sync, self._time(sync), whole=True))
        for _ in range(self.random.randint(2, 6)):
            self.documents.append(self.random.choice(kinds)(sync))
        return self.documents[before:]

    def _new(self, sync: int) -> Document:
        return self._measured(sync, self._time(sync))

    def _late(self, sync: int) -> Document:
        return self._measured(
            sync, self.begin + HOUR * self.random.randint(-40, 0) + self.random.choice((0, 0.5, 900))
        )

    def _repeat(self, _: int) -> Document:
        return dict(self.random.choice(self.documents))

    def _corrected(self, sync: int) -> Document:
        return {**self._repeat(sync), "main": {"temp": self.random.randint(-20, 40), "humidity": 50}}

    def _same_measures(self, sync: int) -> Document:
        return {**self._repeat(sync), "_id": self._id(sync), "weather": self._weather()}

    def _other_measures(self, sync: int) -> Document:
        wind = {"speed": self.random.randint(0, 90), "deg": 90}
        return {**self._corrected(sync), "_id": self._id(sync), "wind": wind}

    def _without_id(self, sync: int) -> Document:
        identifier = self.random.choice((None, "short", "ABCDEF" * 4))
        return {**self._repeat(sync), "_id": identifier, "clouds": {"all": self.random.randint(0, 110)}}

    def _rejected(self, sync: int) -> Document:
        bare = {"_id": self._id(sync), "city_name": self.name, "dt": self._time(sync)}
        faults: list[Document] = [{"dt": None}, {"dt": -1}, {}, {"dt": 9e12, "main": {"temp": 3}}]
        return {**bare, **self.random.choice(faults)}

    def _unreadable(self, sync: int) -> Document:
        main = {"temp": self.random.choice(("n/a", "7.5", None)), "humidity": 5}
        return {**self._measured(sync, self._time(sync)), "main": main}

    def _elsewhere(self, sync: int) -> Document:
        """Return a document of a place whose name has the same key, with other time zones."""
        return {
            **self._repeat(sync),
            "city_name": self.name.upper(),
            "timezone": self.random.choice((None, 19_800)),
        }

    def _time(self, sync: int) -> float:
        return (
            self.begin
            + HOUR * (sync * 12 + self.random.randint(-6, 14))
            + self.random.choice((0, 0, 0, 1800))
        )

    def _id(self, sync: int) -> str:
        second = 0x65929F40 + sync * 1000 + self.random.randint(0, 50)
        return f"{second:08x}{self.number:08x}{self.random.randint(0, 9):08x}"

    def _weather(self) -> list[Document]:
        return self.random.sample(ENTRIES, self.random.randint(0, 3))

    def _measured(self, sync: int, at: float, whole: bool = False) -> Document:
        pick = self.random
        pressure = pick.choice((1013.25, 950, 2000))
        document: Document = {
            "_id": self._id(sync),
            "dt": at,
            "city_name": self.name,
            "timezone": pick.choice((-18_000, 0, None)),
            "main": {"temp": pick.randint(-20, 40), "pressure": pressure, "humidity": pick.randint(0, 100)},
            "wind": {"speed": pick.randint(0, 30) / 3, "deg": pick.randint(0, 360)},
        }
        if whole or pick.random() < 0.5:
            document |= {"clouds": {"all": pick.randint(0, 100)}, "weather": self._weather()}
        # Fields that the first files of a stream do not have.
        if sync >= 1 and pick.random() < 0.4:
            document |= {"rain": {"1h": pick.randint(0, 9)}, "lat": 11.5, "lon": pick.choice((-72.9, 500))}
        if sync >= 2 and pick.random() < 0.4:
            seen = {"visibility": pick.choice((10_000, -1)), "dt_iso": "2024-01-01 00:00:00"}
            document |= {"snow": {"1h": pick.randint(0, 9)}, **seen}
        return document
