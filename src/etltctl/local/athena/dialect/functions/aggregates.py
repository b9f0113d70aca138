"""Aggregates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sqlglot import exp

from etltctl.local.athena.dialect import coercion
from etltctl.local.athena.dialect.errors import QueryError, mismatch, place, unsupported
from etltctl.local.athena.dialect.functions import aggregate_calls
from etltctl.local.athena.dialect.functions.array_lambdas import folded
from etltctl.local.athena.dialect.functions.maps import refuse_key
from etltctl.local.athena.dialect.registry import Call, Handler, function
from etltctl.local.athena.dialect.trino_types import (
    BIGINT,
    BOOLEAN,
    DOUBLE,
    INTEGER,
    VARBINARY,
    VARCHAR,
    Type,
    array,
    decimal,
    map_of,
    row,
)
from etltctl.local.athena.dialect.values import Value


def aggregate(*names: str) -> Callable[[Handler], Handler]:
    """Register an aggregate."""
    return function(*names, aggregate=True)


def _with(call: Call, **changes: object) -> Call:
    """Return the call with something else around it."""
    return replace(call, modifiers=replace(call.modifiers, **changes))  # type: ignore[arg-type]


def _where(call: Call, condition: str) -> Call:
    """Return the call with one more condition in its FILTER."""
    current = call.modifiers.filter
    return _with(call, filter=f"({current}) AND {condition}" if current else condition)


@aggregate("count")
def _count(call: Call) -> Value:
    call.expect(0, 1)
    arguments = (call.args[0].sql,) if call.nodes else ("*",)
    if call.nodes and call.modifiers.distinct:
        _refuse_unhashed(call, call.types[0])
        arguments = (_key(call.args[0]),)
    return Value(f"CAST({call.aggregate('count', *arguments)} AS BIGINT)", BIGINT)


@aggregate("count_if")
def _count_if(call: Call) -> Value:
    call.expect(1)
    return Value(f"CAST({call.aggregate('count_if', call.to(0, BOOLEAN).sql)} AS BIGINT)", BIGINT)


@aggregate("sum")
def _sum(call: Call) -> Value:
    call.expect(1)
    value = call.args[0]
    total = call.aggregate("sum", value.sql)
    if value.type.is_integer:
        return Value(f"CAST({total} AS BIGINT)", BIGINT)
    if value.type.is_("decimal"):
        kind = decimal(38, value.type.scale)
        return Value(f"CAST({total} AS {kind.duckdb})", kind)
    if value.type.is_floating or value.type.name.startswith("interval"):
        return Value(f"CAST({total} AS {value.type.duckdb})", value.type)
    raise _unexpected(
        call, "double", "real", "bigint", "decimal(p,s)", "interval day to second", "interval year to month"
    )


@aggregate("avg")
def _average(call: Call) -> Value:
    call.expect(1)
    value = call.args[0]
    if value.type.is_("decimal"):
        total = Value(
            f"CAST({call.aggregate('sum', value.sql)} AS DECIMAL(38, {value.type.scale}))",
            decimal(38, value.type.scale),
        )
        count = Value(f"CAST({call.aggregate('count', value.sql)} AS BIGINT)", BIGINT)
        return call.python(aggregate_calls.decimal_average, total, count, returns=value.type)
    mean = call.aggregate("avg", value.sql)
    if value.type.is_integer or value.type.is_("double"):
        return Value(f"CAST({mean} AS DOUBLE)", DOUBLE)
    if value.type.is_("real"):
        return Value(f"CAST({mean} AS FLOAT)", value.type)
    if value.type.name.startswith("interval"):
        return Value(f"CAST(round({mean}) AS {value.type.duckdb})", value.type)
    raise _unexpected(
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
        return Value(call.aggregate(f"arg_{call.name}", value.sql, value.instant), value.type)
    return Value(call.aggregate(call.name, value.sql), value.type)


@aggregate("min_by", "max_by")
def _extreme_by(call: Call) -> Value:
    call.expect(2, 3)
    value, key = call.args[:2]
    _refuse_unordered(call, key.type)
    word = call.name[:3]
    if len(call.nodes) == 3:
        return _some(call, value, key, word, 2)
    return Value(call.aggregate(f"arg_{word}_null", value.sql, _key(key)), value.type)


def _some(call: Call, value: Value, key: Value, word: str, at: int) -> Value:
    """Return the values of the n greatest or least keys."""
    count = call.to(at, BIGINT)
    if not isinstance(count.constant, int):
        raise unsupported(f"{call.name} with a count that is no constant")
    if not 0 < count.constant <= 10_000:
        raise QueryError(
            "INVALID_FUNCTION_ARGUMENT", "third argument of max_by/min_by must be a positive integer"
        )
    order = f"{_key(key)} {'ASC' if word == 'min' else 'DESC'}"
    values = _where(_with(call, order=order), f"{key.sql} IS NOT NULL").aggregate("list", value.sql)
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
    name = "bool_and" if call.name == "every" else call.name
    return Value(call.aggregate(name, call.to(0, BOOLEAN).sql), BOOLEAN)


@aggregate("bitwise_and_agg", "bitwise_or_agg", "bitwise_xor_agg")
def _bits(call: Call) -> Value:
    call.expect(1)
    return Value(call.aggregate(f"bit_{call.name.split('_')[1]}", call.to(0, BIGINT).sql), BIGINT)


@aggregate("approx_distinct")
def _approx_distinct(call: Call) -> Value:
    """Count exactly: that is within every error that the caller may have allowed."""
    call.expect(1, 2)
    if len(call.nodes) == 2:
        call.to(1, DOUBLE)
    _refuse_unhashed(call, call.types[0])
    return Value(
        f"CAST({_with(call, distinct=True).aggregate('count', _key(call.args[0]))} AS BIGINT)", BIGINT
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


@aggregate("skewness")
def _skewness(call: Call) -> Value:
    """Trino's is of the whole population, DuckDB's is corrected for a sample."""
    call.expect(1)
    values = Value(call.aggregate("list", call.to(0, DOUBLE).sql), array(DOUBLE))
    return call.python(aggregate_calls.skewness, values, returns=DOUBLE)


@aggregate("corr", "covar_pop", "covar_samp", "regr_slope", "regr_intercept")
def _pairs(call: Call) -> Value:
    call.expect(2)
    kind = Type("real") if all(known.is_("real") for known in call.types) else DOUBLE
    sql = call.aggregate(call.name, call.to(0, DOUBLE).sql, call.to(1, DOUBLE).sql)
    return Value(f"CAST({sql} AS {kind.duckdb})", kind)


@aggregate("approx_percentile")
def _percentile(call: Call) -> Value:
    """Return an exact percentile, which is an existing value, as Trino's is for few values."""
    call.expect(2, 3)
    value, share = call.args[0], call.args[-1]
    if not value.type.is_number or value.type.is_("decimal"):
        value = coercion.coerced(value, DOUBLE) if value.type.is_("decimal") else value
    if not value.type.is_number:
        raise _unexpected(call, "bigint, double", "double, double", "real, double")
    shares = share if share.type.is_("array") else Value(f"[{share.sql}]", array(share.type))
    if not coercion.can(shares.type, array(DOUBLE)):
        raise _unexpected(call, "bigint, double", "double, double", "real, double")
    weight = call.to(1, DOUBLE).sql if len(call.nodes) == 3 else "CAST(1 AS DOUBLE)"
    pairs = call.aggregate("list", f"struct_pack(x := {value.sql}, w := {weight})")
    kind = array(row({"x": value.type, "w": DOUBLE}))
    group_shares = Value(shares_of_group(call, coercion.coerced(shares, array(DOUBLE)).sql), array(DOUBLE))
    result = call.python(
        aggregate_calls.percentiles, Value(pairs, kind), group_shares, returns=array(value.type)
    )
    if share.type.is_("array"):
        return result
    return Value(f"list_extract({result.sql}, 1)", value.type)


