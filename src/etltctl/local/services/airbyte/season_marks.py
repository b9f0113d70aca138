"""How far a stream of the Formula 1 API was read: the last round of each season, and which seasons are over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Mark:
    """How far one season was read: to which round, and whether it was over by then and so is not read again."""

    round: int = 0
    is_over: bool = False


@dataclass(frozen=True)
class SeasonMarks:
    """The marks of a stream by season.

    Each season has a separate one: an earlier season that is added to the settings later has none, and is read.
    """

    marks: Mapping[str, Mark] = field(default_factory=dict)

    @classmethod
    def parse(cls, state: Mapping[str, Any]) -> SeasonMarks:
        """Return the marks of a state; raise ValueError, TypeError, KeyError or AttributeError if it is not one."""
        seasons = state["seasons"] if state else {}
        marks = {}
        for season, mark in seasons.items():
            if not str(season).isdigit() or type(mark["round"]) is not int or mark["round"] < 0:
                raise ValueError(f"the mark of season {season} is {mark}")
            marks[season] = Mark(mark["round"], mark["is_over"] is True)
        return cls(marks)

    def as_state(self) -> dict[str, Any]:
        """Return the marks as plain data."""
        seasons = {season: {"round": m.round, "is_over": m.is_over} for season, m in self.marks.items()}
        return {"seasons": seasons}

    def of(self, season: str) -> Mark:
        """Return the mark of a season; one at its start if it was never read."""
        return self.marks.get(season, Mark())

    def reached(self, season: str, number: int = 0, *, is_over: bool = False) -> SeasonMarks:
        """Return the marks after a round of a season, or after the whole of a season that is over.

        Args:
            season: The season.
            number: The round.
            is_over: Whether the whole season was read and is over.
        """
        return SeasonMarks({**self.marks, season: Mark(max(number, self.of(season).round), is_over)})
