"""Several seasons of Formula 1 for the replayed API, made from the invented one."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from pathlib import Path

from etltctl.local.samples.archive import INVENTED_FILE, SEASON

TABLES = {
    "drivers": ("DriverTable", "Drivers"),
    "constructors": ("ConstructorTable", "Constructors"),
    "circuits": ("CircuitTable", "Circuits"),
    "driverstandings": ("StandingsTable", "StandingsLists"),
    "constructorstandings": ("StandingsTable", "StandingsLists"),
}


def make_pack(folder: Path, seasons: Iterable[int]) -> Path:
    """Write a data pack with these seasons, each the invented one with another year, and return its folder."""
    text = INVENTED_FILE.read_text("utf-8")
    for season in seasons:
        place = folder / "f1" / str(season)
        place.mkdir(parents=True)
        for endpoint, records in json.loads(text.replace(f'"{SEASON}', f'"{season}')).items():
            table, listing = TABLES.get(endpoint, ("RaceTable", "Races"))
            document = {"MRData": {table: {listing: records}}}
            (place / f"{endpoint}.json.gz").write_bytes(gzip.compress(json.dumps(document).encode()))
    return folder