def shares_of_group(call: Call, sql: str) -> str:
    """Return the SQL of the percentages, which are the same in every row of a group."""
    return sql if not call.modifiers.over and isinstance(call.nodes[-1], exp.Literal | exp.Array) else (
        call.aggregate("any_value", sql)
    )  # fmt: skip


@aggregate("histogram")
def _histogram(call: Call) -> Value:
    call.expect(1)
    refuse_key(call.types[0])
    kind = map_of(call.types[0], BIGINT)
    return Value(f"CAST({call.aggregate('histogram', call.args[0].sql)} AS {kind.duckdb})", kind)


@aggregate("numeric_histogram")
def _numeric_histogram(call: Call) -> Value:
    call.expect(2, 3)
    kind = Type("real") if call.types[1].is_("real") else DOUBLE
    weight = call.to(2, DOUBLE).sql if len(call.nodes) == 3 else "CAST(1 AS DOUBLE)"
    pairs = call.aggregate("list", f"struct_pack(x := {call.to(1, DOUBLE).sql}, w := {weight})")
    buckets = Value(call.aggregate("any_value", call.to(0, BIGINT).sql), BIGINT)
    group = Value(pairs, array(row({"x": DOUBLE, "w": DOUBLE})))
    return call.python(aggregate_calls.numeric_histogram, buckets, group, returns=map_of(kind, kind))


