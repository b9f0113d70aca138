"""A lake whose Formula 1 jobs run as etltctl starts them: versions, reports, states, and files carried over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import f1_tables
import silver_to_gold_api
from support.weather_lake import WeatherLake

PREFIX = "bronze.api_"
REJECTS = "silver_rejects.f1_row"
GOLD_READS = ("race", "result", "qualifying", "pit_stop", "driver_standing", "constructor_standing")
SILVER, GOLD = tuple(f1_tables.TABLES), tuple(silver_to_gold_api.TABLES)


class F1Lake(WeatherLake):
    """Versions of the Formula 1 tables, made and carried over by the same means as those of the weather."""

    def make_f1_silver(
        self, version: str, files: Mapping[str, Sequence[str]], base: str | None = None
    ) -> None:
        """Run bronze_to_silver_api on the files of each stream, and publish what it wrote."""
        import bronze_to_silver_api

        stream_files = {f"{PREFIX}{stream}": list(names) for stream, names in files.items()}
        self.seen[version] = [name for names in stream_files.values() for name in names]
        known = set(self.seen[base]) if base is not None else set()
        new = {table: [name for name in names if name not in known] for table, names in stream_files.items()}
        inputs = {table: str(self.folder / "bronze" / table) for table in stream_files}
        self._run(bronze_to_silver_api, version, base, (*SILVER, REJECTS), inputs, stream_files, new, {})

    def make_f1_gold(self, version: str, base: str | None = None) -> None:
        """Run silver_to_gold_api on the version of silver, and publish what it wrote."""
        sources = [f"silver.f1_{name}" for name in GOLD_READS]
        inputs = {table: self.place(table, version) for table in sources}
        touched = {table: self.touched(table, version) for table in sources} if base is not None else {}
        self._run(silver_to_gold_api, version, base, GOLD, inputs, {}, {}, touched)

    def touched(self, table: str, version: str) -> list[str]:
        """Return the seasons in which a version differs from the one before, as its report says."""
        report = self.report(table, version)
        seasons: list[str] = report["replaces"] if "replaces" in report else report["differs"]
        return seasons

    def touched_seasons(self, version: str) -> set[int]:
        """Return the seasons in which any table that gold reads differs from the version before."""
        folders = {folder for name in GOLD_READS for folder in self.touched(f"silver.f1_{name}", version)}
        return {int(folder.removeprefix("season=")) for folder in folders}

    def counts(self, table: str, version: str) -> dict[str, Any]:
        return {name: value for name, value in super().counts(table, version).items() if name != "differs"}
