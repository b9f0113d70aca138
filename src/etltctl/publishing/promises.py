"""Tables held to their contracts: versions before they are published, bronze before a job is paid to read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

from etltctl.contracts import Contract, ContractBook, Judgement, Policy, Verdict, judge
from etltctl.errors import UsageError
from etltctl.publishing.auditing import Staged
from etltctl.publishing.inspecting import Inspector, layout_of, merged_columns, partition_types
from etltctl.publishing.places import Places, version_of
from etltctl.s3 import S3, Footer, S3Object, settled

if TYPE_CHECKING:
    from etltctl.settings import Settings

QUARANTINE = "_quarantine/"  # readers skip what begins with _


@dataclass(frozen=True)
class Promises:
    """The contracts of the lake's tables against its files."""

    settings: Settings
    s3: S3
    places: Places
    inspector: Inspector

    @cached_property
    def book(self) -> ContractBook:
        """Where the contracts are kept."""
        return ContractBook(self.settings.contracts_folder)

    def require_kept(self, staged: Sequence[Staged]) -> Mapping[str, Judgement]:
        """What changed, by table; raises BlockedError for the first version whose columns break its contract."""
        judged = {}
        for version in staged:
            judgement = self._judged(version.name, version.footers, version.table.partitions)
            if judgement is not None:
                judgement.require_unblocked()
                judged[version.name] = judgement
        return judged

    def renew(self, staged: Sequence[Staged], judged: Mapping[str, Judgement]) -> Mapping[str, Sequence[str]]:
        """Keep the contract of every table that has none, and what was accepted of the others.

        Returns:
            A warning for each table whose contract could not be written, by table.
        """
        warnings = {}
        for version in staged:
            made = {**version.table.columns, **version.table.partitions}
            warnings[version.name] = self._keep(
                version.name, made, version_of(version.table.location), judged.get(version.name)
            )
        return warnings

    def admit(self, table: str) -> list[str]:
        """Hold a bronze table to its contract before any job reads it.

        Files that the policy sets aside are moved to `_quarantine/` next to them, where no reader looks.

        Returns:
            The changes that were accepted, and a warning if the contract could not be written.

        Raises:
            BlockedError: The contract is broken; the error carries the difference.
        """
        return settled(partial(self._admitted, table), table)

    def _admitted(self, table: str) -> list[str]:
        location = self.places.fixed(table) or ""
        files = self.inspector.files(location)
        judgement = self.judged(table, location, files)
        if judgement is not None:
            judgement.require_unblocked()
            for file in {
                file.key: file for c in judgement.having(Verdict.QUARANTINED) for file in c.files
            }.values():
                below = file.location.removeprefix(location)
                self.s3.move(file, f"{location}{QUARANTINE}{file.etag[:8]}/{below}")
                files.remove(file)
        warnings = [str(change) for change in judgement.changes] if judgement is not None else []
        if files:
            warnings += self._keep(table, self._columns(table, location, files), "", judgement)
        return warnings

    def judged(self, table: str, location: str, files: Sequence[S3Object]) -> Judgement | None:
        """The files against the contract; None if there is none yet, or no file."""
        if not files or self.book.find(table) is None:
            return None
        partitions = partition_types(table, layout_of(table, location, files).values)
        return self._judged(table, self.inspector.footers.of(table, files), partitions)

    def accept(self, table: str) -> Judgement:
        """Makes what the newest files say the table's contract; returns what changed by that."""
        location = self.newest(table)
        files = self.inspector.files(location)
        if not files:
            raise UsageError(
                f"there is no file of {table} to make a contract of", hint=f"looked at {location}"
            )
        before = self.judged(table, location, files)
        contract = Contract(table, self._columns(table, location, files), version_of(location))
        if not self.book.keep(contract):
            raise UsageError(f"cannot write {self.book.file(table)}", hint="make the folder writable")
        return before or Judgement(contract, [])

    def _judged(
        self, table: str, footers: Sequence[Footer], partitions: Mapping[str, str]
    ) -> Judgement | None:
        contract = self.book.find(table)
        if contract is None:
            return None
        policy = Policy.of(table, self.settings.rules(table), self.settings.contracts)
        return judge(contract, footers, policy, partitions)

    def _columns(self, table: str, location: str, files: Sequence[S3Object]) -> Mapping[str, str]:
        footers = self.inspector.footers.of(table, files)
        widening = self.settings.rules(table).allow_widening
        types = partition_types(table, layout_of(table, location, files).values)
        return {**merged_columns(table, footers, allow_widening=widening), **types}

    def newest(self, table: str) -> str:
        """Where the newest files of the table lie: its own place, or the version that was written last."""
        if fixed := self.places.fixed(table):
            return fixed
        root = self.places.root(table)
        files = [file for file in self.s3.objects(root) if file.key.endswith(".parquet")]
        if not files:
            return root
        last = max(files, key=lambda file: file.modified)
        return f"{root}{last.location.removeprefix(root).partition('/')[0]}/"

    def _keep(
        self, table: str, columns: Mapping[str, str], version: str, judgement: Judgement | None
    ) -> Sequence[str]:
        """Write the table's contract where it is new or has changed; return a warning if that is not possible."""
        file = self.book.file(table)
        remedy = f"run `etltctl contract accept {table}` in the checkout, commit the file and deploy it"
        if judgement is None:
            if not self.book.keep(Contract(table, columns, version)):
                return [f"it has no contract, and {file} cannot be written: drift is not checked; {remedy}"]
        elif (amended := judgement.amended(version)) is not None and not self.book.keep(amended):
            return [f"its contract has changed, and {file} cannot be written: it is as before; {remedy}"]
        return []
