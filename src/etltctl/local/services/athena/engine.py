"""One statement on one DuckDB connection that can see the lake and nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

import duckdb
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from etltctl.local.services.athena import views
from etltctl.local.services.athena.dialect import (
    AthenaSql,
    QueryError,
    TableName,
    Target,
    Translation,
    Type,
    register,
    rendered,
    require_grammar,
    tables_of,
    translate,
)
from etltctl.local.services.athena.dialect.parsing import START
from etltctl.local.services.athena.iceberg.time_travel import travelled
from etltctl.local.services.athena.information_schema import is_metadata, metadata_table
from etltctl.local.services.athena.reads import Reads, reads_of
from etltctl.local.services.athena.sources import make_view
from etltctl.local.services.athena.sources.columnar import in_locations
from etltctl.local.services.athena.sources.table import CatalogTable, DataFile
from etltctl.local.services.athena.tables import Lake, find_table
from etltctl.values import quoted_text

MEMORY = "1GB"
Column = tuple[str, str, int, int]  # name, type, precision, scale
# An error that a translated query raises itself, in a Python function.
RAISED = re.compile(r"executing the UDF: QueryError: ([A-Z][A-Z_]{5,}): (.*?)(?:\n\n|$)", re.DOTALL)
# Words of DuckDB's errors, Athena's name for them, and Athena's message; without one, DuckDB's words stay.
NAMES = {
    "ivision by zero": ("DIVISION_BY_ZERO", "Division by zero"),
    "Overflow in": ("NUMERIC_VALUE_OUT_OF_RANGE", ""),
    # A Python function returned a number that its type does not hold, such as round(125, -1) of a tinyint.
    "Value out of range for type": ("NUMERIC_VALUE_OUT_OF_RANGE", ""),
    "More than one row returned by a subquery": (
        "SUBQUERY_MULTIPLE_ROWS",
        "Scalar sub-query has returned multiple rows",
    ),
    "aggregate function calls cannot be nested": ("NESTED_AGGREGATION", ""),
    "window function calls cannot be nested": ("NESTED_WINDOW", ""),
    "aggregate function calls cannot contain window function calls": ("NESTED_WINDOW", ""),
    "window functions are not allowed in window definitions": ("NESTED_WINDOW", ""),
    "clause cannot contain aggregates": ("EXPRESSION_NOT_SCALAR", ""),
    "clause cannot contain window functions": ("EXPRESSION_NOT_SCALAR", ""),
    "aggregates are not allowed inside the TRY expression": ("NOT_SUPPORTED", ""),
}


@dataclass(frozen=True)
class Answer:
    """Columns and rows as text, and the bytes of the files behind them."""

    columns: list[Column]
    rows: list[list[str | None]]
    scanned: int = 0
    manifest: tuple[str, ...] | None = None  # the URLs of the files that the statement wrote
    updated: int = 0  # rows that the statement wrote to a table
    subtype: str = ""  # SubstatementType, if the answer decides it


@dataclass(frozen=True)
class Prepared:
    """A query as DuckDB runs it, and the tables that it reads as its caller sees them."""

    translation: Translation
    tables: Sequence[CatalogTable]

    @property
    def files(self) -> list[DataFile]:
        """The files of the tables."""
        return [file for table in self.tables for file in table.files]


def run(
    query: exp.Expr,
    parameters: Sequence[str],
    database: str,
    engine: duckdb.DuckDBPyConnection,
    lake: Lake,
    on_plan: Callable[[int], None] | None = None,
) -> Answer:
    """Answer the statement; raise QueryError in Athena's words, AwsError for a refusal, or DuckDB's own error.

    `on_plan` hears how many bytes will be scanned before any is.
    """
    if views.is_statement(query):
        views.perform(query, database, lake.catalog, partial(_columns_of, database, lake))
        return Answer([], [])
    with answered(query, parameters, database, engine, lake, on_plan) as (done, translation, scanned):
        return answer_of(done, translation, scanned)


def answer_of(done: duckdb.DuckDBPyConnection, translation: Translation, scanned: int = 0) -> Answer:
    """Fetch the rows of an executed query, as text."""
    kinds = [kind for _, kind in translation.columns]
    rows = [
        [rendered(value, kind) for value, kind in zip(row, kinds, strict=True)] for row in done.fetchall()
    ]
    return Answer([_column(name, kind) for name, kind in translation.columns], rows, scanned)


@contextmanager
def answered(
    query: exp.Expr,
    parameters: Sequence[str],
    database: str,
    engine: duckdb.DuckDBPyConnection,
    lake: Lake,
    on_plan: Callable[[int], None] | None = None,
    target: Target | None = None,
) -> Iterator[tuple[duckdb.DuckDBPyConnection, Translation, int]]:
    """Yield the executed query, whose result is fetched inside the block, and the bytes of the files behind it."""
    prepared = prepare(query, parameters, database, lake, target)
    scanned = sum(file.size for file in prepared.files)
    if on_plan:
        on_plan(scanned)
    confine(engine, prepared.tables)
    with executed(prepared, engine) as done:
        yield done, prepared.translation, scanned


def prepare(
    query: exp.Expr, parameters: Sequence[str], database: str, lake: Lake, target: Target | None = None
) -> Prepared:
    """Translate a query, before any engine has to be there.

    Raises:
        QueryError: in Athena's words, if Athena refuses the query or the embedded one cannot answer it.
        AwsError: the caller may see nothing of a table.
    """
    if not isinstance(query, exp.Query | exp.Values):
        raise QueryError("NOT_SUPPORTED", f"the embedded Athena does not model {_statement(query)}")
    query = views.expanded(with_parameters(query, parameters), database, lake.catalog)
    query = travelled(query, partial(_constant, database, lake))
    reads = reads_of(query)
    tables = [_as_seen(name, lake, reads) for name in tables_of(query, database)]
    columns: dict[str, dict[str, dict[str, Type]]] = {}
    for table in tables:
        columns.setdefault(table.name.database, {})[table.name.name] = table.visible
    is_narrowed = any(table.parts is not None for table in tables)
    return Prepared(translate(query, database, columns, is_narrowed=is_narrowed, target=target), tables)


@contextmanager
def executed(prepared: Prepared, engine: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield the query as a confined engine has executed it; its result is fetched inside the block."""
    register(engine, prepared.translation.udfs)
    try:
        yield engine.execute(prepared.translation.sql)
    except duckdb.InterruptException:
        raise
    except duckdb.Error as error:
        raise in_athenas_words(error, in_locations(str(error), prepared.files)) from error


