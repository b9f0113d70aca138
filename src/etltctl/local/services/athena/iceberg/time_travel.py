"""Time travel: `FOR TIMESTAMP AS OF` and `FOR VERSION AS OF` become the name of a version of the table.

This module does not import Iceberg's library, because every query goes through it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, tzinfo
from zoneinfo import ZoneInfo

from sqlglot import exp

from etltctl.local.services.athena.dialect import QueryError, Type
from etltctl.local.services.athena.dialect.errors import place
from etltctl.local.services.athena.dialect.names import VERSION
from etltctl.local.services.athena.iceberg import MARK

Evaluate = Callable[[exp.Expr], tuple[str | None, Type]]


def travelled(query: exp.Expr, evaluate: Evaluate) -> exp.Expr:
    """Return the query with each version that it names as part of the table's name.

    Args:
        query: The query. It is not changed.
        evaluate: Returns the value of an expression as text, and its type.

    Raises:
        QueryError: in Athena's words, if a version is not one of a table.
    """
    if not any(table.args.get("version") for table in query.find_all(exp.Table)):
        return query
    query = query.copy()
    for table in list(query.find_all(exp.Table)):
        version = table.args.get("version")
        if version is None:
            continue
        if str(version.args.get("kind")).upper() != "AS OF":
            raise QueryError("SYNTAX_ERROR", f"{place(table)}: mismatched input '{version.args.get('kind')}'")
        words = {"VERSION": _snapshot, "TIMESTAMP": _time}
        text = words[str(version.this).upper()](table, *evaluate(version.expression))
        name = versioned(table.this, text)
        if table.args.get("alias") is None:  # the rest of the query names the columns by the table's name
            table.set("alias", exp.TableAlias(this=exp.to_identifier(table.name, quoted=True)))
        table.set("this", name)
        table.set("version", None)
    return query


def versioned(identifier: exp.Expr, version: str) -> exp.Expr:
    """Return the name of a version of a table, at the same place in the statement."""
    named = exp.to_identifier(f"{identifier.name}{MARK}{version}", quoted=True)
    # The name alone says nothing, because a user may write the same one between quotes.
    named.meta.update(identifier.meta, **{VERSION: version})
    # The parser notes where a name ends, and errors say where it begins.
    if "col" in named.meta:
        widths = [len(one.name) + 2 * bool(one.args.get("quoted")) for one in (named, identifier)]
        named.meta["col"] += widths[0] - widths[1]
    return named


def _snapshot(table: exp.Table, value: str | None, kind: Type) -> str:
    if not kind.is_("integer", "bigint") or value is None:
        raise QueryError(
            "TYPE_MISMATCH", f"{place(table)}: Type {kind} invalid. Table version must be of type bigint"
        )
    return f"snapshot {value}"


def _time(table: exp.Table, value: str | None, kind: Type) -> str:
    if not kind.is_("date", "timestamp", "timestamp with time zone") or value is None:
        raise QueryError(
            "TYPE_MISMATCH",
            f"{place(table)}: Type {kind} invalid. Temporal pointers must be of type timestamp with time zone",
        )
    return f"time {_milliseconds(value, kind)}"


def _milliseconds(text: str, kind: Type) -> int:
    """Return the time of a text in milliseconds since 1970. One without a zone is in UTC, Athena's session zone."""
    if kind.is_("date"):
        day = date.fromisoformat(text)
        return round(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)
    zone: tzinfo = UTC
    if kind.is_zoned:
        text, _, name = text.rpartition(" ")
        zone = _zone(name)
    whole, _, fraction = text.partition(".")
    seconds = round(datetime.fromisoformat(whole).replace(tzinfo=zone).timestamp())
    return seconds * 1000 + int(f"{fraction[:3]:0<3}")


def _zone(name: str) -> tzinfo:
    if name[:1] in "+-":
        return datetime.fromisoformat(f"2000-01-01T00:00:00{name}").tzinfo or UTC
    return UTC if name in ("UTC", "Z") else ZoneInfo(name)
