"""The functions that the embedded Athena has, and the call that a function translates.

A family of functions registers each by its name in Athena:

    simple("upper(varchar) -> varchar", "upper({0})")

    @function("typeof")
    def typeof(call: Call) -> Value: ...

A name that no family registers is refused: by FUNCTION_NOT_FOUND if Athena has no such function, by NOT_SUPPORTED
if Athena has it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from etltctl.local.services.athena.dialect import casts
from etltctl.local.services.athena.dialect.errors import QueryError, place, unexpected_parameters
from etltctl.local.services.athena.dialect.trino_types import UNKNOWN, Type, split_top
from etltctl.local.services.athena.dialect.values import Udf, Value

if TYPE_CHECKING:
    from etltctl.local.services.athena.dialect.expressions import Expressions


# Trino's functions by name. One that no family registers is refused as NOT_SUPPORTED instead of
# FUNCTION_NOT_FOUND.
KNOWN = frozenset(Path(__file__).with_name("trino_functions.txt").read_text("utf-8").split())


@dataclass(frozen=True)
class Bound:
    """A signature whose letters are bound to the types of one call. `cost` counts the coercions."""

    parameters: tuple[Type, ...]
    returns: Type
    cost: int


@dataclass(frozen=True)
class Signature:
    """A function's name, parameters and result. A capital letter is any type: the same for the same letter."""

    name: str
    parameters: tuple[Type, ...]
    returns: Type

    @classmethod
    def of(cls, text: str) -> Signature:
        """Read `name(type, …) -> type`."""
        match = re.fullmatch(r"(\w+)\((.*)\) -> (.+)", text)
        assert match is not None, text
        parameters = split_top(match[2]) if match[2].strip() else []
        return cls(match[1], tuple(_type(part) for part in parameters), _type(match[3]))

    def bound(self, types: Sequence[Type]) -> Bound | None:
        """Return the signature as it is for these argument types, or None if it does not take them."""
        if len(types) != len(self.parameters):
            return None
        letters: dict[str, Type] = {}
        for parameter, kind in zip(self.parameters, types, strict=True):
            if not _unify(parameter, kind, letters):
                return None
        parameters = tuple(_filled(parameter, letters) for parameter in self.parameters)
        cost = 0
        for kind, parameter in zip(types, parameters, strict=True):
            if not casts.is_coercible(kind, parameter):
                return None
            cost += casts.coercion_cost(kind, parameter)
        return Bound(parameters, _filled(self.returns, letters), cost)


def _type(text: str) -> Type:
    text = text.strip()
    if match := re.fullmatch(r"(array|map)\((.*)\)", text):
        return Type(match[1], tuple(_type(part) for part in split_top(match[2])))
    if match := re.fullmatch(r"timestamp(?:\((\d)\))?( with time zone)?", text):
        return Type(f"timestamp{match[2] or ''}", (int(match[1] or 3),))
    if match := re.fullmatch(r"(\w+)\(([\d, ]+)\)", text):
        return Type(match[1], tuple(int(part) for part in match[2].split(",")))
    return Type(text)


def _unify(parameter: Type, kind: Type, letters: dict[str, Type]) -> bool:
    """Bind each letter to a type, and widen it if the letter is used for two types."""
    if len(parameter.name) == 1:
        common = casts.common_type(letters.get(parameter.name, UNKNOWN), kind)
        if common is None:
            return False
        letters[parameter.name] = common
        return True
    # `map(K, V)` binds K and V to the types inside the map of the call.
    if parameter.is_("array", "map") and kind.name == parameter.name:
        return all(_unify(a, b, letters) for a, b in zip(parameter.inners, kind.inners, strict=True))
    return True


def _filled(kind: Type, letters: dict[str, Type]) -> Type:
    if len(kind.name) == 1:
        return letters.get(kind.name, UNKNOWN)
    if kind.is_("array", "map"):
        return Type(kind.name, tuple(_filled(inner, letters) for inner in kind.inners))
    return kind


@dataclass(frozen=True)
class Modifiers:
    """The clauses of a call: DISTINCT, ORDER BY, FILTER, OVER, IGNORE NULLS."""

    distinct: bool = False
    order: str = ""
    filter: str = ""
    over: str = ""
    nulls: str = ""


@dataclass(frozen=True)
class Lambda:
    """A translated lambda: DuckDB's SQL and the type of its result."""

    sql: str
    type: Type


