"""Records of Formula 1 as the API returns them."""

from collections.abc import Mapping
from typing import Any


def result(place: int, driver: str, **fields: Any) -> dict[str, Any]:
    """Return a faultless result, with fields replaced, or removed by None."""
    whole = {
        "number": str(place), "position": str(place), "positionText": str(place), "points": "10", "grid": str(place),
        "Driver": {"driverId": driver}, "Constructor": {"constructorId": "lotus"}, "laps": "57", "status": "Finished",
        "Time": {"millis": str(5_000_000 + place), "time": "1:23:20.001"},
        "FastestLap": {"rank": str(place), "lap": "50", "Time": {"time": "1:32.608"}},
    }  # fmt: skip
    return {name: value for name, value in {**whole, **fields}.items() if value is not None}


def race(*results: Mapping[str, Any], round_: int = 1) -> dict[str, Any]:
    """Return a record of the results endpoint."""
    return {"season": "2024", "round": str(round_), "raceName": "Test GP", "Results": list(results)}


def qualifying(driver: str, place: int, *times: str) -> dict[str, Any]:
    """Return a row of a qualifying list."""
    named = {f"Q{n}": time for n, time in enumerate(times, start=1)}
    drove = {"Driver": {"driverId": driver}, "Constructor": {"constructorId": "lotus"}}
    return {"position": str(place), **drove, **named}
