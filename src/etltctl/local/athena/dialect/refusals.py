"""Errors that a running query raises: SQL that fails with a message of Athena's."""

from __future__ import annotations

from etltctl.local.athena.dialect.trino_types import literal


def failure(code: str, *parts: str) -> str:
    """Return SQL that ends the query with an error, for a branch of a CASE.

    It is a cast that cannot succeed, for DuckDB's own `error()` is volatile and so not allowed inside TRY. Its type
    is that of NULL, so it fits next to any other branch.

    Args:
        code: Athena's name of the error.
        parts: SQL of the texts that make up the message.
    """
    message = " || ".join([literal(f"{code}: "), *(f"coalesce({part}, 'null')" for part in parts)])
    return f"(CASE WHEN CAST(({message}) AS INTEGER) = 0 THEN NULL END)"
