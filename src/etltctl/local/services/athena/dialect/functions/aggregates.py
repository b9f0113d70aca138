"""Aggregates that DuckDB computes by itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sqlglot import exp

from etltctl.local.services.athena.dialect.errors import (
    QueryError,
    invalid_argument,
    unsupported,
)
from etltctl.local.services.athena.dialect.expressions import Expressions, operator
from etltctl.local.services.athena.dialect.registry import Call, Handler, Modifiers, function
from etltctl.local.services.athena.dialect.trino_types import (
    BIGINT,
    BOOLEAN,
    DOUBLE,
    INTEGER,
    Type,
    array,
    decimal,
)
from etltctl.local.services.athena.dialect.values import Value


def aggregate(*names: str) -> Callable[[Handler], Handler]:
    """Register an aggregate."""
    return function(*names, aggregate=True)


def modified(call: Call, **changes: object) -> Call:
    """Return the call with other clauses."""
    return replace(call, modifiers=replace(call.modifiers, **changes))  # type: ignore[arg-type]


def filtered(call: Call, condition: str) -> Call:
    """Return the call with one more condition in its FILTER."""
    current = call.modifiers.filter
    return modified(call, filter=f"({current}) AND {condition}" if current else condition)


@aggregate("count")
def _count(call: Call) -> Value:
    call.expect(0, 1)
    arguments = (call.args[0].sql,) if call.nodes else ("*",)
    if call.nodes and call.modifiers.distinct:
        _refuse_unhashed(call, call.types[0])
        # Two times of one instant in different zones are one value in Trino.
        arguments = (_key(call.args[0]),)
    return Value(f"CAST({call.aggregate('count', *arguments)} AS BIGINT)", BIGINT)


@aggregate("count_if")
def _count_if(call: Call) -> Value:
    call.expect(1)
    # DuckDB's count_if is null if every condition is.
    return Value(
        f"CAST(coalesce({call.aggregate('count_if', call.to(0, BOOLEAN).sql)}, 0) AS BIGINT)", BIGINT
    )


@aggregate("sum")
def _sum(call: Call) -> Value:
    call.expect(1)
    value = call.args[0]
    # DuckDB's sum of integers is a HUGEINT. Trino's is a bigint, and one that does not fit is an error.
    total = call.aggregate("sum", value.sql)
    if value.type.is_integer:
        return Value(f"CAST({total} AS BIGINT)", BIGINT)
    if value.type.is_("decimal"):
        kind = decimal(38, value.type.scale)
        return Value(f"CAST({total} AS {kind.duckdb})", kind)
    if value.type.is_floating or value.type.name.startswith("interval"):
        return Value(f"CAST({total} AS {value.type.duckdb})", value.type)
    raise unexpected(
        call, "double", "real", "bigint", "decimal(p,s)", "interval day to second", "interval year to month"
    )


@aggregate("min", "max")
def _extreme(call: Call) -> Value:
    call.expect(1, 2)
    value = call.args[0]
    _refuse_unordered(call, value.type)
    if len(call.nodes) == 2:
        return _some(call, value, value, call.name, 1)
    if value.type.is_zoned:
        # Zoned times are ordered by their instant; DuckDB's max of structs would compare the zone's name,
        # too.
        return Value(call.aggregate(f"arg_{call.name}", value.sql, value.instant), value.type)
    greatest = call.aggregate(call.name, value.sql)
    if call.name == "max" and value.type.is_floating:
        # Trino's max is NaN only if every number is; DuckDB takes a NaN for the greatest.
        numbers = filtered(call, f"NOT isnan({value.sql})").aggregate("max", value.sql)
        return Value(f"coalesce({numbers}, {greatest})", value.type)
    return Value(greatest, value.type)


@aggregate("min_by", "max_by")
def _extreme_by(call: Call) -> Value:
    call.expect(2, 3)
    value, key = call.args[:2]
    _refuse_unordered(call, key.type)
    word = call.name[:3]
    if len(call.nodes) == 3:
        return _some(call, value, key, word, 2)
    # `max_by(x, y)` is the x of the greatest y even if x is null. DuckDB's arg_max would skip that row.
    return Value(call.aggregate(f"arg_{word}_null", value.sql, _rank(key, word)), value.type)


def _some(call: Call, value: Value, key: Value, word: str, at: int) -> Value:
    """Return the values of the n greatest or least keys."""
    count = call.to(at, BIGINT)
    if not isinstance(count.constant, int):
        raise unsupported(f"{call.name} with a count that is not a constant")
    if not 0 < count.constant <= 10_000:
        raise QueryError(
            "INVALID_FUNCTION_ARGUMENT", "third argument of max_by/min_by must be a positive integer"
        )
    # `max_by(x, y, 3)` becomes the first three of a sorted list.
    order = f"{_rank(key, word)} {'ASC' if word == 'min' else 'DESC'}"
    values = filtered(modified(call, order=order), f"{key.sql} IS NOT NULL").aggregate("list", value.sql)
    return Value(f"list_slice({values}, 1, {count.constant})", array(value.type))


@aggregate("array_agg")
def _array_agg(call: Call) -> Value:
    call.expect(1)
    if call.modifiers.distinct:
        _refuse_unhashed(call, call.types[0])
    return Value(call.aggregate("list", call.args[0].sql), array(call.types[0]))


@aggregate("arbitrary", "any_value")
def _arbitrary(call: Call) -> Value:
    call.expect(1)
    return Value(call.aggregate("any_value", call.args[0].sql), call.types[0])


@aggregate("bool_and", "bool_or", "every")
def _bool(call: Call) -> Value:
    call.expect(1)
    # `every` is Trino's other name of bool_and.
    name = "bool_and" if call.name == "every" else call.name
    return Value(call.aggregate(name, call.to(0, BOOLEAN).sql), BOOLEAN)


@aggregate("bitwise_and_agg", "bitwise_or_agg", "bitwise_xor_agg")
def _bits(call: Call) -> Value:
    call.expect(1)
    return Value(call.aggregate(f"bit_{call.name.split('_')[1]}", call.to(0, BIGINT).sql), BIGINT)


@aggregate("approx_distinct")
def _approx_distinct(call: Call) -> Value:
    """Count exactly, which is within every error that the caller allows."""
    call.expect(1, 2)
    if len(call.nodes) == 2:
        call.to(1, DOUBLE)
        error = call.nodes[1]
        if isinstance(error, exp.Literal) and not 0.0040625 <= float(error.name) <= 0.26:
            raise invalid_argument(f"Standard error must be in [0.0040625, 0.26]: {error.name}")
    _refuse_unhashed(call, call.types[0])
    return Value(
        f"CAST({modified(call, distinct=True).aggregate('count', _key(call.args[0]))} AS BIGINT)", BIGINT
    )


@aggregate("geometric_mean")
def _geometric(call: Call) -> Value:
    call.expect(1)
    kind = Type("real") if call.types[0].is_("real") else DOUBLE
    mean = call.aggregate("avg", f"ln(CAST({call.to(0, DOUBLE).sql} AS DOUBLE))")
    return Value(f"CAST(exp({mean}) AS {kind.duckdb})", kind)


DOUBLES = {
    "stddev": "stddev_samp",
    "stddev_samp": "stddev_samp",
    "stddev_pop": "stddev_pop",
    "variance": "var_samp",
    "var_samp": "var_samp",
    "var_pop": "var_pop",
    "kurtosis": "kurtosis",
}


@aggregate(*DOUBLES)
def _spread(call: Call) -> Value:
    call.expect(1)
    return Value(call.aggregate(DOUBLES[call.name], call.to(0, DOUBLE).sql), DOUBLE)


@aggregate("corr", "covar_pop", "covar_samp", "regr_slope", "regr_intercept")
def _pairs(call: Call) -> Value:
    call.expect(2)
    kind = Type("real") if all(known.is_("real") for known in call.types) else DOUBLE
    sql = call.aggregate(call.name, call.to(0, DOUBLE).sql, call.to(1, DOUBLE).sql)
    return Value(f"CAST({sql} AS {kind.duckdb})", kind)


@function("grouping")
def _grouping(call: Call) -> Value:
    if not call.nodes or any(not isinstance(node, exp.Column | exp.Identifier) for node in call.nodes):
        raise call.unexpected("grouping(column, ...)")
    return Value(f"CAST(grouping({', '.join(value.sql for value in call.args)}) AS INTEGER)", INTEGER)


def _key(value: Value) -> str:
    """Return the SQL that a value is ordered or counted by."""
    return value.instant if value.type.is_zoned else value.sql


def _rank(value: Value, word: str) -> str:
    """Return the SQL by which min or max orders a value: neither prefers a NaN to a number."""
    return value.nan_least if word == "max" and value.type.is_floating else _key(value)


def _refuse_unordered(call: Call, kind: Type) -> None:
    if any(word in str(kind) for word in ("map(", "json")):
        raise call.unexpected(f"{call.name}(T) T:orderable")


def _refuse_unhashed(call: Call, kind: Type) -> None:
    text = str(kind)
    if "map(" in text or "json" in text or ("time zone" in text and not kind.is_zoned):
        raise unsupported(f"{call.name} of distinct values of {kind}")


def unexpected(call: Call, *kinds: str) -> QueryError:
    """Build the error for arguments of the wrong types; `kinds` are the types that the function takes."""
    return call.unexpected(*(f"{call.name}({kind})" for kind in kinds))


@operator(exp.GroupConcat)
def _listagg_form(compiler: Expressions, node: exp.Expr) -> Value:
    overflow = node.args.get("on_overflow")
    if overflow is not None and not (isinstance(overflow, exp.Var) or overflow == "ERROR"):
        raise unsupported("LISTAGG with ON OVERFLOW TRUNCATE")
    ordered, inner = node.this, replace(compiler, modifiers=Modifiers())
    compiler = compiler.with_modifiers(order=compiler.queries.order_keys(ordered, inner))
    value = ordered.this
    if isinstance(value, exp.Distinct):
        compiler = compiler.with_modifiers(distinct=True)
        value = value.expressions[0]
    separator = node.args.get("separator")
    return compiler.call("listagg", [value, *([separator] if separator is not None else [])], node)
