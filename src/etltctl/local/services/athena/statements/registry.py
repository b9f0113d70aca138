"""The dispatch from a statement's first words to the function that performs it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import duckdb

from etltctl.local.services.athena.dialect import MalformedQueryError, parse
from etltctl.local.services.athena.engine import Answer, run
from etltctl.local.services.athena.tables import Lake

# White space, comments, and the mark of byte order that some editors write first.
SPACE = re.compile(r"(?:\s|\ufeff|--[^\n]*(?:\n|$)|/\*.*?\*/)*", re.DOTALL)
WORD = re.compile(r"[A-Za-z_]+(?![\w.])")
TOKEN = re.compile(r"\w+|\"[^\"]*\"|\S")


@dataclass(frozen=True)
class Execution:
    """One statement to perform, and all that it may reach.

    Args:
        sql: The text.
        parameters: The values of its `?`, as literals of SQL.
        database: The database of names that have none.
        engine: An empty DuckDB, which `engine.confine` closes to all but the tables of a query.
        lake: The catalog, the files, and the caller.
        on_plan: Called with the bytes that will be scanned, before any is.
        workgroup: The workgroup.
        output: The URL of the statement's result; empty if Athena keeps the result itself.
        saved: The prepared statements.
    """

    sql: str
    parameters: Sequence[str]
    database: str
    engine: duckdb.DuckDBPyConnection
    lake: Lake
    on_plan: Callable[[int], None] | None = None
    workgroup: str = "primary"
    output: str = ""
    saved: SavedStatements | None = None


class SavedStatements(Protocol):
    """The prepared statements, with Athena's own operations on them."""

    def create_prepared(self, body: dict[str, Any]) -> dict[str, Any]:
        """Keep a prepared statement."""

    def get_prepared(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return a prepared statement."""

    def delete_prepared(self, body: dict[str, Any]) -> dict[str, Any]:
        """Forget a prepared statement."""


@dataclass(frozen=True)
class Kind:
    """What Athena says of a statement, and where it puts the result.

    Args:
        type: StatementType: DDL, DML or UTILITY.
        subtype: SubstatementType.
        result: The path of the result below the location of results, after the id: `{id}.csv`, for example.
    """

    type: str
    subtype: str
    result: str = "{id}.csv"


Perform = Callable[[Execution], Answer]
QUERY = Kind("DML", "SELECT")
_STATEMENTS: dict[tuple[str, ...], tuple[Callable[[str], Kind], Perform]] = {}


def statement(
    *beginnings: str, kind: str, subtype: str | Callable[[str], str], result: str = ""
) -> Callable[[Perform], Perform]:
    """Register a function for the statements that begin with these words.

    Args:
        beginnings: The first words, each in capitals, such as `DROP TABLE`. The longest that fits a text wins.
        kind: Athena's StatementType.
        subtype: Athena's SubstatementType, or a function of the text that returns it. Empty if it is not known.
        result: Where the result is put; `{id}.csv` for DML and `{id}.txt` for the others if it is not given.
    """
    place = result or ("{id}.csv" if kind == "DML" else "{id}.txt")

    def kind_of_text(sql: str) -> Kind:
        return Kind(kind, subtype if isinstance(subtype, str) else subtype(sql), place)

    def registered(perform: Perform) -> Perform:
        for beginning in beginnings:
            _STATEMENTS[tuple(beginning.split())] = (kind_of_text, perform)
        return perform

    return registered


# Called by the server when a query starts, before a worker has read it.
def kind_of(sql: str) -> Kind:
    """Return the kind of a statement; that of a query for a text that is not registered."""
    registered = _registered(sql)
    return registered[0](sql) if registered else QUERY


def perform(execution: Execution) -> Answer:
    """Perform a statement.

    Raises:
        QueryError: in Athena's words, if the statement is refused or fails.
        AwsError: the caller lacks a permission.
    """
    registered = _registered(execution.sql)
    if registered is None:
        _require_known(execution.sql)
        return query(execution)
    return registered[1](execution)


def query(execution: Execution) -> Answer:
    """Answer a query, or a statement that the dialect's grammar reads."""
    return run(
        parse(execution.sql.removeprefix("\ufeff")),
        execution.parameters,
        execution.database,
        execution.engine,
        execution.lake,
        execution.on_plan,
    )


def first_words(sql: str, most: int = 6) -> tuple[str, ...]:
    """Return the words that a text begins with, in capitals, as far as they are bare words."""
    return tuple(word for _, word in zip(range(most), _words(sql), strict=False))


def _require_known(sql: str) -> None:
    """Refuse a text that begins as a statement and goes on as none of those that begin so.

    Raises:
        MalformedQueryError: At the first word that does not fit.
    """
    words = first_words(sql)
    fits = 0
    while fits < len(words) and any(known[: fits + 1] == words[: fits + 1] for known in _STATEMENTS):
        fits += 1
    if not fits:
        return
    expected = sorted({known[fits] for known in _STATEMENTS if known[:fits] == words[:fits]})
    at = SPACE.match(sql).end()  # type: ignore[union-attr]
    for word in words[:fits]:
        at = SPACE.match(sql, at + len(word)).end()  # type: ignore[union-attr]
    token = TOKEN.match(sql, at)
    line, column = sql.count("\n", 0, at) + 1, at - sql.rfind("\n", 0, at)
    raise MalformedQueryError(
        f"line {line}:{column}: mismatched input '{token[0] if token else '<EOF>'}'. Expecting: "
        + ", ".join(f"'{word}'" for word in expected)
    )


def _words(sql: str) -> Iterator[str]:
    at = 0
    while match := WORD.match(sql, SPACE.match(sql, at).end()):  # type: ignore[union-attr]
        yield match[0].upper()
        at = match.end()


def _registered(sql: str) -> tuple[Callable[[str], Kind], Perform] | None:
    # The longest first: `SHOW CREATE TABLE` before `SHOW`.
    words = first_words(sql)
    beginnings = (words[:length] for length in range(len(words), 0, -1))
    return next((_STATEMENTS[words] for words in beginnings if words in _STATEMENTS), None)
