"""The lake: where a job writes the next version of `layer.table`, and how the catalog comes to point at it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from etltctl.athena import Athena
from etltctl.catalog import Catalog, Described
from etltctl.errors import BlockedError, EtltctlError, NextStep, UnreachableError, UnverifiedError
from etltctl.places import Places, version_of
from etltctl.publishing.audit import Auditor, OnViolation, Staged
from etltctl.publishing.audit_queries import declared_rules
from etltctl.publishing.carry_over import CarryOver, require_base
from etltctl.publishing.catalog_refresh import Refresh, combined
from etltctl.publishing.context import LakeContext, location_of
from etltctl.publishing.contract_checks import ContractChecks
from etltctl.publishing.publish import Published, Switch, Switched
from etltctl.publishing.retirement import Retired, Retirement
from etltctl.publishing.rollback import checked_rollback
from etltctl.publishing.table_files import InspectedTable, Inspector, require_parquet_alone
from etltctl.publishing.table_lock import TableLock
from etltctl.publishing.version_history import VERSION, History
from etltctl.publishing.version_inputs import InputRecords
from etltctl.publishing.version_records import VersionRecords, counts_of, described
from etltctl.runs import QueryExecution, Verb
from etltctl.s3 import S3, Footer, Footers, S3Object
from etltctl.values import TableName

if TYPE_CHECKING:
    from etltctl.settings import Settings


@dataclass(frozen=True)
class Lake:
    """The layers of the lake: their buckets on S3 and their databases in the catalog.

    Attributes:
        run_key: The queries of an audit are started once for this key.
        on_query: Called with each of these queries, with what its start did and what it scanned.
        on_violation: Called with every rule that a version breaks.
    """

    settings: Settings
    s3: S3
    catalog: Catalog
    run_key: str = ""
    on_query: Callable[[Verb, QueryExecution], None] | None = None
    on_violation: OnViolation | None = None

    def version_location(self, table: str, version: str) -> str:
        """Return where a job writes this version of the table."""
        return str(self.places.version(table, version))

    def current_location(self, table: str) -> str:
        """Return where the version lies that readers see now. A bronze stream has one fixed place.

        Raises:
            BlockedError: The table was never published.
        """
        if fixed := self.places.fixed(table):
            return fixed
        current = self.context.current(TableName.parse(table))
        if current is None:
            raise BlockedError(
                f"table {table} has no published version yet",
                hint=NextStep("run the job that writes it first: ", self.context.writing(table)),
                table=table,
            )
        return location_of(current)

    def publish(
        self, versions: Mapping[str, str], run_id: str = "", bases: Mapping[str, str] | None = None
    ) -> list[Published]:
        """Audit versions and make them current, with one catalog call each.

        Whatever is raised, the versions that were current stay current. The exception is a set of tables that was left
        half switched: publishing it again completes it.

        Args:
            versions: The location of each version by its table.
            run_id: The run that publishes them.
            bases: By table the location of the version that an incremental job worked from: the files of
                the partitions that the job did not write are carried over from there.

        Raises:
            UnverifiedError: A version holds no Parquet file, or other rows than its job says that it wrote.
            BlockedError: A check failed, or another run published one of the tables meanwhile.
            AlreadyRunningError: Another run publishes one of the tables now.
        """
        if not versions:
            return []  # a job may write no table
        bases = bases or {}
        CarryOver(self.context, self.records, self.input_records).complete(versions, bases)
        staged = [self._stage(table, at, bases.get(table, "")) for table, at in versions.items()]
        # Contracts first: they compare footers, and an audit may pay for queries.
        judgements = self.contract_checks.require_kept(staged)
        violations = self.auditor.audit(staged)
        switched = self.switch.publish(staged, run_id)
        warnings = self.contract_checks.renew(staged, judgements)
        published = []
        for version in staged:
            name = str(version.name)
            passed = [str(violation) for violation in violations if violation.table == name]
            unkept = [f"{name}: {warning}" for warning in warnings[name]]
            published.append(self._published(version, switched[version.name], [*passed, *unkept]))
        return published

    def require_visible(self, versions: Mapping[str, str]) -> None:
        """Read what a publish of these versions reads, once a layer, before a job that writes them is paid for.

        Args:
            versions: The location of each version by its `layer.table`; nothing need be there yet.

        Raises:
            AccessError: The caller may not read the catalog or list the layer.
        """
        # A layer is one bucket and one database, and permissions are given by layer.
        one_a_layer = {TableName.parse(name).layer: (name, at) for name, at in versions.items()}
        for table, location in one_a_layer.values():
            self.context.current(TableName.parse(table))
            self.s3.objects(location)

    def versions(self, table: str) -> list[str]:
        """Return every version of the table that was published and is kept, the newest first."""
        return list(self._history(table).versions)

    def rollback(self, table: str, to: str = "", run_id: str = "") -> Published:
        """Make an earlier published version of the table current again; `run_id` is the run that does it.

        The other arguments and the errors are those of `checked_rollback`.
        """
        with self.checked_rollback(table, to) as make_current:
            return make_current(run_id)

    def checked_rollback(
        self, table: str, to: str = ""
    ) -> AbstractContextManager[Callable[[str], Published]]:
        """Check what a rollback needs, and yield the function that makes the version current for a run's id."""
        return checked_rollback(table, to, self.switch, self.inspector)

    def intact_location(self, table: str) -> str:
        """Return where the current version lies, which holds the files that were published; empty if there is none.

        Raises:
            UnverifiedError: Files came, went or changed since.
        """
        current = self.context.current(TableName.parse(table))
        location = location_of(current)
        if not version_of(location):
            return ""
        self.records.require_unchanged(table, location, self.s3.objects(location), current)
        return location

    def refresh(self, tables: Iterable[str]) -> list[Published]:
        """Make the catalog say what the files of these tables say; a table without files is left out.

        A table that the catalog lost is made again at the version that was published last. If none ever was, its
        change is `not published`.

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
            UnreachableError: A service does not answer. Then the refresh of any other table would fail too.
        """
        done, errors = list[Published](), dict[str, EtltctlError]()
        for table in tables:
            try:
                one = self.catalog_refresh.refresh(TableName.parse(table))
            # Raised at once: the other tables would wait for the same timeout, one after the other.
            except UnreachableError:
                raise
            except EtltctlError as error:
                errors[table] = error
            else:
                if one is not None:
                    done.append(Published(one.table, one.change, one.rows, partitions=one.partitions))
        return done, errors

    def published_rows(self, table: str) -> int:
        """Return the rows of the table when it was last published; 0 if it never was."""
        return self._history(table).rows

    def tables(self) -> list[str]:
        """Return every table that the settings name: bronze streams, then the tables that jobs write."""
        return self.places.tables()

    def unfinished(self, table: str) -> Mapping[str, Any] | None:
        """Return the publish of the table and its set that was left half way; None without one."""
        return self.switch.unfinished(TableName.parse(table))

    def footers(self, table: str, files: Sequence[S3Object]) -> list[Footer]:
        """Return the footers of these files of the table."""
        return self.inspector.footers.of(table, files)

    @cached_property
    def context(self) -> LakeContext:
        """Return what every part of the lake works with."""
        return LakeContext(self.settings, self.s3, self.catalog)

    @property
    def places(self) -> Places:
        """Return where the tables lie."""
        return self.context.places

    @cached_property
    def records(self) -> VersionRecords:
        """Return the records of versions."""
        return VersionRecords(self.context)

    @cached_property
    def input_records(self) -> InputRecords:
        """Return the records of what versions were made from."""
        return InputRecords(self.context, self.records)

    @cached_property
    def inspector(self) -> Inspector:
        """Return the reader of tables' files."""
        return Inspector(self.s3, Footers(self.s3, self.settings.state))

    @cached_property
    def switch(self) -> Switch:
        """Return the switch of tables to other versions."""
        return Switch(self.context, self.records, TableLock(self.context))

    @cached_property
    def contract_checks(self) -> ContractChecks:
        """Return the comparison of files with contracts."""
        return ContractChecks(self.context, self.inspector)

    @cached_property
    def auditor(self) -> Auditor:
        """Return the checks of versions before they are published."""
        athena = self.settings.athena
        runner = Athena(self.catalog.aws, athena.workgroup, athena.output_location, on_run=self.on_query)
        return Auditor(self.context, self.inspector, runner, self.run_key, self.on_violation)

    @cached_property
    def catalog_refresh(self) -> Refresh:
        """Return the refresh of the catalog from files."""
        return Refresh(self.context, self.inspector, self.records)

    def _history(self, table: str) -> History:
        return History.of(self.context.current(TableName.parse(table)))

    def _stage(self, table: str, location: str, base: str = "") -> Staged:
        name = TableName.parse(table)
        current = self.context.current(name)
        objects = self.s3.objects(location)
        # First, because Athena's readers skip such objects, but other readers of the folder do not.
        self.records.set_aside(name, location, objects)
        require_parquet_alone(table, location, objects)
        inspected = self._inspect(name, location, current)
        report = self.records.job_report(name, location)
        require_base(table, report, base)
        after, counts = described(inspected.table, report), counts_of(report)
        return Staged(name, after, inspected.rows, inspected.footers, counts, current)

    def _published(self, version: Staged, switched: Switched, warnings: list[str]) -> Published:
        gone = Retired()
        # A resumed publish has retired nothing new; listing the folders again would cost calls for nothing.
        if switched.change != "unchanged":
            gone = Retirement(self.context).retire(version.name, switched.history, switched.retired)
        return Published(
            str(version.name),
            switched.change,
            version.rows,
            version.row_counts,
            version.table.parameters.get(VERSION, ""),
            retired=gone.deleted,
            warnings=[*warnings, *gone.refused],
            rules=declared_rules(str(version.name), self.context.rules(version.name)),
            files=len(version.footers),
            size=sum(footer.object.size for footer in version.footers),
        )

    def _inspect(self, table: TableName, location: str, base: Described | None = None) -> InspectedTable:
        files = self.inspector.files(location)
        if not files:
            raise UnverifiedError(
                f"the run succeeded but wrote no file for {table}",
                hint="read the job's log; the version that was current stays current",
                location=location,
            )
        place = self.places.in_catalog(table)
        return self.inspector.inspect(str(table), place, location, files, is_projected=True, before=base)
