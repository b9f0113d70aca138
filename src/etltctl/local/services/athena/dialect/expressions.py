"""Expressions: each node of the statement becomes DuckDB's SQL with Trino's type, or is refused.

`OPERATORS` holds what translates each kind of node. A kind without a translation is refused, so that nothing passes
into DuckDB without a rule.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sqlglot import exp

from etltctl.local.services.athena.dialect.errors import (
    mismatch,
    not_registered,
    syntax,
    unsupported,
)
from etltctl.local.services.athena.dialect.names import Scope
from etltctl.local.services.athena.dialect.registry import (
    FUNCTIONS,
    KNOWN,
    Call,
    Lambda,
    Modifiers,
    refuse_modifiers,
)
from etltctl.local.services.athena.dialect.trino_types import Type
from etltctl.local.services.athena.dialect.values import Udf, Value, member
from etltctl.values import quoted_name

if TYPE_CHECKING:
    from etltctl.local.services.athena.dialect.queries import Queries


Operator = Callable[["Expressions", exp.Expr], Value]
OPERATORS: dict[type[exp.Expr], Operator] = {}
# The parts of each kind of node that its handler knows, next to its operands. A part that a handler does not know
# must be refused, not dropped: `a NOT LIKE b` is a LIKE with the part `negate`.
PARTS: dict[type[exp.Expr], str] = {
    exp.Window: "alias order over partition_by spec",
    exp.Identifier: "quoted",
    exp.Column: "catalog db table",
    exp.Div: "safe typed",
    exp.Between: "high low symmetric",
    exp.In: "field query unnest",
    exp.Case: "default ifs",
    exp.If: "false true",
    exp.Like: "negate",
    exp.Literal: "is_string",
    exp.HexString: "is_integer",
    exp.UnicodeString: "escape",
    exp.Interval: "unit",
    exp.Cast: "to",
    exp.TryCast: "to safe",
    exp.Array: "bracket_notation",
    exp.Concat: "coalesce safe",
    exp.Bracket: "offset safe",
    exp.AtTimeZone: "zone",
    exp.JSONValue: "on_condition path returning",
    exp.JSONExtract: "json_query on_condition option quote",
    exp.JSONObject: "encoding null_handling return_type unique_keys",
    exp.JSONArray: "null_handling",
    exp.DPipe: "safe",
    exp.Trim: "collation position",
    exp.StrPosition: "occurrence position substr",
    exp.Substring: "length start",
    exp.Normalize: "form",
    exp.GroupConcat: "on_overflow separator",
}


def _refuse_unknown_parts(node: exp.Expr) -> None:
    if isinstance(node, exp.Subquery):
        return  # its clauses are those of a query
    known = {"this", "expression", "expressions", *PARTS.get(type(node), "").split()}
    for key, value in node.args.items():
        if value and key not in known:
            raise unsupported(f"{key.upper().strip('_')} of {node.key.upper()}")


def operator(*kinds: type[exp.Expr]) -> Callable[[Operator], Operator]:
    """Register what translates these kinds of node."""

    def registered(handler: Operator) -> Operator:
        for kind in kinds:
            OPERATORS[kind] = handler
        return handler

    return registered


@dataclass(frozen=True)
class Expressions:
    """The translator of the expressions of one query, which sees that query's columns."""

    scope: Scope
    queries: Queries
    variables: Mapping[str, Value] = field(default_factory=dict)
    modifiers: Modifiers = field(default_factory=Modifiers)

    @property
    def udfs(self) -> dict[str, Udf]:
        """The Python functions that the statement calls so far."""
        return self.queries.udfs

    def value(self, node: exp.Expr) -> Value:
        """Translate a node."""
        handler = OPERATORS.get(type(node))
        if handler is None:
            words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", type(node).__name__)
            raise unsupported(f"{words.upper()} here")
        _refuse_unknown_parts(node)
        return handler(self, node)

    def condition(self, node: exp.Expr, where: str = "WHERE clause") -> str:
        """Translate a node that has to be boolean, and return its SQL.

        Args:
            node: the condition.
            where: the subject of the error, such as "WHERE clause".

        Raises:
            QueryError: TYPE_MISMATCH if the node has another type.
        """
        value = self.value(node)
        if not value.type.is_("boolean", "unknown"):
            raise mismatch(f"{where} must evaluate to a boolean: actual type {value.type}", node)
        return value.sql

    def call(self, name: str, nodes: Sequence[exp.Expr], node: exp.Expr | None = None) -> Value:
        """Translate the call of a function.

        Args:
            name: the function's name in Athena, in any case.
            nodes: its arguments.
            node: the place of an error.

        Raises:
            QueryError: FUNCTION_NOT_FOUND if Athena has no such function, NOT_SUPPORTED if only Athena has it.
        """
        name = name.lower()
        handler = FUNCTIONS.get(name)
        if handler is None:
            # A function that Trino has is a gap of the embedded Athena; any other name is the caller's error.
            if name in KNOWN:
                raise unsupported(f"the function {name}")
            raise not_registered(name, node)
        refuse_modifiers(name, self.modifiers, node)
        inner = replace(self, modifiers=Modifiers())
        # The clauses belong to this call alone, not to the calls in its arguments.
        return handler(Call(name, nodes, inner, self.modifiers, node))

    def with_modifiers(self, **changes: object) -> Expressions:
        """Return a translator that passes these clauses to the call inside."""
        return replace(self, modifiers=replace(self.modifiers, **changes))  # type: ignore[arg-type]

    def lambda_(self, node: exp.Lambda, types: Sequence[Type]) -> Lambda:
        """Translate a lambda whose parameters have these types."""
        variables = dict(self.variables)
        names: list[str] = []
        for parameter, kind in zip(node.expressions, types, strict=True):
            # The depth makes the name unique: DuckDB would take an equal name for the outer lambda's parameter.
            name = quoted_name(f"{parameter.name.lower()}_{len(self.variables)}_{len(names)}")
            names.append(name)
            variables[parameter.name.lower()] = Value(name, kind)
        body = replace(self, variables=variables, modifiers=Modifiers()).value(node.this)
        return Lambda(f"lambda {', '.join(names)}: {body.sql}", body.type)


