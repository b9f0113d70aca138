"""A lake whose weather jobs run as etltctl starts them: versions, reports, states, and files carried over by a copy."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq

from lake import JobArguments

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SOURCE = "bronze.mongodb_observations"
SILVER = "silver.weather_observation"
REJECTS = "silver_rejects.weather_observation"


class WeatherLake:
    """Versions of the weather tables below a folder, each made from the version before or from everything.

    Args:
        spark: The session.
        folder: Where the versions lie.
        config: The settings of the jobs.
    """

    def __init__(self, spark: SparkSession, folder: Path, config: Mapping[str, Any] | None = None) -> None:
        self.spark, self.folder, self.config = spark, folder, dict(config or {})
        self.seen: dict[str, list[str]] = {}  # the files that each version of silver has read

    def make_silver(self, version: str, files: Sequence[str], base: str | None = None) -> None:
        """Run bronze_to_silver and publish what it wrote."""
        import bronze_to_silver

        self.seen[version] = list(files)
        new = [file for file in files if base is None or file not in self.seen[base]]
        inputs = {SOURCE: str(Path(files[0]).parent) if files else str(self.folder)}
        self._run(
            bronze_to_silver,
            version,
            base,
            (SILVER, REJECTS),
            inputs,
            {SOURCE: list(files)},
            {SOURCE: new},
            {},
        )

    def make_gold(self, version: str, base: str | None = None) -> None:
        """Run silver_to_gold and publish what it wrote."""
        import silver_to_gold

        inputs = {SILVER: self.place(SILVER, version)}
        touched = {SILVER: self.report(SILVER, version).get("replaces", [])}
        self._run(silver_to_gold, version, base, tuple(silver_to_gold.TABLES), inputs, {}, {}, touched)

    def place(self, table: str, version: str) -> str:
        return str(self.folder / table / f"v={version}")

    def report(self, table: str, version: str) -> dict[str, Any]:
        """Return what the job reported of a version, without the texts for the catalog."""
        (file,) = (self.folder / "audits" / table / version).glob("part-*")
        report: dict[str, Any] = json.loads(file.read_text("utf-8"))
        return {name: value for name, value in report.items() if name not in ("description", "comments")}

    def forget_report(self, table: str, version: str) -> None:
        """Empty what the job reported of a version."""
        (file,) = (self.folder / "audits" / table / version).glob("part-*")
        file.write_text("{}", "utf-8")

    def counts(self, table: str, version: str) -> dict[str, Any]:
        """Return a report's counts."""
        report = self.report(table, version).items()
        return {name: value for name, value in report if name not in ("replaces", "everything")}

    def state_folder(self, table: str, version: str) -> Path:
        return self.folder / "states" / table / version

    def state(self, table: str, version: str) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(
            (self.state_folder(table, version) / "state.json").read_text("utf-8")
        )
        return content

    def rows(self, table: str, version: str) -> list[str]:
        """Return every row of a version as text, sorted, without the run that made it."""
        folder = Path(self.place(table, version))
        rows: list[str] = []
        for name in self.files(table, version):
            partition = str(Path(name).parent)
            # As a file, not as a data set: pyarrow would read the folders' names as columns of other types.
            for row in pq.ParquetFile(folder / name).read().to_pylist():
                row.pop("run_id", None)
                rows.append(f"{partition} {sorted(row.items())}")
        return sorted(rows)

    def files(self, table: str, version: str) -> list[str]:
        """Return the data files of a version, below its folder."""
        folder = Path(self.place(table, version))
        return sorted(str(file.relative_to(folder)) for file in folder.rglob("*.parquet"))

    def _run(
        self, script: ModuleType, version: str, base: str | None, tables: Sequence[str], inputs: Mapping[str, str],
        files: Mapping[str, Sequence[str]], new: Mapping[str, Sequence[str]], touched: Mapping[str, Sequence[str]],
    ) -> None:  # fmt: skip
        changes: dict[str, Any] = {
            "files": files,
            "states": {table: str(self.state_folder(table, version)) for table in tables},
        }
        if base is not None:
            changes |= {
                "base": {table: self.place(table, base) for table in tables},
                "reports": {table: self.report(table, base) for table in tables},
                "base_states": {table: str(self.state_folder(table, base)) for table in tables},
                "new": new,
                "touched": touched,
            }
        place = self.folder / "changes" / f"{script.__name__}-{version}.json"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps(changes), "utf-8")
        outputs = {table: self.place(table, version) for table in tables}
        audits = {table: str(self.folder / "audits" / table / version) for table in tables}
        script.run(
            self.spark, JobArguments(f"run-{version}", inputs, outputs, self.config, audits, str(place))
        )
        for table in tables if base is not None else ():
            self._carry_over(table, version, base)

    def _carry_over(self, table: str, version: str, base: str) -> None:
        """Copy the base's files of partitions that the job does not replace, as the publication does."""
        report = self.report(table, version)
        if "replaces" not in report:
            return
        source, target = Path(self.place(table, base)), Path(self.place(table, version))
        kept = [name for name in self.files(table, base) if str(Path(name).parent) not in report["replaces"]]
        mixed = {str(Path(name).parent) for name in self.files(table, version)} & {
            str(Path(n).parent) for n in kept
        }
        assert mixed <= {"."}, "a partition would hold rows of both versions"
        for name in kept:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source / name, target / name)
