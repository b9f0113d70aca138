"""The audit of versions nobody sees yet: what is wrong with one is said by rule and row, and nothing is published."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

from etltctl.athena import Athena
from etltctl.catalog import STAGING, Catalog, Described, Registry, Table
from etltctl.errors import BlockedError, EtltctlError, RunFailedError, UnverifiedError
from etltctl.publishing.asking import AT_ONCE, Questions
from etltctl.publishing.history import FILES, History, utc_now
from etltctl.publishing.inspecting import Inspector, files_hash
from etltctl.publishing.places import Places
from etltctl.publishing.rules import counting_sql, quoted, sql_rules
from etltctl.s3 import Footer
from etltctl.tabulating import as_json

if TYPE_CHECKING:
    from etltctl.settings import Settings

LEFT_BEHIND = timedelta(days=1)  # no audit takes so long: what is older belongs to a process that died
NOTED = frozenset({"evolve"})  # reactions that let rows pass that break a rule


@dataclass(frozen=True)
class Staged:
    """A version before it is published: what the catalog shall hold, what its job said, what is current now."""

    name: str
    table: Table
    rows: int
    footers: Sequence[Footer]
    audit: Mapping[str, Any]
    base: Described | None


@dataclass(frozen=True)
class Finding:
    """A rule that a version breaks: how often, and some of the rows."""

    table: str
    rule: str
    count: int
    rows: Sequence[Mapping[str, Any]] = ()
    reaction: str = "freeze"

    def __str__(self) -> str:
        return f"{self.table}: {self.rule}" + (f" ({self.count:,})" if self.count else "")


OnFinding = Callable[[Finding], None]


@dataclass(frozen=True)
class Auditor:
    """Runs the checks that the settings declare, on the job's own account, on row counts, and on Athena.

    `on_finding` hears of every rule that a version breaks, whatever becomes of the version.
    """

    settings: Settings
    catalog: Catalog
    places: Places
    inspector: Inspector
    athena: Athena
    run_key: str = ""
    on_finding: OnFinding | None = None

    def audit(self, staged: Sequence[Staged]) -> list[Finding]:
        """What is wrong with these versions and may be borne; empty if they are all good.

        Raises UnverifiedError where files and job contradict each other, BlockedError naming every rule that is broken
        and some of the rows that break it.
        """
        for version in staged:
            require_accounted(version)
        counted = [found for version in staged for found in self._counted(version)]
        findings = counted + self._asked(staged)
        if self.on_finding:
            for found in findings:
                self.on_finding(found)
        if any(found.reaction not in NOTED for found in findings):
            raise _blocked([found for found in findings if found.reaction not in NOTED])
        return findings

    def _counted(self, version: Staged) -> Iterator[Finding]:
        """What counting alone shows."""
        rules, audit = self.settings.rules(version.name), version.audit
        parts = [audit.get(name, 0) for name in ("rows_out", "merged", "rejected")]
        if rules.conserve_rows and audit.get("rows_in") != sum(parts):
            said = f"rows in {audit.get('rows_in')}, but out, merged and rejected are {sum(parts)}"
            yield Finding(version.name, said, 0)
        if version.rows < rules.min_rows:
            yield Finding(version.name, f"{version.rows:,} rows, fewer than min_rows = {rules.min_rows:,}", 0)
        before = History.of(version.base).rows
        if rules.max_drop_pct is not None and version.rows < before * (1 - rules.max_drop_pct / 100):
            drop = 100 * (1 - version.rows / before)
            said = f"{version.rows:,} rows, {drop:.0f} % less than the {before:,} of the current version"
            yield Finding(version.name, f"{said}, more than max_drop_pct = {rules.max_drop_pct:g}", 0)

    def _asked(self, staged: Sequence[Staged]) -> list[Finding]:
        """What Athena counts: one query a table that has such rules, a few at once."""
        by_name = {version.name: version for version in staged}
        declared = {name: self.settings.rules(name) for name in by_name}
        asking = [name for name, rules in declared.items() if rules.needs_query]
        seen = {
            *asking,
            *(other for name in asking for other in declared[name].named_tables if other in by_name),
        }
        if not asking:
            return []
        questions = Questions(self.athena, self.run_key)
        with self._staged([by_name[name] for name in sorted(seen)]) as names:
            found = questions.ask_all(partial(self._ask, questions, names), asking)
        return [finding for findings in found for finding in findings]

    @contextmanager
    def _staged(self, staged: Sequence[Staged]) -> Iterator[Mapping[str, str]]:
        """Tables of the catalog for versions that nobody sees yet, by the names that queries read them by."""
        made = [replace(version.table, name=staging_name(version)) for version in staged]
        try:
            with ThreadPoolExecutor(AT_ONCE) as workers:
                list(workers.map(Registry(self.catalog).stage, made))
            yield {
                version.name: f"{quoted(table.database)}.{quoted(table.name)}"
                for version, table in zip(staged, made, strict=True)
            }
        finally:
            for table in made:
                with suppress(EtltctlError):  # the name says what it is, and no listing shows it
                    self.catalog.unstage(table.database, table.name)
            for database in {table.database for table in made}:
                with suppress(EtltctlError):
                    self.catalog.unstage_older(database, utc_now() - LEFT_BEHIND)

    def _ask(self, questions: Questions, names: Mapping[str, str], table: str) -> list[Finding]:
        declared = self.settings.rules(table)

        def name_of(name: str) -> str:
            if name in names or name == "this":
                return names[table if name == "this" else name]
            if name not in self.places.tables():
                raise KeyError(name)
            return ".".join(map(quoted, self.places.in_catalog(name)))

        rules = sql_rules(table, declared, name_of)
        held = [self._held(name) for name in sorted(declared.named_tables - set(names))]

        def rows(sql: str) -> list[Mapping[str, Any]]:
            return self._rows(questions, table, sql, held)

        (counts,) = rows(counting_sql(names[table], rules)) or [{}]
        broken = [(rule, counts[f"n{number}"] or 0) for number, rule in enumerate(rules)]
        reaction = declared.rows or self.settings.contracts.rows
        return [
            Finding(table, rule.name, count, rows(rule.examples(names[table])), reaction)
            for rule, count in broken
            if count
        ]

    def _held(self, table: str) -> str:
        """What stands for the rows that a table holds now: a retry asks anew once they are others."""
        current = self.catalog.table(*self.places.in_catalog(table)) or {}
        fixed = self.places.fixed(table)
        files = files_hash(self.inspector.files(fixed)) if fixed else ""
        location = current.get("StorageDescriptor", {}).get("Location", "")
        return " ".join((location, current.get("Parameters", {}).get(FILES, ""), files))

    def _rows(
        self, questions: Questions, table: str, sql: str, held: Sequence[str]
    ) -> list[Mapping[str, Any]]:
        try:
            return questions.rows(sql, self.places.in_catalog(table)[0], *held)
        except RunFailedError as error:
            raise BlockedError(
                f"the checks of {table} cannot be run: {error.message}",
                hint=f'look at [tables."{table}"] in the settings; nothing was published',
                sql=sql,
            ) from error


def staging_name(version: Staged) -> str:
    """The name that a version has in the catalog while it is looked at: two versions of a table never share one."""
    tail = hashlib.sha256(version.table.location.encode()).hexdigest()[:10]
    return f"{STAGING}{version.table.name}_{tail}"


def require_accounted(version: Staged) -> None:
    """Raises UnverifiedError if the files hold other rows than the job says that it wrote."""
    written = version.audit.get("rows_out", version.rows)
    if written != version.rows:
        raise UnverifiedError(
            f"the job says that it wrote {written} rows of {version.name}, but its files hold {version.rows}",
            hint="nothing was published; look at the version's files and run the job again",
            location=version.table.location,
        )


def _blocked(findings: Sequence[Finding]) -> BlockedError:
    first = findings[0]
    more = f", and {len(findings) - 1} more" if len(findings) > 1 else ""
    rows = {
        str(finding): "\n".join(map(as_json, finding.rows)) or "no row to show"
        for finding in findings
        if finding.rows or finding is not first
    }
    return BlockedError(
        f"the new version of {first.table} fails its checks: {first.rule}"
        + (f" ({first.count:,})" if first.count else "")
        + more,
        hint="nothing was published, the current versions stay; fix the data or the job, or change "
        f'[tables."{first.table}"]',
        **rows,
    )