def _columns_of(database: str, lake: Lake, query: exp.Expr) -> list[tuple[str, Type]]:
    """Return the columns of a query's answer, which DuckDB accepts."""
    nothing = exp.select("*").from_(exp.Subquery(this=query.copy(), alias=exp.to_identifier("v"))).limit(0)
    with (
        duckdb.connect() as engine,
        answered(nothing, (), database, engine, lake, target=views.named_columns) as (_, translation, _),
    ):
        return list(translation.columns)


def _constant(database: str, lake: Lake, expression: exp.Expr) -> tuple[str | None, Type]:
    """Return the value of an expression that reads no table, as text, and its type."""
    with duckdb.connect() as engine:
        query = exp.select(expression.copy())
        with answered(query, (), database, engine, lake) as (done, translation, _):
            return answer_of(done, translation).rows[0][0], translation.columns[0][1]


def _as_seen(name: TableName, lake: Lake, reads: Reads) -> CatalogTable:
    """Return the table with what the caller sees of it; raise AwsError if that is nothing."""
    if is_metadata(name):
        return metadata_table(name, lake, reads)
    table = find_table(name, lake.catalog, lake.directory, reads.values_of(name.name))
    parts = lake.parts_of(table)
    # A row filter may read columns that the query does not name.
    columns = reads.columns if parts is None else None
    return replace(table, parts=parts, columns_read=columns, shows_paths=reads.has_paths)


