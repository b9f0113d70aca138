"""Literals, constructors and names of types, as a statement writes them."""

from __future__ import annotations

import re

from sqlglot import exp

from etltctl.local.services.athena.dialect import casts
from etltctl.local.services.athena.dialect.arithmetic import negated
from etltctl.local.services.athena.dialect.casts import cast, common_type_of
from etltctl.local.services.athena.dialect.datetimes import LITERALS, interval_literal
from etltctl.local.services.athena.dialect.errors import QueryError, mismatch, place, syntax, unsupported
from etltctl.local.services.athena.dialect.expressions import Expressions, operator
from etltctl.local.services.athena.dialect.grammar import LITERAL
from etltctl.local.services.athena.dialect.parsing import FOREIGN_TYPE
from etltctl.local.services.athena.dialect.registry import Call, function
from etltctl.local.services.athena.dialect.trino_types import (
    BIGINT,
    BOOLEAN,
    DOUBLE,
    INTEGER,
    PLAIN,
    UNKNOWN,
    VARBINARY,
    Type,
    array,
    decimal,
    map_of,
    row,
    varchar,
    zoned,
)
from etltctl.local.services.athena.dialect.values import Value
from etltctl.values import quoted_text

DECIMAL = re.compile(r"([+-]?)(\d*)(?:\.(\d*))?")


def text(value: str) -> Value:
    """Return a varchar literal; its type has its length."""
    return Value(quoted_text(value), varchar(len(value)), value)


@operator(exp.Literal)
def _literal(compiler: Expressions, node: exp.Expr) -> Value:
    return text(node.name) if node.args["is_string"] else _number(node)


def _number(node: exp.Expr) -> Value:
    written = node.name.replace("_", "")
    if re.fullmatch(r"\d+", written):
        return _whole_number(int(written), node)
    if "e" in written.lower():
        return Value(f"CAST('{float(written)!r}' AS DOUBLE)", DOUBLE, float(written))
    return _decimal(written, node)


@operator(exp.Neg)
def _negative(compiler: Expressions, node: exp.Expr) -> Value:
    # Trino reads the sign as a part of the literal: -2147483648 is an integer, and 2147483648 is a bigint.
    written = node.this.name.replace("_", "") if isinstance(node.this, exp.Literal) else ""
    if written.isdigit() and not node.this.is_string:
        return _whole_number(-int(written), node)
    return negated(compiler.value(node.this), node)


def _whole_number(number: int, node: exp.Expr) -> Value:
    """Return an integer literal: an integer if it fits into 32 bits, else a bigint."""
    if not -(2**63) <= number < 2**63:
        raise syntax(f"Invalid numeric literal: {number}", node)
    kind = INTEGER if -(2**31) <= number < 2**31 else BIGINT
    written = str(number) if number >= 0 else f"({number})"
    return Value(f"CAST({number} AS {kind.duckdb})" if kind == BIGINT else written, kind, number)


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
    # `1.50` is decimal(3,2): every digit counts, and zeros before the first do not.
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
    value = compiler.value(node.this)
    return cast(value, of_node(node.args["to"]), compiler, node, is_try=isinstance(node, exp.TryCast))


def _typed(compiler: Expressions, node: exp.Cast) -> Value:
    """Translate `date '…'` and its like, whose text is checked when the query is read."""
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
        # DuckDB's empty list has no type; Trino's is array(unknown), which fits every array.
        return Value("CAST([] AS VARCHAR[])", array(UNKNOWN))
    kind = common_type_of(values, "All ARRAY elements", node)
    elements = ", ".join(casts.coerced(value, kind).sql for value in values)
    return Value(
        f"[{elements}]" if not kind.is_("unknown") else f"CAST([{elements}] AS VARCHAR[])", array(kind)
    )


@operator(exp.Tuple)
def _tuple(compiler: Expressions, node: exp.Expr) -> Value:
    return row_of([compiler.value(item) for item in node.expressions])


def row_of(values: list[Value]) -> Value:
    """Return ROW of the values."""
    # DuckDB's row() has no names for its fields; a struct has.
    kind = row(tuple((None, value.type) for value in values))
    parts = ", ".join(
        f"{name} := {'CAST(NULL AS VARCHAR)' if value.type.is_('unknown') else value.sql}"
        for name, value in zip(kind.field_names, values, strict=True)
    )
    return Value(f"struct_pack({parts})", kind)


@function("row")
def _row(call: Call) -> Value:
    return row_of(list(call.args))


NAMES = {
    "INT": "integer",
    "FLOAT": "real",
    "STRUCT": "row",
    "TIMESTAMPTZ": "timestamp with time zone",
    "TIMESTAMPLTZ": "timestamp with time zone",
    "TIMETZ": "time with time zone",
    "TEXT": "string",
    "NCHAR": "nchar",
}


def of_node(node: exp.Expr) -> Type:
    """Return the type that a statement names.

    Raises:
        QueryError: TYPE_MISMATCH if Trino has no such type, NOT_SUPPORTED if the embedded Athena lacks it.
    """
    if not isinstance(node, exp.DataType):
        raise mismatch(f"Unknown type: {node.sql()}", node)
    if (word := node.meta.get(FOREIGN_TYPE)) is not None:
        raise mismatch(f"Unknown type: {word}", node)
    name = NAMES.get(node.this.name, node.this.name.lower())
    inner = list(node.expressions)
    if name in ("array", "map"):
        kinds = [of_node(item) for item in inner]
        if len(kinds) != {"array": 1, "map": 2}[name]:
            raise mismatch(f"Unknown type: {name}", node)
        return array(kinds[0]) if name == "array" else map_of(kinds[0], kinds[1])
    if name == "row":
        return row(tuple(_field(item) for item in inner))
    numbers = [
        int(item.this.name)
        for item in inner
        if isinstance(item, exp.DataTypeParam) and item.this.name.isdigit()
    ]
    return _sized(name, numbers, node)


def _sized(name: str, numbers: list[int], node: exp.Expr) -> Type:
    if name == "decimal":
        # `decimal` alone is decimal(38,0) in Trino and decimal(18,3) in DuckDB.
        precision, scale = [*numbers, 0][:2] if numbers else (38, 0)
        if not 1 <= precision <= 38 or scale > precision:
            raise QueryError(
                "INVALID_FUNCTION_ARGUMENT",
                f"{place(node)}: DECIMAL precision must be in range [1, 38]: {precision}",
            )
        return decimal(precision, scale)
    if name in ("timestamp", "timestamp with time zone", "time"):
        precision = numbers[0] if numbers else 3
        # Trino goes down to picoseconds. DuckDB stops at microseconds.
        if precision > 6:
            raise unsupported(f"{name}({precision})")
        return zoned(precision) if name == "timestamp with time zone" else Type(name, (precision,))
    if name in ("varchar", "char"):
        return Type(name, tuple(numbers[:1]) or ((1,) if name == "char" else ()))
    if name in ("time with time zone", "ipaddress"):
        raise unsupported(f"the type {name}")
    if name == "interval":
        raise unsupported("a cast to an interval")
    if name not in PLAIN or numbers:
        raise mismatch(f"Unknown type: {name}", node)
    return Type(name)


def _field(item: exp.Expr) -> tuple[str | None, Type]:
    if isinstance(item, exp.ColumnDef):
        return item.name, of_node(item.args["kind"])
    return None, of_node(item)
