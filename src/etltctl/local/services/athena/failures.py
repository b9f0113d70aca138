"""DuckDB's errors in Athena's words."""

from __future__ import annotations

import re

import duckdb

from etltctl.local.services.athena.dialect import QueryError

# An error that a translated query raises itself, in a Python function.
RAISED = re.compile(r"executing the UDF: QueryError: ([A-Z][A-Z_]{5,}): (.*?)(?:\n\n|$)", re.DOTALL)


def in_athenas_words(error: duckdb.Error, text: str) -> QueryError:
    """Return DuckDB's error under Athena's name for it; `text` is its text, freed of this machine's paths."""
    if found := RAISED.search(text):
        return QueryError(found[1], found[2].strip())
    line = text.splitlines()[0]
    words = line.partition(": ")[2] or line
    if isinstance(error, duckdb.OutOfMemoryException) or "MemoryError" in line or "bad_alloc" in line:
        return QueryError("EXCEEDED_MEMORY_LIMIT", "Query exceeded the memory limit of the embedded Athena")
    if "ivision by zero" in line:
        return QueryError("DIVISION_BY_ZERO", "Division by zero")
    if "Overflow in" in line or isinstance(error, duckdb.OutOfRangeException):
        return QueryError("NUMERIC_VALUE_OUT_OF_RANGE", words)
    if "INT128" in line and "INT64" in line:
        return QueryError("NUMERIC_VALUE_OUT_OF_RANGE", "bigint addition overflow")
    if found := re.search(r'column "([^"]+)" must appear in the GROUP BY clause', line):
        # The translation names the columns of a subquery c0, c1, …: these names are not the caller's.
        name = "an expression" if re.fullmatch(r"c\d+", found[1]) else f"'{found[1]}'"
        return QueryError(
            "EXPRESSION_NOT_AGGREGATE",
            f"line 1:1: {name} must be an aggregate expression or appear in GROUP BY clause",
        )
    if "More than one row returned by a subquery" in line:
        return QueryError("SUBQUERY_MULTIPLE_ROWS", "Scalar sub-query has returned multiple rows")
    if isinstance(error, duckdb.ConversionException):
        return QueryError("INVALID_CAST_ARGUMENT", words)
    return QueryError("GENERIC_USER_ERROR", words)
