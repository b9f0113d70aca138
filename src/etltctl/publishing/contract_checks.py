"""Tables held to their contracts: versions before they are published, bronze before a job is paid to read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

from etltctl.contracts import Contract, ContractBook, Judgement, Policy, Verdict, judge
from etltctl.errors import UsageError, command
from etltctl.places import version_of
from etltctl.publishing.audit import Staged
from etltctl.publishing.context import LakeContext
from etltctl.publishing.table_files import Inspector, layout_of, merged_columns, partition_types
from etltctl.s3 import Footer, S3Object, settled
from etltctl.values import TableName

QUARANTINE = "_quarantine/"  # readers skip every folder whose name begins with _


@dataclass(frozen=True)
class ContractChecks:
    """The comparison of the lake's files with the contracts of its tables. A table is named `layer.table`."""

    context: LakeContext
    inspector: Inspector

    @cached_property
    def book(self) -> ContractBook:
        """Return the contracts."""
        return ContractBook(self.context.settings.contracts_folder)

    def require_kept(self, staged: Sequence[Staged]) -> Mapping[str, Judgement]:
        """Hold versions to their contracts.

        Returns:
            The changes of each table that has a contract, by table.

        Raises:
            BlockedError: The columns of a version break its contract; the error is of the first such version.
        """
        judgements = {}
        for version in staged:
            name = str(version.name)
            judgement = self._judge(name, version.footers, version.table.partitions)
            if judgement is not None:
                judgement.require_unblocked()
                judgements[name] = judgement
        return judgements

    def renew(
        self, staged: Sequence[Staged], judgements: Mapping[str, Judgement]
    ) -> Mapping[str, Sequence[str]]:
        """Keep a contract of every table that has none, and the accepted changes of the others.

        Args:
            staged: The versions.
            judgements: What `require_kept` returned for them.

        Returns:
            The warnings of each table whose contract could not be written, by table.
        """
        warnings = {}
        for version in staged:
            name = str(version.name)
            columns = {**version.table.columns, **version.table.partitions}
            contract = Contract(name, columns, version_of(version.table.location), version.table.comments)
            warnings[name] = self._keep(contract, judgements.get(name))
        return warnings

    def admit(self, table: str) -> list[str]:
        """Hold a bronze table to its contract before any job reads it.

        Files that the policy sets aside are moved to `_quarantine/` next to them, where no reader looks.

        Args:
            table: The table.

        Returns:
            The changes that were accepted, and a warning if the contract could not be written.

        Raises:
            BlockedError: The contract is broken; the error carries the difference.
        """
        return settled(partial(self._admit, table), table)

    def _admit(self, table: str) -> list[str]:
        location = self.context.places.fixed(table) or ""
        files = self.inspector.files(location)
        judgement = self.judged(table, location, files)
        if judgement is not None:
            judgement.require_unblocked()
            # Moved before any job reads the table: Spark would otherwise read all files with the schema of one.
            changes = judgement.having(Verdict.QUARANTINED)
            for file in {file.key: file for change in changes for file in change.files}.values():
                below = file.location.removeprefix(location)
                self.context.s3.move(file, f"{location}{QUARANTINE}{file.etag[:8]}/{below}")
                files.remove(file)
        warnings = [str(change) for change in judgement.changes] if judgement is not None else []
        if files:
            warnings += self._keep(Contract(table, self._columns(table, location, files)), judgement)
        return warnings

    def judged(self, table: str, location: str, files: Sequence[S3Object]) -> Judgement | None:
        """Compare files with the table's contract.

        Args:
            table: The table.
            location: The folder of the files.
            files: The files.

        Returns:
            The changes; None if the table has no contract yet, or no file.
        """
        if not files or self.book.find(table) is None:
            return None
        # A contract covers partition columns too, which no footer has.
        partitions = partition_types(table, layout_of(table, location, files).values)
        return self._judge(table, self.inspector.footers.of(table, files), partitions)

    def accept(self, table: str) -> Judgement:
        """Take the table's contract from its newest files.

        Returns:
            The changes against the contract before.

        Raises:
            UsageError: The table has no file, or the contract cannot be written.
        """
        location = self.newest(table)
        files = self.inspector.files(location)
        if not files:
            raise UsageError(
                f"no contract can be made of {table}: it has no Parquet file", hint=f"looked at {location}"
            )
        before = self.judged(table, location, files)
        columns, comments = self._columns(table, location, files), self._comments(TableName.parse(table))
        contract = Contract(table, columns, version_of(location), comments)
        if not self.book.keep(contract):
            raise UsageError(f"cannot write {self.book.file(table)}", hint="make the folder writable")
        return before or Judgement(contract, [])

    def _judge(
        self, table: str, footers: Sequence[Footer], partitions: Mapping[str, str]
    ) -> Judgement | None:
        contract = self.book.find(table)
        if contract is None:
            return None
        rules = self.context.rules(TableName.parse(table))
        policy = Policy.of(table, rules, self.context.settings.contracts)
        return judge(contract, footers, policy, partitions)

    def _columns(self, table: str, location: str, files: Sequence[S3Object]) -> Mapping[str, str]:
        footers = self.inspector.footers.of(table, files)
        widening = self.context.rules(TableName.parse(table)).allow_widening
        types = partition_types(table, layout_of(table, location, files).values)
        return {**merged_columns(table, footers, allow_widening=widening), **types}

    def newest(self, table: str) -> str:
        """Return where the newest files of the table lie: its fixed place, or the version that was written last."""
        if fixed := self.context.places.fixed(table):
            return fixed
        root = self.context.places.root(table)
        files = [file for file in self.context.s3.objects(root) if file.key.endswith(".parquet")]
        if not files:
            return str(root)
        last = max(files, key=lambda file: file.modified)
        return str(root.folder(last.key.removeprefix(root.key).partition("/")[0]))

    def _comments(self, table: TableName) -> Mapping[str, str]:
        """Return what the catalog says of the table's columns, by name."""
        current = self.context.current(table) or {}
        columns = [
            *current.get("StorageDescriptor", {}).get("Columns", []),
            *current.get("PartitionKeys", []),
        ]
        return {column["Name"]: column.get("Comment", "") for column in columns}

    def _keep(self, contract: Contract, judgement: Judgement | None) -> Sequence[str]:
        """Write a new contract, or the accepted changes of the one there is; return a warning if it is impossible."""
        table = contract.table
        file = self.book.file(table)
        remedy = (
            f"run `{command('contract', 'accept', table)}` in the checkout, commit the file and deploy it"
        )
        if judgement is None:
            if not self.book.keep(contract):
                return [f"it has no contract, and {file} cannot be written: drift is not checked; {remedy}"]
        elif (amended := judgement.amended(contract.version)) is not None and not self.book.keep(
            replace(amended, comments=contract.comments)
        ):
            return [f"its contract has changed, and {file} cannot be written: it is as before; {remedy}"]
        return []
