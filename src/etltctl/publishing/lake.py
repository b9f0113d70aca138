"""The lake: where a job writes the next version of a table, and how the catalog comes to point at it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from etltctl.athena import Athena
from etltctl.catalog import NO_CHANGES, Catalog, Described, PartitionChanges
from etltctl.errors import BlockedError, EtltctlError, UnreachableError, UnverifiedError
from etltctl.publishing.auditing import Auditor, OnFinding, Staged
from etltctl.publishing.history import VERSION, History
from etltctl.publishing.inspecting import Found, Inspector, require_parquet_alone
from etltctl.publishing.places import Places, version_of
from etltctl.publishing.promises import Promises
from etltctl.publishing.records import VersionRecords
from etltctl.publishing.refreshing import Refresh, combined
from etltctl.publishing.retiring import Retired, Retirement
from etltctl.publishing.switching import Switch, Switched
from etltctl.runs import QueryExecution, Verb
from etltctl.s3 import S3, Footer, Footers, S3Object

if TYPE_CHECKING:
    from etltctl.settings import Settings


OnQuery = Callable[[Verb, QueryExecution], None]


@dataclass(frozen=True)
class Published:
    """A table the catalog now holds: what changed (`created`, `updated`, `unchanged`), its rows, its job's audit.

    `not published` is what a refresh says of versions none of which passed its audit.

    `partitions` counts registered ones; `retired` are folders of old versions that were deleted, `warnings` what was
    borne: rules broken that may be, and folders that could not be deleted.
    """

    table: str
    change: str
    rows: int
    audit: Mapping[str, Any] = field(default_factory=dict)
    version: str = ""
    partitions: PartitionChanges = NO_CHANGES
    retired: Sequence[str] = ()
    warnings: Sequence[str] = ()


@dataclass(frozen=True)
class Lake:
    """The layers of the lake: their buckets on S3 and their databases in the catalog.

    Queries that look at new versions are started once for `run_key`; `on_query` hears what each did and scanned,
    `on_finding` what the versions break.
    """

    settings: Settings
    s3: S3
    catalog: Catalog
    run_key: str = ""
    on_query: OnQuery | None = None
    on_finding: OnFinding | None = None

    def version_location(self, table: str, version: str) -> str:
        """Where a job writes this version of `layer.table`."""
        return self.places.version(table, version)

    def audit_location(self, table: str, version: str) -> str:
        """Return where a job writes its account of this version of `layer.table`."""
        return self.places.audit(table, version)

    def current_location(self, table: str) -> str:
        """Where the version of `layer.table` that readers see now lies; a bronze stream has one place only.

        Raises BlockedError if the table was never published.
        """
        if fixed := self.places.fixed(table):
            return fixed
        found = self.catalog.table(*self.places.in_catalog(table))
        if found is None:
            raise BlockedError(
                f"table {table} has no published version yet",
                hint="run the job that writes it first: etltctl run PIPELINE does both",
                table=table,
            )
        return str(found["StorageDescriptor"]["Location"])

    def publish(self, versions: Mapping[str, str], run_id: str = "") -> list[Published]:
        """Audits these versions (`layer.table` → location) and makes them current, one catalog call each.

        Raises UnverifiedError if a version holds no Parquet file, or other rows than its job says it wrote: the job
        said success, the data does not. Raises BlockedError if a check fails or somebody else published meanwhile, and
        AlreadyRunningError if somebody does just now. Whatever is raised, what was current stays current, but for a set
        of tables that was left half switched: publishing it again completes it.
        """
        staged = [self._stage(table, location) for table, location in versions.items()]
        judged = self.promises.require_kept(staged)
        borne = self.auditor.audit(staged)
        switched = self.switch.publish(staged, run_id)
        unkept = self.promises.renew(staged, judged)
        return [
            self._published(
                version,
                switched[version.name],
                [
                    *(str(finding) for finding in borne if finding.table == version.name),
                    *(f"{version.name}: {warning}" for warning in unkept[version.name]),
                ],
            )
            for version in staged
        ]

    def require_visible(self, versions: Mapping[str, str]) -> None:
        """Read what a publish of these versions reads, once a layer, before a job that writes them is paid for.

        Args:
            versions: The location of each version by its `layer.table`; nothing need be there yet.

        Raises:
            AccessError: The caller may not read the catalog or list the layer.
        """
        for table, location in {name.partition(".")[0]: (name, at) for name, at in versions.items()}.values():
            self.catalog.table(*self.places.in_catalog(table))
            self.s3.objects(location)

    def versions(self, table: str) -> list[str]:
        """Every version of `layer.table` that was published and is kept, the newest first."""
        return list(self._history(table).versions)

    def rollback(self, table: str, to: str = "", run_id: str = "") -> Published:
        """Makes an earlier published version of `layer.table` current again: `to`, or the one before the current.

        One catalog call; no file is touched. Raises BlockedError if there is no such version or its files are gone.
        """
        with self.switch.locked([table]) as require_held:
            target = _target(table, self._history(table), to)
            location = self.version_location(table, target)
            self.records.require_unchanged(table, location, self.inspector.files(location))
            found = self._inspect(table, location)
            require_held()
            switched = self.switch.back(table, found.table, run_id)
        return Published(table, switched.change, found.rows, version=target)

    def has_published_files(self, table: str) -> bool:
        """Return True if the current version holds the files that were published, False if there is no such version.

        Raises:
            UnverifiedError: Files came, went or changed since.
        """
        current = self.catalog.table(*self.places.in_catalog(table))
        location = str(current["StorageDescriptor"]["Location"]) if current else ""
        if not version_of(location):
            return False
        self.records.require_unchanged(table, location, self.inspector.files(location), current)
        return True

    def refresh(self, tables: Iterable[str]) -> list[Published]:
        """Bring the catalog in line with the files of these tables; what has no file yet is left out.

        A table that the catalog lost is made again at the version published last; `not published` if none ever was.

        Raises:
            EtltctlError: Some tables could not be refreshed. The others were.
        """
        tables = list(tables)
        refreshed, errors = self.refresh_each(tables)
        if errors:
            raise combined(errors, len(tables))
        return refreshed

    def refresh_each(self, tables: Iterable[str]) -> tuple[list[Published], dict[str, EtltctlError]]:
        """Refresh every table, whatever is wrong with others; return what was done, and the errors by table.

        Raises:
            UnreachableError: A service does not answer, so that no other table would fare better.
        """
        done: list[Published] = []
        errors: dict[str, EtltctlError] = {}
        for table in tables:
            try:
                found = self.refreshing.refresh(table)
            except UnreachableError:
                raise
            except EtltctlError as error:
                errors[table] = error
            else:
                if found is not None:
                    done.append(Published(found.table, found.change, found.rows, partitions=found.partitions))
        return done, errors

    def published_rows(self, table: str) -> int:
        """The rows of `layer.table` when it was last published; 0 if it never was."""
        return self._history(table).rows

    def tables(self) -> list[str]:
        """Every table the settings speak of, as `layer.table`: bronze streams, then what the jobs write."""
        return self.places.tables()

    def unfinished(self, table: str) -> Mapping[str, Any] | None:
        """A publish of the table and its set that was left half way, if there is one."""
        return self.switch.unfinished(table)

    def footers(self, table: str, files: Sequence[S3Object]) -> list[Footer]:
        """The footers of these files of `layer.table`."""
        return self.inspector.footers.of(table, files)

    @cached_property
    def places(self) -> Places:
        """Where the tables lie."""
        return Places(self.settings)

    @cached_property
    def records(self) -> VersionRecords:
        """What is kept about versions."""
        return VersionRecords(self.s3, self.places)

    @cached_property
    def inspector(self) -> Inspector:
        """What the files of tables say."""
        return Inspector(self.s3, Footers(self.s3, self.settings.state))

    @cached_property
    def switch(self) -> Switch:
        """What makes versions current."""
        return Switch(self.settings, self.s3, self.catalog, self.places, self.records)

    @cached_property
    def promises(self) -> Promises:
        """What holds tables to their contracts."""
        return Promises(self.settings, self.s3, self.places, self.inspector)

    @cached_property
    def auditor(self) -> Auditor:
        """What looks at versions before anybody else does."""
        athena = self.settings.athena
        runner = Athena(self.catalog.aws, athena.workgroup, athena.output_location, on_run=self.on_query)
        return Auditor(
            self.settings, self.catalog, self.places, self.inspector, runner, self.run_key, self.on_finding
        )

    @cached_property
    def refreshing(self) -> Refresh:
        """What brings the catalog in line with files."""
        return Refresh(self.settings, self.s3, self.catalog, self.places, self.inspector, self.records)

    def _history(self, table: str) -> History:
        return History.of(self.catalog.table(*self.places.in_catalog(table)))

    def _stage(self, table: str, location: str) -> Staged:
        base = self.catalog.table(*self.places.in_catalog(table))
        objects = self.s3.objects(location)
        self.records.set_aside(table, location, objects)
        require_parquet_alone(table, location, objects)
        found = self._inspect(table, location, base)
        return Staged(
            table, found.table, found.rows, found.footers, self.records.audit(table, location), base
        )

    def _published(self, version: Staged, switched: Switched, borne: list[str]) -> Published:
        gone = Retired()
        if switched.change != "unchanged":
            retirement = Retirement(self.settings, self.s3, self.catalog, self.places)
            gone = retirement.retire(version.name, switched.history, switched.retired)
        return Published(
            version.name,
            switched.change,
            version.rows,
            version.audit,
            version.table.parameters.get(VERSION, ""),
            retired=gone.deleted,
            warnings=[*borne, *gone.refused],
        )

    def _inspect(self, table: str, location: str, base: Described | None = None) -> Found:
        files = self.inspector.files(location)
        if not files:
            raise UnverifiedError(
                f"the run succeeded but wrote no file for {table}",
                hint="read the job's log; the version that was current stays current",
                location=location,
            )
        place = self.places.in_catalog(table)
        return self.inspector.inspect(table, place, location, files, is_projected=True, before=base)


def _target(table: str, history: History, to: str) -> str:
    """The version to go back to; raises BlockedError if there is none."""
    versions, current = list(history.versions), history.current
    earlier = versions[versions.index(current) + 1 :] if current in versions else versions
    target = to or next(iter(earlier), "")
    if target in versions:
        return target
    what = f"has no published version {to}" if to else "has no version before the current one"
    raise BlockedError(
        f"table {table} {what}", hint=f"published: {', '.join(versions) or 'none'}", current=current
    )