@operator(exp.Anonymous)
def _anonymous(compiler: Expressions, node: exp.Expr) -> Value:
    if isinstance(node.this, exp.Identifier) and node.this.args.get("quoted"):
        return compiler.call(node.this.name, node.expressions, node)
    nodes = list(node.expressions)
    # `count(*)` counts rows, which is the call without an argument.
    if len(nodes) == 1 and isinstance(nodes[0], exp.Star):
        nodes = []
    return _with_inner_modifiers(compiler, str(node.name), nodes, node)


def _with_inner_modifiers(compiler: Expressions, name: str, nodes: list[exp.Expr], node: exp.Expr) -> Value:
    """Take DISTINCT and ORDER BY out of the arguments: sqlglot wraps them around one."""
    inner = replace(compiler, modifiers=Modifiers())
    if nodes and isinstance(nodes[-1], exp.Order):
        ordered = nodes[-1]
        compiler = compiler.with_modifiers(order=inner.queries.order_keys(ordered, inner))
        nodes = [*nodes[:-1], *([ordered.this] if ordered.this is not None else [])]
    if nodes and isinstance(nodes[0], exp.Distinct):
        compiler = compiler.with_modifiers(distinct=True)
        nodes = [*nodes[0].expressions, *nodes[1:]]
    return compiler.call(name, nodes, node)


@operator(exp.Filter)
def _filter(compiler: Expressions, node: exp.Expr) -> Value:
    condition = replace(compiler, modifiers=Modifiers()).condition(node.expression.this, "FILTER clause")
    return compiler.with_modifiers(filter=condition).value(node.this)


@operator(exp.IgnoreNulls, exp.RespectNulls)
def _nulls(compiler: Expressions, node: exp.Expr) -> Value:
    words = "IGNORE NULLS" if isinstance(node, exp.IgnoreNulls) else "RESPECT NULLS"
    return compiler.with_modifiers(nulls=words).value(node.this)


@operator(exp.Window)
def _window(compiler: Expressions, node: exp.Expr) -> Value:
    inner = replace(compiler, modifiers=Modifiers())
    return compiler.with_modifiers(over=compiler.queries.window(node, inner)).value(node.this)


@operator(exp.Paren)
def _paren(compiler: Expressions, node: exp.Expr) -> Value:
    return compiler.value(node.this)


@operator(exp.Identifier)
def _variable(compiler: Expressions, node: exp.Expr) -> Value:
    return _column_path(compiler, [node.name], node)


@operator(exp.Column)
def _column(compiler: Expressions, node: exp.Expr) -> Value:
    if isinstance(node.this, exp.Star):
        raise syntax("mismatched input '*'", node)
    return _column_path(compiler, [part.name for part in getattr(node, "parts", ())], node)


def _column_path(compiler: Expressions, parts: list[str], node: exp.Expr) -> Value:
    """Resolve `catalog.database.table.column.field…`: the longest name of a column that exists, then its fields."""
    # The parameter of a lambda hides a column of the same name.
    if (variable := compiler.variables.get(parts[0].lower())) is not None:
        return _fields(variable, parts[1:], node)
    value, rest = compiler.scope.resolve(parts, node)
    return _fields(value, rest, node)


def _fields(value: Value, names: Sequence[str], node: exp.Expr) -> Value:
    for name in names:
        value = field_of(value, name, node)
    return value


def field_of(value: Value, name: str, node: exp.Expr | None = None) -> Value:
    """Return a field of a row."""
    if not value.type.is_("row"):
        raise mismatch(f"Expression is not of type ROW: {value.type}", node)
    for index, known in enumerate(value.type.fields):
        if known is not None and known.lower() == name.lower():
            held = value.type.field_names[index]
            return Value(member(value.sql, held), value.type.inner(index))
    raise mismatch(f"Field '{name}' does not exist in {value.type}", node)


@operator(exp.Dot)
def _dot(compiler: Expressions, node: exp.Expr) -> Value:
    return field_of(compiler.value(node.this), node.expression.name, node)


@operator(exp.Subquery)
def _subquery(compiler: Expressions, node: exp.Expr) -> Value:
    inner = compiler.queries.query(node, compiler.scope)
    if len(inner.columns) != 1:
        raise mismatch("Multiple columns returned by subquery are not yet supported.", node)
    return Value(f"({inner.sql})", inner.columns[0].type)


@operator(exp.Exists)
def _exists(compiler: Expressions, node: exp.Expr) -> Value:
    inner = compiler.queries.query(node.this, compiler.scope)
    return Value(f"EXISTS ({inner.sql})", Type("boolean"))