@dataclass(frozen=True)
class Call:
    """A call of a function: its name, its arguments as they were written, and their translator."""

    name: str
    nodes: Sequence[exp.Expr]
    compiler: Expressions
    modifiers: Modifiers = field(default_factory=Modifiers)
    node: exp.Expr | None = None

    @cached_property
    def args(self) -> tuple[Value, ...]:
        """The translated arguments, without those that are lambdas."""
        return tuple(self.compiler.value(node) for node in self.nodes if not isinstance(node, exp.Lambda))

    @property
    def types(self) -> tuple[Type, ...]:
        """The types of the arguments, without those that are lambdas."""
        return tuple(value.type for value in self.args)

    def lambda_(self, index: int, *types: Type) -> Lambda:
        """Translate the lambda at a position; its parameters have these types."""
        node = self.nodes[index]
        if not isinstance(node, exp.Lambda) or len(node.expressions) != len(types):
            raise self.unexpected()
        return self.compiler.lambda_(node, types)

    def to(self, index: int, kind: Type) -> Value:
        """Return an argument coerced to a type; refuse the call if Trino does not coerce it."""
        if index >= len(self.args) or not casts.is_coercible(self.args[index].type, kind):
            raise self.unexpected()
        return casts.coerced(self.args[index], kind)

    def expect(self, *counts: int) -> None:
        """Refuse the call if it has another number of arguments."""
        if len(self.nodes) not in counts:
            raise self.unexpected()

    def unexpected(self, *signatures: str) -> QueryError:
        """Build the error of a call with types that the function does not take."""
        expected = signatures or tuple(SIGNATURES.get(self.name, (self.name,)))
        return unexpected_parameters(self.name, self.types, expected, self.node)

    def python(
        self, function: Callable[..., Any], *values: Value, returns: Type, nulls: bool = False
    ) -> Value:
        """Call a Python function for every row.

        Args:
            function: takes the values as DuckDB passes them to Python. An error that it raises ends the query. A
                QueryError keeps its name.
            values: the arguments.
            returns: the type of the result.
            nulls: whether the function is called for nulls; if not, the result of a null is null.
        """
        udf = Udf.of(function, [value.type for value in values], returns, nulls=nulls)
        self.compiler.udfs[udf.name] = udf
        return Value(f"{udf.name}({', '.join(value.sql for value in values)})", returns)

    def aggregate(self, name: str, *arguments: str, distinct: bool = True, order: bool = True) -> str:
        """Return DuckDB's aggregate or window function with the clauses of the call.

        Args:
            name: the function's name in DuckDB.
            arguments: their SQL.
            distinct: whether to pass DISTINCT on.
            order: whether to pass ORDER BY on.
        """
        modifiers = self.modifiers
        first = "DISTINCT " if modifiers.distinct and distinct else ""
        ordered = f" ORDER BY {modifiers.order}" if modifiers.order and order else ""
        nulls = f" {modifiers.nulls}" if modifiers.nulls else ""
        filtered = f" FILTER (WHERE {modifiers.filter})" if modifiers.filter else ""
        over = f" OVER {modifiers.over}" if modifiers.over else ""
        return f"{name}({first}{', '.join(arguments)}{ordered}{nulls}){filtered}{over}"


Handler = Callable[[Call], Value]
FUNCTIONS: dict[str, Handler] = {}
AGGREGATES: set[str] = set()
NULL_TREATMENT = ("first_value", "last_value", "nth_value", "lag", "lead")  # these may have IGNORE NULLS
SIGNATURES: dict[str, list[str]] = {}
_OVERLOADS: dict[str, list[tuple[Signature, str | Callable[..., Any]]]] = {}


def refuse_modifiers(name: str, modifiers: Modifiers, node: exp.Expr | None) -> None:
    """Refuse the clauses of an aggregate around another function, and those that Trino's windows lack."""
    if name not in AGGREGATES:
        if modifiers.over:
            raise QueryError("FUNCTION_NOT_WINDOW", f"{place(node)}: Not a window function: {name}")
        if modifiers.distinct or modifiers.filter or modifiers.order or modifiers.nulls:
            word = "DISTINCT" if modifiers.distinct else "Filter" if modifiers.filter else "ORDER BY"
            raise QueryError(
                "FUNCTION_NOT_AGGREGATE", f"{place(node)}: {word} is only valid for aggregation functions"
            )
    if modifiers.nulls and name not in NULL_TREATMENT:
        words = f"Cannot specify null treatment clause for {name} function"
        raise QueryError("NULL_TREATMENT_NOT_ALLOWED", f"{place(node)}: {words}")
    if modifiers.over and (modifiers.distinct or modifiers.order):
        word = (
            "DISTINCT in window function parameters"
            if modifiers.distinct
            else "Window function with ORDER BY"
        )
        raise QueryError("NOT_SUPPORTED", f"{place(node)}: {word} not yet supported")


def function(*names: str, aggregate: bool = False) -> Callable[[Handler], Handler]:
    """Register the translation of a function.

    Args:
        names: the function's names in Athena.
        aggregate: whether it is an aggregate or a window function, which may have DISTINCT, FILTER and OVER.
    """

    def registered(handler: Handler) -> Handler:
        for name in names:
            FUNCTIONS[name] = handler
            if aggregate:
                AGGREGATES.add(name)
        return handler

    return registered


def simple(signature: str, how: str | Callable[..., Any]) -> None:
    """Register an overload of a function.

    Args:
        signature: as in `split_part(varchar, varchar, bigint) -> varchar`; a single capital letter is any type.
        how: a template of DuckDB's SQL with the arguments as {0}, {1}, or a Python function.
    """
    parsed = Signature.of(signature)
    _OVERLOADS.setdefault(parsed.name, []).append((parsed, how))
    SIGNATURES.setdefault(parsed.name, []).append(signature.partition(" -> ")[0])
    FUNCTIONS[parsed.name] = _overloaded


def _overloaded(call: Call) -> Value:
    """Call the overload that takes the arguments with the fewest coercions."""
    # Of is_nan(double) and is_nan(real), `is_nan(real '1')` takes the second, although a real can be a double.
    matches = []
    for signature, how in _OVERLOADS[call.name]:
        bound = signature.bound(call.types)
        if bound is not None:
            matches.append((bound.cost, bound, how))
    if not matches or len(call.args) != len(call.nodes):
        raise call.unexpected()
    _, bound, how = min(matches, key=lambda match: match[0])
    values = [casts.coerced(v, kind) for v, kind in zip(call.args, bound.parameters, strict=True)]
    if callable(how):
        return call.python(how, *values, returns=bound.returns)
    return Value(f"({how.format(*(value.sql for value in values))})", bound.returns)