@aggregate("map_agg", "multimap_agg")
def _map_agg(call: Call) -> Value:
    call.expect(2)
    keys, values = call.types
    refuse_key(keys)
    pairs = call.aggregate("list", f"struct_pack(k := {call.args[0].sql}, v := {call.args[1].sql})")
    group = Value(pairs, array(row({"k": keys, "v": values})))
    if call.name == "map_agg":
        return call.python(aggregate_calls.map_agg, group, returns=map_of(keys, values))
    return call.python(aggregate_calls.multimap_agg, group, returns=map_of(keys, array(values)))


@aggregate("map_union")
def _map_union(call: Call) -> Value:
    call.expect(1)
    kind = call.types[0]
    if not kind.is_("map"):
        raise call.unexpected("map_union(map(K,V))")
    refuse_key(kind.inner(0))
    group = Value(call.aggregate("list", call.args[0].sql), array(kind))
    return call.python(aggregate_calls.map_union, group, returns=kind)


@aggregate("reduce_agg")
def _reduce_agg(call: Call) -> Value:
    call.expect(4)
    known = _where(call, f"{call.args[0].sql} IS NOT NULL")
    values = Value(known.aggregate("list", call.args[0].sql), array(call.types[0]))
    return folded(call, values, Value(call.aggregate("any_value", call.args[1].sql), call.types[1]), 2, None)


@aggregate("checksum")
def _checksum(call: Call) -> Value:
    call.expect(1)
    kind = call.types[0]
    if not (kind.is_integer or kind.is_("varchar", "varbinary", "boolean")):
        raise unsupported(f"checksum of {kind}")
    wide = coercion.coerced(call.args[0], BIGINT) if kind.is_integer else call.args[0]
    values = Value(call.aggregate("list", wide.sql), array(wide.type))
    return call.python(aggregate_calls.checksum, values, returns=VARBINARY)


@function("grouping")
def _grouping(call: Call) -> Value:
    if not call.nodes or any(not isinstance(node, exp.Column | exp.Identifier) for node in call.nodes):
        raise call.unexpected("grouping(column, ...)")
    return Value(f"CAST(grouping({', '.join(value.sql for value in call.args)}) AS INTEGER)", INTEGER)


@aggregate("listagg")
def _listagg(call: Call) -> Value:
    call.expect(1, 2)
    if call.modifiers.over:
        raise QueryError("NOT_SUPPORTED", f"{place(call.node)}: Window frame is not supported for listagg")
    if not call.types[0].is_("varchar", "unknown"):
        raise mismatch(
            f"Expected expression of varchar, but '{call.nodes[0].sql()}' has {call.types[0]} type", call.node
        )
    separator = call.to(1, VARCHAR).sql if len(call.nodes) == 2 else "''"
    return Value(call.aggregate("string_agg", call.to(0, VARCHAR).sql, separator), VARCHAR)


def _key(value: Value) -> str:
    """Return the SQL that a value is ordered or counted by."""
    return value.instant if value.type.is_zoned else value.sql


def _refuse_unordered(call: Call, kind: Type) -> None:
    if any(word in str(kind) for word in ("map(", "json")):
        raise call.unexpected(f"{call.name}(T) T:orderable")


def _refuse_unhashed(call: Call, kind: Type) -> None:
    if any(word in str(kind) for word in ("map(", "json")) or (
        "time zone" in str(kind) and not kind.is_zoned
    ):
        raise unsupported(f"{call.name} of distinct values of {kind}")


def _unexpected(call: Call, *kinds: str) -> QueryError:
    return call.unexpected(*(f"{call.name}({kind})" for kind in kinds))
