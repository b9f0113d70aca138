"""The checks of a table as SQL: one query that counts what offends every rule, and one more for each that is broken."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etltctl.errors import ConfigurationError
from etltctl.settings.project_names import NAMED_TABLE

if TYPE_CHECKING:
    from etltctl.settings.checks import TableRules

EXAMPLES = 5

NameOf = Callable[[str], str]  # `this` or `layer.table` → the name that a query reads it by


@dataclass(frozen=True)
class Rule:
    """One rule: its name, and either the condition of an offending row or a query for what offends."""

    name: str
    condition: str = ""
    query: str = ""

    def examples(self, table: str) -> str:
        """A query for some of what offends."""
        source = f"{table} where {self.condition}" if self.condition else f"({self.query}) as offending"
        return f"select * from {source} limit {EXAMPLES}"


def sql_rules(table: str, rules: TableRules, name_of: NameOf) -> list[Rule]:
    """The rules of the table that need its rows; raises ConfigurationError for a query that names an unknown table."""
    keys = ", ".join(map(quoted, rules.keys))
    made = [
        Rule(f"{name} is null", f"{quoted(name)} is null")
        for name in dict.fromkeys([*rules.keys, *rules.not_null])
    ]
    for name, allowed in rules.ranges.items():
        made += _range_rules(name, allowed.min, allowed.max)
    if keys:
        count = "times" if "times" not in rules.keys else "etltctl_times"
        times = (
            f"select {keys}, count(*) as {count} from {name_of('this')} group by {keys} having count(*) > 1"
        )
        made.append(Rule(f"{', '.join(rules.keys)} not unique", query=times))
    for name, query in rules.sql.items():
        made.append(Rule(name, query=_with_names(table, name, query, name_of)))
    return made


def counting_sql(table: str, rules: Sequence[Rule]) -> str:
    """One query whose one row says how much offends each rule, in their order: one look at the table, and the queries'.

    Sums over no row are null, which counts as nothing.
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


def quoted(name: str) -> str:
    """An identifier."""
    return '"' + name.replace('"', '""') + '"'


def _range_rules(name: str, least: float | None, greatest: float | None) -> Iterator[Rule]:
    """Yield the rules of one range. NaN has a separate rule, because engines differ on it.

    Trino says false to every comparison with NaN; DuckDB sorts it above infinity. No comparison finds it with both:
    DuckDB also decides some by the least and greatest value in a file's footer, which leave NaN out.
    """
    column = quoted(name)
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
    def name(found: re.Match[str]) -> str:
        try:
            return name_of(found[1])
        except KeyError as error:
            raise ConfigurationError(
                f'tables."{table}".sql.{rule} names the table {found[1]}, which nobody knows',
                hint="write {this} for the new version, or {layer.table}",
            ) from error

    return NAMED_TABLE.sub(name, query.strip().rstrip(";"))
