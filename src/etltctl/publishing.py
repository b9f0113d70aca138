"""Versions of a table: where a job writes the next one, and how the catalog comes to point at it.

A job writes `LAYER/TABLE/v=RUN_ID/` and nothing published is touched; publishing is one catalog call.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from etltctl.catalog import Catalog, Table, hive_columns, projection
from etltctl.errors import BlockedError, UnverifiedError
from etltctl.s3 import S3, Footer, S3Object, is_data

if TYPE_CHECKING:
    import pyarrow as pa

    from etltctl.settings import Settings

VERSION_PARAMETER = "etltctl_version"
VERSIONS_PARAMETER = "etltctl_versions"  # every version that was published, the newest first
ROWS_PARAMETER = "etltctl_rows"
REMEMBERED = 100


@dataclass(frozen=True)
class Published:
    """A table the catalog now holds: what changed (`created`, `updated`, `unchanged`), its rows, its job's audit."""

    table: str
    change: str
    rows: int
    audit: Mapping[str, Any]
    version: str = ""


@dataclass(frozen=True)
class Lake:
    """The layers of the lake: their buckets on S3 and their databases in the catalog."""

    settings: Settings
    s3: S3
    catalog: Catalog

    def version_location(self, table: str, version: str) -> str:
        """Where a job writes this version of `layer.table`."""
        return f"{self._table_root(table)}v={version}/"

    def current_location(self, table: str) -> str:
        """Where the version of `layer.table` that readers see now lies; a bronze stream has one place only.

        Raises BlockedError if the table was never published.
        """
        if table in self._streams():
            return self._streams()[table]
        found = self.catalog.table(*self._in_catalog(table))
        if found is None:
            raise BlockedError(
                f"table {table} has no published version yet",
                hint="run the job that writes it first: etltctl run PIPELINE does both",
                table=table,
            )
        return str(found["StorageDescriptor"]["Location"])

    def publish(self, versions: Mapping[str, str]) -> list[Published]:
        """Makes these versions (`layer.table` → location) current, one catalog call each, after all are inspected.

        Raises UnverifiedError if a version holds no Parquet file, or other rows than its job says it wrote: the job
        said success, the data does not.
        """
        inspected = [self._inspect(table, location) for table, location in versions.items()]
        audits = {table.full_name: self._audit(table.location) for table, _ in inspected}
        for table, rows in inspected:
            _require_audited(table, rows, audits[table.full_name])
        for layer in sorted({table.partition(".")[0] for table in versions}):
            self.catalog.ensure_database(self.settings.athena.databases[layer])
        return [
            Published(
                table.full_name, self.catalog.put(self._with_history(table)), rows, audits[table.full_name]
            )
            for table, rows in inspected
        ]

    def versions(self, table: str) -> list[str]:
        """Every version of `layer.table` that was published, the newest first."""
        found = self.catalog.table(*self._in_catalog(table)) or {}
        listed = found.get("Parameters", {}).get(VERSIONS_PARAMETER, "")
        return [version for version in listed.split(",") if version]

    def rollback(self, table: str, to: str = "") -> Published:
        """Makes an earlier published version of `layer.table` current again: `to`, or the one before the current.

        One catalog call; no file is touched. Raises BlockedError if there is no such version or its files are gone.
        """
        versions = self.versions(table)
        current = version_of(self.current_location(table))
        earlier = versions[versions.index(current) + 1 :] if current in versions else versions
        target = to or next(iter(earlier), "")
        if target not in versions:
            what = f"has no published version {to}" if to else "has no version before the current one"
            raise BlockedError(
                f"table {table} {what}", hint=f"published: {', '.join(versions) or 'none'}", current=current
            )
        found, rows = self._inspect(table, self.version_location(table, target))
        return Published(found.full_name, self.catalog.put(found), rows, {}, target)

    def refresh(self, tables: Iterable[str]) -> list[Published]:
        """Brings the catalog in line with the files of these tables; what has no file yet is left out."""
        published = []
        for database in self.settings.athena.databases.values():
            self.catalog.ensure_database(database)
        for name in tables:
            location = self._location_to_refresh(name)
            if location is None or not self._data_files(location):
                continue
            table, rows = self._inspect(name, location)
            published.append(Published(table.full_name, self.catalog.put(table), rows, {}))
        return published

    def published_rows(self, table: str) -> int:
        """The rows of `layer.table` when it was last published; 0 if it never was."""
        found = self.catalog.table(*self._in_catalog(table)) or {}
        return int(found.get("Parameters", {}).get(ROWS_PARAMETER, 0))

    def tables(self) -> list[str]:
        """Every table the settings speak of, as `layer.table`: bronze streams, then what the jobs write."""
        written = [table for job in self.settings.glue.jobs.values() for table in job.writes]
        return [*self._streams(), *dict.fromkeys(written)]

    def _with_history(self, table: Table) -> Table:
        """The table with this version put before those that were published earlier."""
        version = version_of(table.location)
        known = self.catalog.table(table.database, table.name) or {}
        earlier = known.get("Parameters", {}).get(VERSIONS_PARAMETER, "").split(",")
        listed = dict.fromkeys([version, *(found for found in earlier if found)])
        history = {VERSIONS_PARAMETER: ",".join(list(listed)[:REMEMBERED])}
        return replace(table, parameters={**table.parameters, **history})

    def _audit(self, location: str) -> Mapping[str, Any]:
        """What the job wrote about the version: rows in, out, merged, rejected, flags; empty if it wrote nothing."""
        for found in self.s3.objects(f"{location}_audit/part-"):
            line = self.s3.read(found.location).decode().strip()
            if line:
                return dict(json.loads(line))
        return {}

    def _location_to_refresh(self, table: str) -> str | None:
        """The published version, or the newest finished one when the catalog knows none."""
        if table in self._streams():
            return self._streams()[table]
        found = self.catalog.table(*self._in_catalog(table))
        if found is not None:
            return str(found["StorageDescriptor"]["Location"])
        root = self._table_root(table)
        versions = [name for name in self.s3.folders(root) if name.startswith("v=")]
        finished = (
            f"{root}{name}/" for name in reversed(versions) if self.s3.objects(f"{root}{name}/_SUCCESS")
        )
        return next(finished, None)

    def _inspect(self, name: str, location: str) -> tuple[Table, int]:
        files = self._data_files(location)
        if not files:
            raise UnverifiedError(
                f"the run succeeded but wrote no file for {name}",
                hint="read the job's log; the version that was current stays current",
                location=location,
            )
        footers = list(self.s3.footers(files))
        rows = sum(footer.rows for footer in footers)
        partitions = partition_values(location, files)
        types = {column: partition_type(values) for column, values in partitions.items()}
        parameters = {ROWS_PARAMETER: str(rows)}
        if version := version_of(location):
            parameters[VERSION_PARAMETER] = version
        if partitions:
            parameters |= projection(location, partitions, types)
        columns = hive_columns(one_schema(name, footers), name)
        return Table(*self._in_catalog(name), location, columns, types, parameters), rows

    def _data_files(self, location: str) -> list[S3Object]:
        return [
            found
            for found in self.s3.objects(location)
            if found.key.endswith(".parquet") and is_data(location, found.key)
        ]

    def _table_root(self, table: str) -> str:
        layer, _, name = table.partition(".")
        return f"{self.settings.lake.root(layer)}/{name}/"

    def _in_catalog(self, table: str) -> tuple[str, str]:
        layer, _, name = table.partition(".")
        return self.settings.athena.databases[layer], name

    def _streams(self) -> dict[str, str]:
        return {
            f"bronze.{table}": location
            for source in self.settings.sources
            for table, location in self.settings.stream_locations(source).items()
        }


