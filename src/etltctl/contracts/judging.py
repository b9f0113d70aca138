"""What changed against a contract, how grave that is, and what the policy makes of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from enum import StrEnum
from typing import TYPE_CHECKING

from etltctl.catalog import hive_columns, widened
from etltctl.contracts.book import Contract
from etltctl.errors import RETRY, BlockedError
from etltctl.s3 import Footer, S3Object

if TYPE_CHECKING:
    from etltctl.settings.checks import Contracts, TableRules


class Verdict(StrEnum):
    """What becomes of a change."""

    ACCEPTED = "accepted"  # taken into the contract
    NOTED = "noted"  # borne and told; the contract stays
    QUARANTINED = "quarantined"  # the files that bring it are set aside
    BLOCKED = "blocked"


@dataclass(frozen=True)
class Policy:
    """What changes of columns and types do: `evolve`, `freeze` or `quarantine`; whether unsafe widenings are borne.

    `is_source`: the table is read by jobs that cope with a missing column; readers of others do not. Only files of a
    source can be set aside: a version is published whole or not at all, so for others `quarantine` is `freeze`.
    """

    columns: str = "evolve"
    types: str = "evolve"
    allow_widening: bool = False
    is_source: bool = False

    @classmethod
    def of(cls, table: str, rules: TableRules, default: Contracts) -> Policy:
        """The policy of `layer.table`."""
        is_source = table.startswith("bronze.")
        columns, types = rules.columns or default.columns, rules.types or default.types
        if not is_source:
            columns, types = ("freeze" if said == "quarantine" else said for said in (columns, types))
        return cls(columns, types, rules.allow_widening, is_source)


@dataclass(frozen=True)
class Change:
    """One difference: its kind, the column, the types, the verdict, why, and the files that bring it."""

    kind: str  # added, dropped, widened, narrowed, retyped, unreadable
    column: str
    was: str
    now: str
    verdict: Verdict
    why: str = ""
    files: Sequence[S3Object] = field(default=(), repr=False)

    def __str__(self) -> str:
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
        """The changes of this verdict."""
        return [change for change in self.changes if change.verdict is verdict]

    def amended(self, version: str) -> Contract | None:
        """The contract with what was accepted; None if nothing was."""
        accepted = {change.column: change.now for change in self.having(Verdict.ACCEPTED)}
        if not accepted:
            return None
        return replace(self.contract, columns={**self.contract.columns, **accepted}, version=version)

    def require_unblocked(self) -> None:
        """Raises BlockedError with the whole difference if a change is blocked."""
        blocked = self.having(Verdict.BLOCKED)
        if not blocked:
            return
        table = self.contract.table
        raise BlockedError(
            f"{table} breaks its contract: {blocked[0].column} {blocked[0].kind}"
            + (f", and {len(blocked) - 1} more" if len(blocked) > 1 else ""),
            hint=f"if it is meant: etltctl contract accept {table}, then {RETRY}; nothing was built on it",
            difference="\n".join(map(str, self.changes)) + "\n",
        )


def judge(
    contract: Contract, footers: Sequence[Footer], policy: Policy, partitions: Mapping[str, str]
) -> Judgement:
    """The differences between the files with these footers (and the partition columns of their paths) and the contract.

    A column is dropped when no file has it, and added or retyped when any file has it so.
    """
    changes: dict[tuple[str, str], Change] = {}
    present: dict[str, str] = dict(partitions)
    for footer, files in _by_schema(footers):
        try:
            columns = {**hive_columns(footer.schema, contract.table), **partitions}
        except BlockedError as error:
            verdict = (
                Verdict.QUARANTINED if "quarantine" in (policy.types, policy.columns) else Verdict.BLOCKED
            )
            changes["unreadable", error.message] = Change(
                "unreadable", "", "", "", verdict, error.message, files
            )
            present |= {column.name.lower(): "" for column in footer.schema}
            continue
        empty = {column.name.lower() for column in footer.schema} - set(columns)  # of nulls alone
        present |= columns | {name: contract.columns[name] for name in empty if name in contract.columns}
        for change in _of_file(contract, columns, policy, files):
            before = changes.setdefault((change.column, change.now), change)
            if before is not change:
                changes[change.column, change.now] = replace(before, files=[*before.files, *files])
    dropped = [name for name in contract.columns if name not in present]
    return Judgement(contract, [*_dropped(contract, dropped, changes.values(), policy), *changes.values()])


def _by_schema(footers: Sequence[Footer]) -> list[tuple[Footer, list[S3Object]]]:
    found: list[tuple[Footer, list[S3Object]]] = []
    for footer in footers:
        for first, files in found:
            if first.schema is footer.schema or first.schema.equals(footer.schema):
                files.append(footer.object)
                break
        else:
            found.append((footer, [footer.object]))
    return found


def _of_file(
    contract: Contract, columns: Mapping[str, str], policy: Policy, files: Sequence[S3Object]
) -> Iterator[Change]:
    by_policy = {"evolve": Verdict.ACCEPTED, "freeze": Verdict.BLOCKED, "quarantine": Verdict.QUARANTINED}
    for name, now in columns.items():
        was = contract.columns.get(name)
        if was is None:
            yield Change("added", name, "", now, by_policy[policy.columns], files=files)
        elif was != now:
            yield _retyped(name, was, now, policy, by_policy[policy.types], files)


def _retyped(
    name: str, was: str, now: str, policy: Policy, by_policy: Verdict, files: Sequence[S3Object]
) -> Change:
    both = widened(was, now)
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
    """Columns that are gone, each with the new column that it was renamed to, by its type and name."""
    added = [change for change in others if change.kind == "added"]
    for name in names:
        was = contract.columns[name]
        alike = [change.column for change in added if change.now == was]
        is_only_one = len(alike) == [contract.columns[other] for other in names].count(was) == 1
        likely = alike if is_only_one else get_close_matches(name, alike, 1)
        why = "readers that name it fail"
        if policy.is_source:
            why = "jobs read it as null"
        if likely:
            why = (
                f"it looks renamed to {likely[0]}: columns are read by name, so {name} is empty from here on"
            )
        is_borne = policy.is_source and policy.columns != "freeze"
        yield Change("dropped", name, was, "", Verdict.NOTED if is_borne else Verdict.BLOCKED, why)
