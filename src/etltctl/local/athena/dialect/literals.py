"""Literals and constructors, with the types that Trino gives them."""

from __future__ import annotations

import re

from sqlglot import exp

from etltctl.local.athena.dialect import coercion
from etltctl.local.athena.dialect.casts import cast, of_node
from etltctl.local.athena.dialect.errors import QueryError, place, syntax
from etltctl.local.athena.dialect.expressions import Expressions, operator
from etltctl.local.athena.dialect.moments import LITERALS, interval_literal
from etltctl.local.athena.dialect.operators import common_of
from etltctl.local.athena.dialect.parsing import LITERAL
from etltctl.local.athena.dialect.trino_types import (
    BIGINT,
    BOOLEAN,
    DOUBLE,
    INTEGER,
    UNKNOWN,
    VARBINARY,
    array,
    decimal,
    literal,
    row,
    varchar,
)
from etltctl.local.athena.dialect.values import Value

DECIMAL = re.compile(r"([+-]?)(\d*)(?:\.(\d*))?")


def text(value: str) -> Value:
    """Return a varchar literal; its type has its length."""
    return Value(literal(value), varchar(len(value)), value)


@operator(exp.Literal)
def _literal(compiler: Expressions, node: exp.Expr) -> Value:
    return text(node.name) if node.args["is_string"] else _number(node)


def _number(node: exp.Expr) -> Value:
    written = node.name.replace("_", "")
    if re.fullmatch(r"\d+", written):
        number = int(written)
        if number > 2**63:
            raise syntax(f"Invalid numeric literal: {written}", node)
        kind = INTEGER if number < 2**31 else BIGINT
        return Value(f"CAST({number} AS {kind.duckdb})" if kind == BIGINT else str(number), kind, number)
    if "e" in written.lower():
        return Value(f"CAST('{float(written)!r}' AS DOUBLE)", DOUBLE, float(written))
    return _decimal(written, node)


def _decimal(written: str, node: exp.Expr) -> Value:
    match = DECIMAL.fullmatch(written)
    if match is None or not (match[2] or match[3]):
        raise QueryError("INVALID_LITERAL", f"{place(node)}: '{written}' is not a valid DECIMAL literal")
    sign, whole, fraction = match[1], match[2].lstrip("0"), match[3] or ""
    if not whole and not fraction:
        whole = "0"
    precision = max(len(whole) + len(fraction), 1)
    if precision > 38:
        raise QueryError("INVALID_LITERAL", f"{place(node)}: '{written}' is not a valid DECIMAL literal")
    kind = decimal(precision, len(fraction))
    return Value(f"CAST('{sign}{whole or '0'}.{fraction or '0'}' AS {kind.duckdb})", kind)


@operator(exp.Boolean)
def _boolean(compiler: Expressions, node: exp.Expr) -> Value:
    return Value("true" if node.this else "false", BOOLEAN, bool(node.this))


@operator(exp.Null)
def _null(compiler: Expressions, node: exp.Expr) -> Value:
    return Value("NULL", UNKNOWN)


@operator(exp.HexString)
def _hexadecimal(compiler: Expressions, node: exp.Expr) -> Value:
    digits = re.sub(r"\s", "", str(node.this))
    if len(digits) % 2 or not re.fullmatch(r"[0-9a-fA-F]*", digits):
        raise syntax("Binary literal must contain an even number of hexadecimal digits", node)
    return Value(f"unhex('{digits}')", VARBINARY)


@operator(exp.UnicodeString)
def _unicode(compiler: Expressions, node: exp.Expr) -> Value:
    escape = node.args.get("escape")
    mark = escape.name if isinstance(escape, exp.Expr) else "\\"
    pattern = re.compile(
        re.escape(mark) + r"(?:\+([0-9a-fA-F]{6})|([0-9a-fA-F]{4})|(" + re.escape(mark) + "))"
    )

    def shown(match: re.Match[str]) -> str:
        return mark if match[3] else chr(int(match[1] or match[2], 16))

    return text(pattern.sub(shown, str(node.this)))


@operator(exp.Interval)
def _interval(compiler: Expressions, node: exp.Expr) -> Value:
    return interval_literal(node)


@operator(exp.Cast, exp.TryCast)
def _cast(compiler: Expressions, node: exp.Expr) -> Value:
    assert isinstance(node, exp.Cast)
    if node.meta.get(LITERAL):
        return _typed(compiler, node)
    if any(node.args.get(key) for key in ("format", "action", "default")):
        raise syntax("mismatched input in CAST", node)
    value = compiler.value(node.this)
    return cast(value, of_node(node.args["to"]), compiler, node, is_try=isinstance(node, exp.TryCast))


def _typed(compiler: Expressions, node: exp.Cast) -> Value:
    """Translate `date '…'` and its like, whose text is checked when the query is read."""
    if not isinstance(node.this, exp.Literal) or not node.this.is_string:
        raise syntax("mismatched input", node)
    name = node.args["to"].this.name
    written = node.this.name
    if name == "DECIMAL":
        return _decimal(written.strip(), node)
    for prefix, read in LITERALS.items():
        if name.startswith(prefix):
            return read(written, node)
    kind = of_node(node.args["to"])
    return cast(text(written), kind, compiler, node)


@operator(exp.Array)
def _array(compiler: Expressions, node: exp.Expr) -> Value:
    values = [compiler.value(item) for item in node.expressions]
    if not values:
        return Value("CAST([] AS VARCHAR[])", array(UNKNOWN))
    kind = common_of(values, "All ARRAY elements", node)
    elements = ", ".join(coercion.coerced(value, kind).sql for value in values)
    return Value(
        f"[{elements}]" if not kind.is_("unknown") else f"CAST([{elements}] AS VARCHAR[])", array(kind)
    )


@operator(exp.Tuple)
def _tuple(compiler: Expressions, node: exp.Expr) -> Value:
    return row_of([compiler.value(item) for item in node.expressions])


def row_of(values: list[Value]) -> Value:
    """Return ROW of the values."""
    kind = row(tuple((None, value.type) for value in values))
    parts = ", ".join(
        f"{name} := {'CAST(NULL AS VARCHAR)' if value.type.is_('unknown') else value.sql}"
        for name, value in zip(kind.field_names, values, strict=True)
    )
    return Value(f"struct_pack({parts})", kind)


@operator(exp.Concat)
def _two_literals(compiler: Expressions, node: exp.Expr) -> Value:
    """Refuse two literals next to each other, which sqlglot joins as MySQL does."""
    raise syntax("mismatched input. Expecting: ',', <EOF>", node)


@operator(exp.Bracket)
def _subscript(compiler: Expressions, node: exp.Expr) -> Value:
    from etltctl.local.athena.dialect.functions.subscripts import subscript

    if len(node.expressions) != 1 or isinstance(node.expressions[0], exp.Slice):
        raise syntax("mismatched input ':'", node)
    return subscript(compiler.value(node.this), compiler.value(node.expressions[0]), node, compiler)
