"""The audit of versions before they are published: what is wrong with one is reported by rule and row."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import Any

from etltctl.athena import Athena
from etltctl.catalog import STAGING, Described, Registry, Table
from etltctl.errors import BlockedError, EtltctlError, RunFailedError, UnverifiedError
from etltctl.publishing.audit_queries import AT_ONCE, AuditQueries, counting_sql, sql_rules
from etltctl.publishing.context import LakeContext
from etltctl.publishing.table_files import Inspector
from etltctl.publishing.version_history import FILES, History, files_hash, utc_now
from etltctl.s3 import Footer
from etltctl.tabulating import as_json
from etltctl.values import TableName, quoted_name

LEFT_BEHIND = timedelta(days=1)  # no audit takes this long: an older table belongs to a process that died
NOTED = frozenset({"evolve"})  # reactions that let rows pass that break a rule


@dataclass(frozen=True)
class Staged:
    """A version before it is published.

    Attributes:
        name: The table.
        table: The table as the catalog shall hold it.
        rows: The rows of the version's files.
        footers: The footers of its files.
        row_counts: What its job reported of the rows: in, out, merged, rejected.
        base: The table in the catalog when the audit began; None if it was not there.
    """

    name: TableName
    table: Table
    rows: int
    footers: Sequence[Footer]
    row_counts: Mapping[str, Any]
    base: Described | None


@dataclass(frozen=True)
class Violation:
    """A rule that a version breaks: how often, some of the rows, and what the settings do about it.

    Attributes:
        name: The rule's name, as `declared_rules` has it.
        rule: What the version breaks: the name, or of a rule of counts a sentence with the counts.
    """

    table: str
    name: str
    rule: str
    count: int
    rows: Sequence[Mapping[str, Any]] = ()
    reaction: str = "freeze"

    def __str__(self) -> str:
        """Return the violation on one line, as a warning shows it."""
        return f"{self.table}: {self.rule}" + (f" ({self.count:,})" if self.count else "")


OnViolation = Callable[[Violation], None]


@dataclass(frozen=True)
class Auditor:
    """The checks that the settings declare: of the job's report, of row counts, and of rows on Athena.

    Attributes:
        context: The lake.
        inspector: Reads the files of tables.
        athena: Runs the queries.
        run_key: Queries are started once for this key.
        on_violation: Called with every rule that a version breaks, whatever becomes of the version.
    """

    context: LakeContext
    inspector: Inspector
    athena: Athena
    run_key: str = ""
    on_violation: OnViolation | None = None

    def audit(self, staged: Sequence[Staged]) -> list[Violation]:
        """Check versions, and return the violations that the settings let pass; none if all versions are good.

        Raises:
            UnverifiedError: Files and job contradict each other.
            BlockedError: A rule is broken. The error names every such rule and some of the rows that break it.
        """
        for version in staged:
            # Before any query is paid for: files that contradict their job are wrong whatever their rows say.
            require_accounted(version)
        counted = [violation for version in staged for violation in self._from_counts(version)]
        violations = counted + self._from_queries(staged)
        # Every broken rule goes on record, those that the settings let pass included.
        if self.on_violation:
            for violation in violations:
                self.on_violation(violation)
        if any(violation.reaction not in NOTED for violation in violations):
            raise _blocked([violation for violation in violations if violation.reaction not in NOTED])
        return violations

    def _from_counts(self, version: Staged) -> Iterator[Violation]:
        """Yield the violations that counting alone shows."""
        name, rules, counts = str(version.name), self.context.rules(version.name), version.row_counts
        parts = [counts.get(name, 0) for name in ("rows_out", "merged", "rejected")]
        if rules.conserve_rows and counts.get("rows_in") != sum(parts):
            said = f"rows in {counts.get('rows_in')}, but out, merged and rejected are {sum(parts)}"
            yield Violation(name, "conserve_rows", said, 0)
        if version.rows < rules.min_rows:
            said = f"{version.rows:,} rows, fewer than min_rows = {rules.min_rows:,}"
            yield Violation(name, "min_rows", said, 0)
        # Compared with the version that was current when the audit began; a new table has nothing to drop from.
        before = History.of(version.base).rows
        if rules.max_drop_pct is not None and version.rows < before * (1 - rules.max_drop_pct / 100):
            drop = 100 * (1 - version.rows / before)
            said = f"{version.rows:,} rows, {drop:.0f} % less than the {before:,} of the current version"
            more = f"more than max_drop_pct = {rules.max_drop_pct:g}"
            yield Violation(name, "max_drop_pct", f"{said}, {more}", 0)

    def _from_queries(self, staged: Sequence[Staged]) -> list[Violation]:
        """Return what Athena counts: one query for each table that has such rules, a few at once."""
        by_name = {str(version.name): version for version in staged}
        rules = {name: self.context.rules(version.name) for name, version in by_name.items()}
        checked = [name for name in by_name if rules[name].needs_query]
        if not checked:
            return []
        # A rule may join two tables of the set: it must see the new version of both.
        read = {other for name in checked for other in rules[name].named_tables if other in by_name}
        queries = AuditQueries(self.athena, self.run_key)
        with self._staged([by_name[name] for name in sorted({*checked, *read})]) as names:
            violations = queries.run_each(partial(self._broken_rules, queries, names), checked)
        return [violation for of_table in violations for violation in of_table]

    @contextmanager
    def _staged(self, staged: Sequence[Staged]) -> Iterator[Mapping[str, str]]:
        """Yield the names by which queries read these versions, by table; the catalog has them inside the block."""
        catalog = self.context.catalog
        # Queries read a version through a table of another name, so no reader can mistake it for the published one.
        tables = [replace(version.table, name=staging_name(version)) for version in staged]
        try:
            with ThreadPoolExecutor(AT_ONCE) as workers:
                list(workers.map(Registry(catalog).stage, tables))
            yield {
                str(version.name): f"{quoted_name(table.database)}.{quoted_name(table.name)}"
                for version, table in zip(staged, tables, strict=True)
            }
        finally:
            # An audit that ended leaves nothing behind. One that was killed leaves tables that a later audit removes.
            for table in tables:
                with suppress(EtltctlError):  # a table that stays is named as staged, and no listing shows it
                    catalog.unstage(table.database, table.name)
            for database in {table.database for table in tables}:
                with suppress(EtltctlError):
                    catalog.unstage_older(database, utc_now() - LEFT_BEHIND)

    def _broken_rules(self, queries: AuditQueries, names: Mapping[str, str], table: str) -> list[Violation]:
        declared = self.context.rules(TableName.parse(table))

        def name_of(name: str) -> str:
            if name in names or name == "this":
                return names[table if name == "this" else name]
            return self.context.places.in_query(name)

        rules = sql_rules(table, declared, name_of)
        # Part of the key of the query: an answer about other rows must not be reused by a retry.
        others = [self._rows_held(name) for name in sorted(declared.named_tables - set(names))]

        def rows(sql: str) -> list[Mapping[str, Any]]:
            return self._rows(queries, table, sql, others)

        # One query counts all rules, so a version that keeps every rule costs one query.
        (counts,) = rows(counting_sql(names[table], rules)) or [{}]
        broken = [(rule, counts[f"n{number}"] or 0) for number, rule in enumerate(rules)]
        # The table's own setting counts before the one for all tables.
        reaction = declared.rows or self.context.settings.contracts.rows
        return [
            Violation(table, rule.name, rule.name, count, rows(rule.examples(names[table])), reaction)
            for rule, count in broken
            if count
        ]

    def _rows_held(self, table: str) -> str:
        """Return a text that stands for the rows that a table holds now: a retry queries again once they changed."""
        current = self.context.current(TableName.parse(table)) or {}
        fixed = self.context.places.fixed(table)
        files = files_hash(self.inspector.files(fixed)) if fixed else ""
        location = current.get("StorageDescriptor", {}).get("Location", "")
        return " ".join((location, current.get("Parameters", {}).get(FILES, ""), files))

    def _rows(
        self, queries: AuditQueries, table: str, sql: str, others: Sequence[str]
    ) -> list[Mapping[str, Any]]:
        try:
            return queries.rows(sql, self.context.places.in_catalog(table)[0], *others)
        except RunFailedError as error:
            raise BlockedError(
                f"the checks of {table} cannot be run: {error.message}",
                hint=f'nothing was published; correct [tables."{table}"] in the settings',
                sql=sql,
            ) from error


def staging_name(version: Staged) -> str:
    """Return the name of a version in the catalog during its audit; two versions of a table never share one."""
    # From the location, so that a resumed audit finds the table of its first try and replaces it.
    tail = hashlib.sha256(version.table.location.encode()).hexdigest()[:10]
    return f"{STAGING}{version.table.name}_{tail}"


def require_accounted(version: Staged) -> None:
    """Compare the rows of a version's files with those that its job says it wrote.

    Raises:
        UnverifiedError: The two differ.
    """
    written = version.row_counts.get("rows_out", version.rows)
    if written != version.rows:
        raise UnverifiedError(
            f"the job says that it wrote {written} rows of {version.name}, but its files hold {version.rows}",
            hint="nothing was published; check the version's files, then run the job again",
            location=version.table.location,
        )


def _blocked(violations: Sequence[Violation]) -> BlockedError:
    first = violations[0]
    more = f", and {len(violations) - 1} more" if len(violations) > 1 else ""
    rows = {
        str(violation): "\n".join(map(as_json, violation.rows)) or "no row to show"
        for violation in violations
        if violation.rows or violation is not first
    }
    return BlockedError(
        f"the new version of {first.table} fails its checks: {first.rule}"
        + (f" ({first.count:,})" if first.count else "")
        + more,
        hint="nothing was published, the current versions stay; fix the data or the job, or change "
        f'[tables."{first.table}"]',
        **rows,
    )
