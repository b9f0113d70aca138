"""Errors that a running query raises: SQL that fails with a message of Athena's."""

from __future__ import annotations

from typing import NoReturn

from etltctl.local.services.athena.dialect.errors import QueryError
from etltctl.local.services.athena.dialect.trino_types import VARCHAR, Type, literal
from etltctl.local.services.athena.dialect.values import Udf


def failure(kind: Type, code: str, *parts: str) -> str:
    """Return SQL that ends the query with an error, for a branch of a CASE.

    A Python function raises it, for DuckDB's own `error()` is volatile and so not allowed inside TRY. The cast is
    needed: DuckDB evaluates a branch whose type is that of NULL for every row.

    Args:
        kind: the type of the CASE.
        code: Athena's name of the error.
        parts: SQL of the texts that make up the message.
    """
    message = " || ".join([literal(f"{code}: "), *(f"coalesce({part}, 'null')" for part in parts)])
    return f"CAST({FAIL.name}({message}) AS {kind.duckdb})"


def fail(message: str) -> NoReturn:
    """Raise the error of a message that begins with Athena's name of it."""
    code, _, words = message.partition(": ")
    raise QueryError(code, words)


FAIL = Udf("athena_fail", fail, (VARCHAR.duckdb,), VARCHAR.duckdb)
