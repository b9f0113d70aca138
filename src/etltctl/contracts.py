"""Contracts of tables: the columns that readers rely on, kept as files, and how new files differ from them.

A contract is `<table>.toml`, made from the first good version, for people to read, review and commit. Files are
compared with it by the schemas in their footers. The policy of the settings decides what becomes of each difference.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etltctl.atomic_files import write_atomically
from etltctl.catalog import comment_line, hive_columns, widened
from etltctl.errors import RETRY, BlockedError, ConfigurationError, NextStep, command
from etltctl.s3 import Footer, S3Object
from etltctl.settings.toml_tables import toml_text

if TYPE_CHECKING:
    from etltctl.settings.checks import Contracts, TableRules


@dataclass(frozen=True)
class Contract:
    """What readers of a table rely on: the Hive types of its columns and partition columns, by name.

    `version` is that of the table it was last taken from. `comments` say what columns mean; they are never read back.
    """

    table: str
    columns: Mapping[str, str]
    version: str = ""
    comments: Mapping[str, str] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class ContractBook:
    """The contracts in a folder, one file a table."""

    folder: Path

    def file(self, table: str) -> Path:
        """Return the file of the table's contract."""
        return self.folder / f"{table}.toml"

    def find(self, table: str) -> Contract | None:
        """Return the table's contract, or None if it has no contract yet.

        Raises:
            ConfigurationError: The file is not a contract.
        """
        file = self.file(table)
        try:
            document = tomllib.loads(file.read_text("utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise _unreadable(file, str(error)) from error
        columns = document.get("columns")
        # People edit these files, so nothing of their content is taken for granted.
        if not isinstance(columns, dict) or not all(isinstance(kind, str) for kind in columns.values()):
            raise _unreadable(file, "it has no table [columns] of names and types")
        return Contract(table, columns, str(document.get("version", "")))

    def keep(self, contract: Contract) -> bool:
        """Write the contract; return False if the folder cannot be written to, as on an Airflow worker."""
        try:
            write_atomically(self.file(contract.table), _as_toml(contract))
        except OSError:
            return False
        return True


def _as_toml(contract: Contract) -> str:
    columns = contract.columns.items()
    notes = {name: f"  # {line}" for name, text in contract.comments.items() if (line := comment_line(text))}
    lines = [
        f"# What readers of {contract.table} rely on; {command('contract', 'accept', contract.table)} changes it.",
        f"table = {toml_text(contract.table)}",
        f"version = {toml_text(contract.version)}",
        "",
        "[columns]",
        *(f"{toml_text(name)} = {toml_text(kind)}{notes.get(name, '')}" for name, kind in columns),
    ]
    return "\n".join(lines) + "\n"


def _unreadable(file: Path, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"the contract {file} cannot be read: {why}",
        hint="correct it, or delete it: the next good version makes a new one",
    )


class Verdict(StrEnum):
    """What becomes of a change."""

    ACCEPTED = "accepted"  # the contract takes it in
    NOTED = "noted"  # it passes with a warning; the contract stays
    QUARANTINED = "quarantined"  # the files that bring it are set aside
    BLOCKED = "blocked"


BY_POLICY = {"evolve": Verdict.ACCEPTED, "freeze": Verdict.BLOCKED, "quarantine": Verdict.QUARANTINED}


@dataclass(frozen=True)
class Policy:
    """What the settings do with changes of a table.

    Attributes:
        columns: What a new or missing column does: `evolve`, `freeze` or `quarantine`.
        types: What a changed type does: the same three.
        allow_widening: Whether a type may widen where engines differ on how they read the old files.
        is_source: Whether the table is bronze. Its readers are jobs, which read a missing column as null. Only files
            of a source can be set aside: any other version is published whole or not at all, so for it `quarantine`
            means `freeze`.
    """

    columns: str = "evolve"
    types: str = "evolve"
    allow_widening: bool = False
    is_source: bool = False

    @classmethod
    def of(cls, table: str, rules: TableRules, default: Contracts) -> Policy:
        """Return the policy of `layer.table`: what its own rules say, and the default where they say nothing."""
        is_source = table.startswith("bronze.")
        columns, types = rules.columns or default.columns, rules.types or default.types
        if not is_source:
            columns, types = ("freeze" if said == "quarantine" else said for said in (columns, types))
        return cls(columns, types, rules.allow_widening, is_source)


@dataclass(frozen=True)
class Change:
    """One difference between files and a contract.

    Attributes:
        kind: `added`, `dropped`, `widened`, `narrowed`, `retyped` or `unreadable`.
        was: The column's type in the contract; empty for a new column.
        now: Its type in the files; empty for one that is gone.
        files: The files that bring the change.
    """

    kind: str
    column: str
    was: str
    now: str
    verdict: Verdict
    why: str = ""
    files: Sequence[S3Object] = field(default=(), repr=False)

    def __str__(self) -> str:
        """Return the change on one line, as an error shows it."""
        sign = {"added": "+", "dropped": "-"}.get(self.kind, "~")
        types = f"{self.was} → {self.now}" if self.was and self.now else self.now or self.was
        place = f"  in {self.files[0].location}" if self.files else ""
        why = f": {self.why}" if self.why else ""
        return f"{sign} {self.column} {types}  {self.kind}, {self.verdict}{why}{place}"


@dataclass(frozen=True)
class Judgement:
    """All changes of a table against its contract."""

    contract: Contract
    changes: Sequence[Change]

    def having(self, verdict: Verdict) -> list[Change]:
        """Return the changes of this verdict."""
        return [change for change in self.changes if change.verdict is verdict]

    def amended(self, version: str) -> Contract | None:
        """Return the contract with the accepted changes, or None if none was accepted."""
        accepted = {change.column: change.now for change in self.having(Verdict.ACCEPTED)}
        columns = {**self.contract.columns, **accepted}
        return replace(self.contract, columns=columns, version=version) if accepted else None

    def require_unblocked(self) -> None:
        """Raise the whole difference if a change is blocked.

        Raises:
            BlockedError: A change is blocked.
        """
        table, blocked = self.contract.table, self.having(Verdict.BLOCKED)
        if not blocked:
            return
        raise BlockedError(
            f"{table} breaks its contract: {blocked[0].column} {blocked[0].kind}"
            + (f", and {len(blocked) - 1} more" if len(blocked) > 1 else ""),
            hint=NextStep(
                "nothing was built on it, so nothing has to be rolled back; if it is meant: ",
                command("contract", "accept", table), ", then ", RETRY, "; if not, correct the source or the job first",
            ),
            difference="\n".join(map(str, self.changes)) + "\n",
        )  # fmt: skip


def judge(
    contract: Contract, footers: Sequence[Footer], policy: Policy, partitions: Mapping[str, str]
) -> Judgement:
    """Compare files with a contract.

    A column is dropped if no file has it. It is added or retyped if any file has it so.

    Args:
        contract: The table's contract.
        footers: The footers of the files.
        policy: What the settings do with changes.
        partitions: The types of the partition columns in the files' paths.
    """
    changes: dict[tuple[str, str], Change] = {}
    present: dict[str, Any] = dict(partitions)
    # A table of thousands of files has a few schemas; each is judged once for all of its files.
    for footer, files in _by_schema(footers):
        try:
            columns = {**hive_columns(footer.schema, contract.table), **partitions}
        except BlockedError as error:
            changes["unreadable", error.message] = _unreadable_schema(error.message, policy, files)
            present |= {column.name.lower(): "" for column in footer.schema}
            continue
        # A column of nulls alone has no type in Parquet: it is there, and its type is still the contract's.
        empty = {column.name.lower() for column in footer.schema} - set(columns)
        present |= columns | {name: contract.columns[name] for name in empty if name in contract.columns}
        for change in _changes_of(contract, columns, policy, files):
            # Two schemas that bring the same change are one change with the files of both.
            before = changes.setdefault((change.column, change.now), change)
            if before is not change:
                changes[change.column, change.now] = replace(before, files=[*before.files, *files])
    dropped = [name for name in contract.columns if name not in present]
    return Judgement(contract, [*_dropped(contract, dropped, changes.values(), policy), *changes.values()])


def _by_schema(footers: Sequence[Footer]) -> list[tuple[Footer, list[S3Object]]]:
    groups: list[tuple[Footer, list[S3Object]]] = []
    for footer in footers:
        files = next((files for first, files in groups if first.schema.equals(footer.schema)), None)
        if files is None:
            groups.append((footer, files := []))
        files.append(footer.object)
    return groups


def _unreadable_schema(why: str, policy: Policy, files: Sequence[S3Object]) -> Change:
    verdict = Verdict.QUARANTINED if "quarantine" in (policy.types, policy.columns) else Verdict.BLOCKED
    return Change("unreadable", "", "", "", verdict, why, files)


def _changes_of(
    contract: Contract, columns: Mapping[str, str], policy: Policy, files: Sequence[S3Object]
) -> Iterator[Change]:
    """Yield the new and the retyped columns of files of one schema."""
    for name, now in columns.items():
        was = contract.columns.get(name)
        if was is None:
            yield Change("added", name, "", now, BY_POLICY[policy.columns], files=files)
        elif was != now:
            yield _retyped(name, was, now, policy, files)


def _retyped(name: str, was: str, now: str, policy: Policy, files: Sequence[S3Object]) -> Change:
    # The order of the tests is that of the damage: unreadable, read differently, then only narrower.
    both, by_policy = widened(was, now), BY_POLICY[policy.types]
    unless_quarantined = by_policy if by_policy is Verdict.QUARANTINED else Verdict.BLOCKED
    if both is None:
        why = f"no reader of {was} reads {now}"
        return Change("retyped", name, was, now, unless_quarantined, why, files)
    if not both.is_safe and not policy.allow_widening:
        why = "engines differ on such a change; write the old files again, or set allow_widening"
        return Change("widened", name, was, now, unless_quarantined, why, files)
    if both.type == was:
        verdict = Verdict.NOTED if policy.is_source and by_policy is Verdict.ACCEPTED else unless_quarantined
        why = f"{was} still reads it" if verdict is Verdict.NOTED else f"readers were promised {was}"
        return Change("narrowed", name, was, now, verdict, why, files)
    return Change("widened", name, was, both.type, by_policy, "", files)


def _dropped(
    contract: Contract, names: Sequence[str], others: Iterable[Change], policy: Policy
) -> Iterator[Change]:
    """Yield the columns that are gone, each with the new column that it was likely renamed to, by type and name."""
    added = [change for change in others if change.kind == "added"]
    for name in names:
        was = contract.columns[name]
        alike = [change.column for change in added if change.now == was]
        # One column gone and one new of the same type is a rename, whatever the two are called.
        is_only_one = len(alike) == [contract.columns[other] for other in names].count(was) == 1
        likely = alike if is_only_one else get_close_matches(name, alike, 1)
        why = "jobs read it as null" if policy.is_source else "readers that name it fail"
        if likely:
            why = (
                f"it looks renamed to {likely[0]}: columns are read by name, so {name} is empty from here on"
            )
        passes = policy.is_source and policy.columns != "freeze"
        yield Change("dropped", name, was, "", Verdict.NOTED if passes else Verdict.BLOCKED, why)