def _require_audited(table: Table, rows: int, audit: Mapping[str, Any]) -> None:
    written = audit.get("rows_out", rows)
    if written != rows:
        raise UnverifiedError(
            f"the job says that it wrote {written} rows of {table.full_name}, but its files hold {rows}",
            hint="nothing was published; look at the version's files and run the job again",
            location=table.location,
        )


def version_of(location: str) -> str:
    """The version in a location; empty for a place that has no versions."""
    match = re.search(r"/v=([^/]+)/$", location)
    return match[1] if match else ""


def one_schema(table: str, footers: Sequence[Footer]) -> pa.Schema:
    """The schema all files of a table share; a column of nulls in one file takes the type of the others."""
    import pyarrow as pa

    try:
        return pa.unify_schemas([footer.schema.remove_metadata() for footer in footers])
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise BlockedError(
            f"the files of {table} disagree about their columns: {error}",
            hint="an older file has another schema; move it away, or sync the stream anew",
        ) from error


def partition_values(location: str, files: Iterable[S3Object]) -> dict[str, list[str]]:
    """The partition columns in the paths below the location, in order, with the values seen."""
    values: dict[str, dict[str, None]] = {}
    for found in files:
        below = found.location.removeprefix(location).split("/")[:-1]
        for part in below:
            name, _, value = part.partition("=")
            values.setdefault(name, {})[value] = None
    return {name: list(seen) for name, seen in values.items()}


def partition_type(values: Iterable[str]) -> str:
    """`int` if every value is a whole number written as Athena would write it, else `string`."""
    return "int" if all(re.fullmatch(r"0|-?[1-9]\d*", value) for value in values) else "string"