def confine(engine: duckdb.DuckDBPyConnection, tables: Sequence[CatalogTable]) -> None:
    """Set the limits of a query, show it these tables, and let it read no other file of this machine from here on.

    The caller may read these tables. Whatever slips through the translation can reach no other file.
    """
    engine.execute(
        f"SET memory_limit = '{MEMORY}'; SET temp_directory = ''; SET threads = 2; SET TimeZone = 'UTC'"
    )
    for table in tables:
        make_view(table, engine)
    paths = [file.path for table in tables for file in table.files]
    engine.execute(f"SET allowed_paths = [{', '.join(map(quoted_text, paths))}]")
    engine.execute("SET enable_external_access = false; SET lock_configuration = true")


def with_parameters(query: exp.Expr, parameters: Sequence[str]) -> exp.Expr:
    """Return the query with each `?` replaced by its literal."""
    placeholders = list(query.find_all(exp.Placeholder))
    if len(placeholders) != len(parameters):
        raise QueryError(
            "INVALID_PARAMETER",
            f"the query has parameters: {len(placeholders)}; values given: {len(parameters)}",
        )
    query = query.copy()
    # A value belongs to the `?` that is written first, which a WITH or a subquery may hold.
    places = sorted(query.find_all(exp.Placeholder), key=lambda place: int(place.meta.get(START, 0)))
    for place, text in zip(places, parameters, strict=True):
        place.replace(_literal(text))
    return query


def _literal(text: str) -> exp.Expr:
    try:
        return require_grammar(sqlglot.parse_one(text, read=AthenaSql))
    except SqlglotError as error:
        raise QueryError("INVALID_PARAMETER", f"{text} is not a literal of SQL") from error


def _statement(query: exp.Expr) -> str:
    """Return the name of a statement as Athena's reference has it."""
    if isinstance(query, exp.Command):
        return " ".join([query.name, *query.text("expression").split()[:1]]).upper()
    if not isinstance(query, exp.Create | exp.Drop):
        return query.key.upper()
    words = f"{query.key} {query.kind}".upper()
    return f"{words} AS" if isinstance(query, exp.Create) and query.expression else words


def _column(name: str, kind: Type) -> Column:
    size = (kind.precision, kind.scale) if kind.is_("decimal") else (0, 0)
    return name, kind.name, *size


def in_athenas_words(error: duckdb.Error, text: str) -> QueryError:
    """Return DuckDB's error under Athena's name for it; `text` is its text, freed of this machine's paths."""
    if match := RAISED.search(text):
        return QueryError(match[1], match[2].strip())
    line = text.splitlines()[0]
    words = line.partition(": ")[2] or line
    if isinstance(error, duckdb.OutOfMemoryException) or "MemoryError" in line or "bad_alloc" in line:
        return QueryError("EXCEEDED_MEMORY_LIMIT", "Query exceeded the memory limit of the embedded Athena")
    for words_of_duckdb, (code, message) in NAMES.items():
        if words_of_duckdb in line:
            return QueryError(code, message or words)
    if isinstance(error, duckdb.OutOfRangeException):
        return QueryError("NUMERIC_VALUE_OUT_OF_RANGE", words)
    if "INT128" in line and "INT64" in line:
        return QueryError("NUMERIC_VALUE_OUT_OF_RANGE", "bigint addition overflow")
    if match := re.search(r'column "([^"]+)" must appear in the GROUP BY clause', line):
        # The translation names the columns of a subquery c0, c1, …: these names are not the caller's.
        name = "an expression" if re.fullmatch(r"c\d+", match[1]) else f"'{match[1]}'"
        return QueryError(
            "EXPRESSION_NOT_AGGREGATE",
            f"line 1:1: {name} must be an aggregate expression or appear in GROUP BY clause",
        )
    if isinstance(error, duckdb.ConversionException):
        return QueryError("INVALID_CAST_ARGUMENT", words)
    return QueryError("GENERIC_USER_ERROR", words)
