"""The errors of a query, with Athena's error names and messages, raised here or by the SQL itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from sqlglot import exp

from etltctl.local.services.athena.dialect.trino_types import VARCHAR, Type
from etltctl.local.services.athena.dialect.values import Udf
from etltctl.values import quoted_text

if TYPE_CHECKING:
    from collections.abc import Iterable


class QueryError(Exception):
    """A query that cannot run. It carries Athena's error name and message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class MalformedQueryError(QueryError):
    """A text that Athena's grammar does not have. Athena refuses it at the start, so that no execution is made."""

    def __init__(self, message: str) -> None:
        super().__init__("SYNTAX_ERROR", message)


def place(node: exp.Expr | None) -> str:
    """Return `line L:C` of a node, or of the first part of it that knows its place."""
    for part in node.walk() if node is not None else ():
        if "line" in part.meta:
            # sqlglot counts the column at the end of a token, Athena at its beginning.
            column = part.meta["col"] - (part.meta.get("end", 0) - part.meta.get("start", 0))
            return f"line {part.meta['line']}:{max(column, 1)}"
    return "line 1:1"


def syntax(message: str, node: exp.Expr | None = None) -> QueryError:
    """Build the error of a statement that Athena's grammar does not have."""
    return MalformedQueryError(f"{place(node)}: {message}")


def mismatch(message: str, node: exp.Expr | None = None) -> QueryError:
    """Build the error of an operand or a result of a wrong type."""
    return QueryError("TYPE_MISMATCH", f"{place(node)}: {message}")


def unsupported(what: str) -> QueryError:
    """Build the error of a feature that Athena has and the embedded Athena lacks."""
    return QueryError("NOT_SUPPORTED", f"the embedded Athena does not support {what}")


def invalid_argument(message: str) -> QueryError:
    """Build the error of an argument that the function does not accept."""
    return QueryError("INVALID_FUNCTION_ARGUMENT", message)


def not_registered(name: str, node: exp.Expr | None = None) -> QueryError:
    """Build the error of a function that Athena does not have."""
    return QueryError("FUNCTION_NOT_FOUND", f"{place(node)}: Function '{name}' not registered")


def unexpected_parameters(
    name: str, types: Iterable[object], signatures: Iterable[str], node: exp.Expr | None = None
) -> QueryError:
    """Build the error of a function that is called with types that it does not take."""
    named = ", ".join(str(kind) for kind in types)
    expected = ", ".join(signatures)
    return QueryError(
        "FUNCTION_NOT_FOUND",
        f"{place(node)}: Unexpected parameters ({named}) for function {name}. Expected: {expected}",
    )


def failure(kind: Type, code: str, *parts: str) -> str:
    """Return SQL that ends the query with an error, for a branch of a CASE.

    A Python function raises it, for DuckDB's own `error()` is volatile and so not allowed inside TRY. The cast is
    needed: DuckDB evaluates a branch whose type is that of NULL for every row.

    Args:
        kind: the type of the CASE.
        code: Athena's error name.
        parts: the SQL of each part of the message, a text.
    """
    message = " || ".join([quoted_text(f"{code}: "), *(f"coalesce({part}, 'null')" for part in parts)])
    return f"CAST({FAIL.name}({message}) AS {kind.duckdb})"


def fail(message: str) -> NoReturn:
    """Raise the error of a message that begins with Athena's error name."""
    code, _, words = message.partition(": ")
    raise QueryError(code, words)


FAIL = Udf("athena_fail", fail, (VARCHAR.duckdb,), VARCHAR.duckdb)
