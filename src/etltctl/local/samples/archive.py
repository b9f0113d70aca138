"""Whole seasons to replay: the invented one, or the real ones of a data pack."""

from __future__ import annotations

import gzip
import json
from functools import cache
from pathlib import Path
from typing import Any, Protocol

Record = dict[str, Any]

SEASON = "2099"
INVENTED_FILE = Path(__file__).with_name(f"season_{SEASON}.json")  # tests/support/invented_season writes it


class Archive(Protocol):
    """Where whole, unpaged lists come from."""

    def seasons(self) -> list[str]:
        """Return the seasons there are, oldest first."""

    def whole(self, season: str, endpoint: str) -> list[Record]:
        """Return the endpoint's list for one season; empty if there is none."""


class InventedArchive:
    """The one invented season."""

    def seasons(self) -> list[str]:
        """Return the invented season's number."""
        return [SEASON]

    def whole(self, season: str, endpoint: str) -> list[Record]:
        """Return a list of the invented season."""
        return _read_invented().get(endpoint, []) if season == SEASON else []


class PackArchive:
    """The seasons in the folder `f1` of a data pack: `SEASON/ENDPOINT.json.gz`, one whole document each."""

    def __init__(self, data_pack: Path) -> None:
        self._folder = data_pack / "f1"

    def seasons(self) -> list[str]:
        """Return the season folders of the pack."""
        return sorted(path.name for path in self._folder.iterdir() if path.name.isdigit())

    def whole(self, season: str, endpoint: str) -> list[Record]:
        """Return a list of the pack, read once."""
        return _read_list(self._folder / season / f"{endpoint}.json.gz")


@cache
def _read_invented() -> dict[str, list[Record]]:
    """Return the invented season: its lists by endpoint."""
    season: dict[str, list[Record]] = json.loads(INVENTED_FILE.read_text("utf-8"))
    return season


@cache
def _read_list(file: Path) -> list[Record]:
    if not file.is_file():
        return []
    with gzip.open(file, "rb") as stream:
        data = json.load(stream)["MRData"]
    # The API wraps a list twice: in `MRData`, and in a table that is named after its kind.
    table = next(value for name, value in data.items() if name.endswith("Table"))
    records: list[Record] = next(value for value in table.values() if isinstance(value, list))
    return records
