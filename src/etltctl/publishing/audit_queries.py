"""The checks of a table as SQL, and the queries of one audit on Athena.

One query counts the rows that break each rule. One more for each broken rule reads some of those rows.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from threading import Event
from typing import TYPE_CHECKING, Any, TypeVar

from etltctl.athena import Athena
from etltctl.errors import ConfigurationError, EtltctlError
from etltctl.runs import QueryExecution, Verb
from etltctl.settings.project_names import NAMED_TABLE
from etltctl.values import quoted_name

if TYPE_CHECKING:
    from etltctl.settings.checks import TableRules

T = TypeVar("T")

EXAMPLES = 5
AT_ONCE = 4
LONGEST_POLL_S = 1.0  # the longest that a thread sleeps after the audit has ended, before it notices

NameOf = Callable[[str], str]  # `this` or `layer.table` → the name that a query reads it by


@dataclass(frozen=True)
class Rule:
    """One rule of a table: its name, and the condition of a row that breaks it or a query for such rows."""

    name: str
    condition: str = ""
    query: str = ""

    def examples(self, table: str) -> str:
        """Return a query for some of the rows that break the rule, of the table as a query names it."""
        source = f"{table} where {self.condition}" if self.condition else f"({self.query}) as offending"
        return f"select * from {source} limit {EXAMPLES}"


def sql_rules(table: str, rules: TableRules, name_of: NameOf) -> list[Rule]:
    """Return the rules of a table that need its rows.

    Args:
        table: The table as `layer.table`.
        rules: What the settings say of it.
        name_of: Returns the name that a query reads a table by; KeyError if there is no such table.

    Raises:
        ConfigurationError: A query of the settings names an unknown table.
    """
    keys = ", ".join(map(quoted_name, rules.keys))
    checks = [
        Rule(f"{name} is null", f"{quoted_name(name)} is null")
        for name in dict.fromkeys([*rules.keys, *rules.not_null])
    ]
    for name, allowed in rules.ranges.items():
        checks += _range_rules(name, allowed.min, allowed.max)
    if keys:
        count = "times" if "times" not in rules.keys else "etltctl_times"
        times = (
            f"select {keys}, count(*) as {count} from {name_of('this')} group by {keys} having count(*) > 1"
        )
        checks.append(Rule(f"{', '.join(rules.keys)} not unique", query=times))
    for name, query in rules.sql.items():
        checks.append(Rule(name, query=_with_names(table, name, query, name_of)))
    return checks


def declared_rules(table: str, rules: TableRules) -> list[str]:
    """Return the names of all rules of a table: those of its rows, and those that counting alone decides.

    Args:
        table: The table as `layer.table`.
        rules: What the settings say of it.
    """
    counted = {
        "min_rows": rules.min_rows,
        "max_drop_pct": rules.max_drop_pct is not None,
        "conserve_rows": rules.conserve_rows,
    }
    names = [name for name, is_declared in counted.items() if is_declared]
    return names + [rule.name for rule in sql_rules(table, rules, lambda name: name)]


def counting_sql(table: str, rules: Sequence[Rule]) -> str:
    """Return one query whose one row counts what breaks each rule, in the order of the rules.

    It reads the table once for all conditions, and once for each rule that is a query. A sum over no row is null,
    which counts as nothing.
    """
    sums = [
        f"sum(case when {rule.condition} then 1 else 0 end) as n{number}"
        for number, rule in enumerate(rules)
        if rule.condition
    ]
    parts = [f"(select {', '.join(sums)} from {table}) as counted"] if sums else []
    parts += [
        f"(select count(*) as n{number} from ({rule.query}) as q{number}) as c{number}"
        for number, rule in enumerate(rules)
        if rule.query
    ]
    return (
        f"select {', '.join(f'n{number}' for number in range(len(rules)))} from {' cross join '.join(parts)}"
    )


def _range_rules(name: str, least: float | None, greatest: float | None) -> Iterator[Rule]:
    """Yield the rules of one range. NaN has a separate rule, because engines differ on it.

    Trino says false to every comparison with NaN; DuckDB sorts it above infinity. No comparison finds it with both:
    DuckDB also decides some by the least and greatest value in a file's footer, which leave NaN out.
    """
    column = quoted_name(name)
    is_nan = f"is_nan(cast({column} as double))"
    yield Rule(f"{name} is NaN", is_nan)
    if least is not None:
        yield Rule(f"{name} < {least:g}", f"{column} < {_number(least)}")
    if greatest is not None:
        yield Rule(f"{name} > {greatest:g}", f"{column} > {_number(greatest)} and not {is_nan}")


def _number(value: float) -> str:
    """Return a literal that both engines take for the same number: whole ones only as far as 64 bits hold them."""
    if value.is_integer() and abs(value) < 2**63:
        return str(int(value))
    mantissa, _, exponent = repr(value).partition("e")
    return f"{mantissa}e{int(exponent or 0)}"


def _with_names(table: str, rule: str, query: str, name_of: NameOf) -> str:
    def name(match: re.Match[str]) -> str:
        try:
            return name_of(match[1])
        except KeyError as error:
            raise ConfigurationError(
                f'tables."{table}".sql.{rule} names the table {match[1]}, which the settings do not know',
                hint="write {this} for the new version, or {layer.table}",
            ) from error

    return NAMED_TABLE.sub(name, query.strip().rstrip(";"))


@dataclass
class AuditQueries:
    """The queries of one audit: each is started once for the run key, a few at once, and none outlives the audit."""

    athena: Athena
    run_key: str = ""
    # A dict and not a set: queries are cancelled in the order of their start. The threads share it.
    _under_way: dict[str, None] = field(default_factory=dict)
    _over: Event = field(default_factory=Event)

    def run_each(self, run: Callable[[str], T], names: Sequence[str]) -> list[T]:
        """Return what `run` returns for each name, with a few running at once.

        The first error, or an interrupt, cancels every query that still runs. An interrupt does not wait for the
        threads.
        """
        workers = ThreadPoolExecutor(AT_ONCE)
        try:
            return list(workers.map(run, names))
        # KeyboardInterrupt is not an Exception: it cancels the queries and does not wait for their threads.
        except BaseException as error:
            self._cancel()
            workers.shutdown(wait=isinstance(error, Exception), cancel_futures=True)
            raise
        finally:
            workers.shutdown(wait=False)

    def rows(self, sql: str, database: str, *depends_on: str) -> list[Mapping[str, Any]]:
        """Run a query and return its rows.

        Args:
            sql: The query.
            database: The database of names without one.
            depends_on: What else the answer depends on: where it changed, a resumed run asks again.
        """
        self._require_going_on()
        # Athena reuses an execution of the same token, so the token names the run and everything that the answer rests
        # on.
        key = "\0".join([self.run_key, *depends_on]) if self.run_key else uuid.uuid4().hex
        execution = self._runner.run(sql, key, database=database)
        columns = self._runner.columns(execution.id)
        return [
            {column.name: column.value(text) for column, text in zip(columns, row, strict=True)}
            for row in self._runner.rows(execution.id, columns)
        ]

    @cached_property
    def _runner(self) -> Athena:
        # The pauses are short, so that a thread notices soon that another one has ended the audit.
        waiter = replace(self.athena.waiter, longest=LONGEST_POLL_S, sleep=self._sleep)
        return replace(self.athena, waiter=waiter, on_start=self._started, on_run=self._ended)

    def _started(self, query_id: str) -> None:
        self._under_way[query_id] = None
        if self._over.is_set():  # it was sent before the audit ended, and answered after
            self._cancel()
        self._require_going_on()

    def _ended(self, verb: Verb, execution: QueryExecution) -> None:
        self._under_way.pop(execution.id, None)
        if self.athena.on_run:
            self.athena.on_run(verb, execution)

    def _sleep(self, seconds: float) -> None:
        self.athena.waiter.sleep(seconds)
        self._require_going_on()

    def _require_going_on(self) -> None:
        if self._over.is_set():
            raise CancelledError

    def _cancel(self) -> None:
        self._over.set()
        for query_id in list(self._under_way):
            with suppress(EtltctlError):  # a query that Athena does not cancel ends by itself
                self.athena.cancel(query_id)
