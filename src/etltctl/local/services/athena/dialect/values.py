"""Translated expressions (DuckDB's SQL with Trino's type), and the Python functions that they call."""

from __future__ import annotations

import hashlib
import inspect
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb

from etltctl.local.services.athena.dialect.trino_types import Type
from etltctl.values import quoted_text


class _Unknown:
    """The mark of a value that is not a constant."""


NOT_CONSTANT = _Unknown()


@dataclass(frozen=True)
class Value:
    """DuckDB's SQL of an expression, self-contained (a call, a name, or in parentheses), with Trino's type.

    `constant` is the Python value of a literal. `parts` are the SQL of the instant and of the zone of a timestamp
    with time zone, so that a comparison need not take a struct apart that was just put together.
    """

    sql: str
    type: Type
    constant: Any = field(default=NOT_CONSTANT, compare=False)
    parts: tuple[str, str] | None = field(default=None, compare=False)

    @property
    def is_constant(self) -> bool:
        """Whether the value is a literal."""
        return self.constant is not NOT_CONSTANT

    @property
    def instant(self) -> str:
        """The SQL of the instant in UTC of a timestamp with time zone."""
        return self.parts[0] if self.parts else f"struct_extract({self.sql}, 'at')"

    @property
    def zone(self) -> str:
        """The SQL of the zone of a timestamp with time zone."""
        return self.parts[1] if self.parts else f"struct_extract({self.sql}, 'zone')"

    @property
    def nan_least(self) -> str:
        """The SQL that orders the value with a NaN below every number, as Trino's max and NULLS FIRST do."""
        if not self.type.is_floating:
            return self.sql
        least = f"CAST('-infinity' AS {self.type.duckdb})"
        return f"(CASE WHEN isnan({self.sql}) THEN {least} ELSE {self.sql} END)"


@dataclass(frozen=True)
class Udf:
    """A Python function that a query calls, under a name that its types make unique."""

    name: str
    function: Callable[..., Any]
    parameters: tuple[str, ...]
    returns: str
    nulls: bool = False

    @classmethod
    def of(
        cls, function: Callable[..., Any], types: Sequence[Type], returns: Type, *, nulls: bool = False
    ) -> Udf:
        """Name the function for these types."""
        parameters = tuple(kind.duckdb for kind in types)
        # Two functions may share a name, and one function may be called with different types.
        text = "|".join((function.__module__, *parameters, returns.duckdb))
        mark = hashlib.sha256(text.encode()).hexdigest()[:8]
        name = f"athena_{function.__name__.strip('_')}_{mark}"
        return cls(name, function, parameters, returns.duckdb, nulls)

    def called(self) -> Callable[..., Any]:
        """Return the function as DuckDB calls it: a null among the values gives null, unless it takes nulls."""

        def calling(*values: Any) -> Any:
            if not self.nulls and any(value is None for value in values):
                return None
            answer = self.function(*values)
            return _with_texts(answer) if has_doubles else answer

        has_doubles = re.search(r"\b(DOUBLE|FLOAT)\b", self.returns) is not None
        # DuckDB counts the parameters of the signature.
        names = (f"value{index}" for index in range(len(self.parameters)))
        kind = inspect.Parameter.POSITIONAL_ONLY
        calling.__signature__ = inspect.Signature([inspect.Parameter(name, kind) for name in names])  # type: ignore[attr-defined]
        return calling


def member(sql: str, name: str) -> str:
    """Return the SQL of a struct's field; a field's name may hold quotes."""
    return f"struct_extract({sql}, {quoted_text(name)})"


def register(engine: duckdb.DuckDBPyConnection, udfs: Sequence[Udf]) -> None:
    """Register Python functions with a connection. A function that it already has stays as it is.

    DuckDB takes a NaN of Python for a null. So a function returns its doubles as texts, and a macro of the
    function's name reads the texts.
    """
    for udf in udfs:
        carried = re.sub(r"\b(DOUBLE|FLOAT)\b", "VARCHAR", udf.returns)
        name = udf.name if carried == udf.returns else f"{udf.name}_as_text"
        try:
            # DuckDB's own handling of nulls would refuse a function that returns one.
            engine.create_function(  # type: ignore[call-overload]
                name, udf.called(), list(udf.parameters), carried, null_handling="special"
            )
        except duckdb.NotImplementedException as error:
            if "already created" not in str(error):  # DuckDB's own list of its functions takes 40 ms to read
                raise
            continue
        if carried != udf.returns:
            arguments = ", ".join(f"value{index}" for index in range(len(udf.parameters)))
            engine.execute(
                f"CREATE TEMP MACRO {udf.name}({arguments}) AS CAST({name}({arguments}) AS {udf.returns})"
            )


def _with_texts(value: Any) -> Any:
    """Return a value with its doubles as texts, which keep a NaN on their way into DuckDB."""
    match value:
        case float():
            return repr(value)
        case list() | tuple():
            return [_with_texts(item) for item in value]
        case dict():
            return {_with_texts(key): _with_texts(item) for key, item in value.items()}
    return value
