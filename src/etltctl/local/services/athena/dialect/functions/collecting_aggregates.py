"""Aggregates that Python finishes: DuckDB collects the values of a group, or their sum, and Python does the rest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

from sqlglot import exp

from etltctl.local.services.athena.dialect import casts
from etltctl.local.services.athena.dialect.errors import (
    QueryError,
    invalid_argument,
    mismatch,
    place,
    unsupported,
)
from etltctl.local.services.athena.dialect.functions.aggregates import aggregate, filtered, unexpected
from etltctl.local.services.athena.dialect.functions.binary import MASK, xxhash64
from etltctl.local.services.athena.dialect.functions.lambdas import folded
from etltctl.local.services.athena.dialect.functions.maps import entries_of, map_from, refuse_key, unique
from etltctl.local.services.athena.dialect.registry import Call
from etltctl.local.services.athena.dialect.trino_types import (
    BIGINT,
    DOUBLE,
    VARBINARY,
    VARCHAR,
    Type,
    array,
    decimal,
    map_of,
    row,
)
from etltctl.local.services.athena.dialect.values import Value

PRIME = 0x9E3779B185EBCA87
Pairs = list[dict[str, Any]]


def skewness(values: Sequence[float | None]) -> float | None:
    """Return the skewness of a population; None for less than three values."""
    known = [value for value in values if value is not None]
    if len(known) < 3:
        return None
    mean = math.fsum(known) / len(known)
    second = math.fsum((value - mean) ** 2 for value in known)
    third = math.fsum((value - mean) ** 3 for value in known)
    # The third moment over the second, of the population: sqrt(n) * m3 / m2^1.5, with sums for the moments.
    return math.sqrt(len(known)) * third / second**1.5 if second else math.nan


def percentiles(pairs: Pairs, shares: Sequence[float]) -> list[Any] | None:
    """Return, for each share, the value up to which this share of the weight lies."""
    weighted = sorted(
        ((pair["x"], pair["w"]) for pair in pairs if pair["x"] is not None and pair["w"] is not None),
        key=lambda item: item[0],
    )
    for share in shares:
        if share is None or not 0 <= share <= 1:
            raise invalid_argument("Percentile must be between 0 and 1")
    if any(weight < 1 for _, weight in weighted):
        raise invalid_argument("Percentile weight must be >= 1")
    if not weighted:
        return None
    total = sum(weight for _, weight in weighted)
    return [_percentile(weighted, share * total) for share in shares]


def _percentile(weighted: Sequence[tuple[Any, float]], rank: float) -> Any:
    so_far = 0.0
    for value, weight in weighted:
        so_far += weight
        # The tolerance absorbs the error of `share * total`: 0.07 * 100 is more than 7.
        if so_far >= rank - 1e-9:
            return value
    return weighted[-1][0]


def numeric_histogram(buckets: int, pairs: Pairs) -> dict[str, list[Any]] | None:
    """Return at most `buckets` means with their weights: the two nearest are merged until they are few enough."""
    if buckets < 2:
        raise invalid_argument("numeric_histogram bucket count must be greater than one")
    held: dict[float, float] = {}
    for pair in pairs:
        if pair["x"] is not None and pair["w"] is not None:
            held[pair["x"]] = held.get(pair["x"], 0.0) + pair["w"]
    if not held:
        return None
    entries = sorted(held.items())
    while len(entries) > buckets:
        gaps = [(entries[i + 1][0] - entries[i][0], i) for i in range(len(entries) - 1)]
        # The two nearest means merge first; of equal gaps, the one with the smaller values.
        at = min(gaps)[1]
        (a, one), (b, other) = entries[at], entries[at + 1]
        entries[at : at + 2] = [((a * one + b * other) / (one + other), one + other)]
    return map_from(entries)


def map_agg(pairs: Pairs) -> dict[str, list[Any]] | None:
    """Return a map of pairs; the first value of a key stays, a null key is left out."""
    entries = unique([(pair["k"], pair["v"]) for pair in pairs if pair["k"] is not None])
    return map_from(entries) if entries else None


def multimap_agg(pairs: Pairs) -> dict[str, list[Any]] | None:
    """Return a map from each key to all its values."""
    # A key may be a list, which Python cannot hash, so entries are looked up by the text of their keys.
    groups: dict[str, tuple[Any, list[Any]]] = {}
    for pair in pairs:
        if pair["k"] is not None:
            groups.setdefault(repr(pair["k"]), (pair["k"], []))[1].append(pair["v"])
    return map_from(list(groups.values())) if groups else None


def map_union(maps: Sequence[Any]) -> dict[str, list[Any]] | None:
    """Return all entries of maps; the first value of a key stays."""
    known = [one for one in maps if one is not None]
    return map_from(unique([entry for one in known for entry in entries_of(one)])) if known else None


def checksum(values: Sequence[Any]) -> bytes:
    """Return a sum of hashes that does not depend on the order of rows."""
    total = 0
    for value in values:
        total += PRIME if value is None else _hashed(value) * PRIME
    return (total & MASK).to_bytes(8, "little")


def _hashed(value: Any) -> int:
    if isinstance(value, bool):
        return xxhash64(int(value).to_bytes(1, "little"))
    if isinstance(value, int):
        return xxhash64(value.to_bytes(8, "little", signed=True))
    return xxhash64(value.encode() if isinstance(value, str) else bytes(value))


@aggregate("skewness")
def _skewness(call: Call) -> Value:
    """Return the skewness of the whole population, as Trino does; DuckDB's is corrected for a sample."""
    call.expect(1)
    values = Value(call.aggregate("list", call.to(0, DOUBLE).sql), array(DOUBLE))
    return call.python(skewness, values, returns=DOUBLE)


@aggregate("approx_percentile")
def _approx_percentile(call: Call) -> Value:
    """Return an exact percentile, which is an existing value, as Trino's is for few values."""
    call.expect(2, 3)
    value, share = call.args[0], call.args[-1]
    if not value.type.is_number or value.type.is_("decimal"):
        value = casts.coerced(value, DOUBLE) if value.type.is_("decimal") else value
    if not value.type.is_number:
        raise unexpected(call, "bigint, double", "double, double", "real, double")
    # One percentile is a list of one, whose element is the answer.
    shares = share if share.type.is_("array") else Value(f"[{share.sql}]", array(share.type))
    if not casts.is_coercible(shares.type, array(DOUBLE)):
        raise unexpected(call, "bigint, double", "double, double", "real, double")
    weight = call.to(1, DOUBLE).sql if len(call.nodes) == 3 else "CAST(1 AS DOUBLE)"
    pairs = call.aggregate("list", f"struct_pack(x := {value.sql}, w := {weight})")
    kind = array(row({"x": value.type, "w": DOUBLE}))
    group_shares = Value(shares_of_group(call, casts.coerced(shares, array(DOUBLE)).sql), array(DOUBLE))
    result = call.python(percentiles, Value(pairs, kind), group_shares, returns=array(value.type))
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
    # DuckDB counts in UBIGINT, Trino in bigint.
    kind = map_of(call.types[0], BIGINT)
    return Value(f"CAST({call.aggregate('histogram', call.args[0].sql)} AS {kind.duckdb})", kind)


@aggregate("numeric_histogram")
def _numeric_histogram(call: Call) -> Value:
    call.expect(2, 3)
    # Trino's histogram of reals has real means and real weights.
    kind = Type("real") if call.types[1].is_("real") else DOUBLE
    weight = call.to(2, DOUBLE).sql if len(call.nodes) == 3 else "CAST(1 AS DOUBLE)"
    pairs = call.aggregate("list", f"struct_pack(x := {call.to(1, DOUBLE).sql}, w := {weight})")
    buckets = Value(call.aggregate("any_value", call.to(0, BIGINT).sql), BIGINT)
    group = Value(pairs, array(row({"x": DOUBLE, "w": DOUBLE})))
    return call.python(numeric_histogram, buckets, group, returns=map_of(kind, kind))


@aggregate("map_agg", "multimap_agg")
def _map_agg(call: Call) -> Value:
    call.expect(2)
    keys, values = call.types
    refuse_key(keys)
    pairs = call.aggregate("list", f"struct_pack(k := {call.args[0].sql}, v := {call.args[1].sql})")
    group = Value(pairs, array(row({"k": keys, "v": values})))
    if call.name == "map_agg":
        return call.python(map_agg, group, returns=map_of(keys, values))
    return call.python(multimap_agg, group, returns=map_of(keys, array(values)))


@aggregate("map_union")
def _map_union(call: Call) -> Value:
    call.expect(1)
    kind = call.types[0]
    if not kind.is_("map"):
        raise call.unexpected("map_union(map(K,V))")
    refuse_key(kind.inner(0))
    group = Value(call.aggregate("list", call.args[0].sql), array(kind))
    return call.python(map_union, group, returns=kind)


@aggregate("reduce_agg")
def _reduce_agg(call: Call) -> Value:
    call.expect(4)
    # Trino's reduce_agg leaves nulls out.
    known = filtered(call, f"{call.args[0].sql} IS NOT NULL")
    values = Value(known.aggregate("list", call.args[0].sql), array(call.types[0]))
    return folded(call, values, Value(call.aggregate("any_value", call.args[1].sql), call.types[1]), 2, None)


@aggregate("checksum")
def _checksum(call: Call) -> Value:
    call.expect(1)
    kind = call.types[0]
    if not (kind.is_integer or kind.is_("varchar", "varbinary", "boolean")):
        raise unsupported(f"checksum of {kind}")
    wide = casts.coerced(call.args[0], BIGINT) if kind.is_integer else call.args[0]
    values = Value(call.aggregate("list", wide.sql), array(wide.type))
    return call.python(checksum, values, returns=VARBINARY)


@aggregate("listagg")
def _listagg(call: Call) -> Value:
    call.expect(1, 2)
    if call.modifiers.over:
        raise QueryError("NOT_SUPPORTED", f"{place(call.node)}: Window frame is not supported for listagg")
    if not call.types[0].is_("varchar", "unknown"):
        raise mismatch(
            f"Expected expression of varchar, but '{call.nodes[0].sql()}' has {call.types[0]} type", call.node
        )
    # LISTAGG has no separator by default; DuckDB's string_agg has a comma.
    separator = call.to(1, VARCHAR).sql if len(call.nodes) == 2 else "''"
    return Value(call.aggregate("string_agg", call.to(0, VARCHAR).sql, separator), VARCHAR)


# 80 digits hold the sum of any number of decimals without rounding.
EXACT = Context(prec=80)


def decimal_average(total: Decimal, count: int) -> Decimal:
    """Return the mean of decimals, rounded half up to their scale."""
    exponent = total.as_tuple().exponent
    assert isinstance(exponent, int)
    quotient = EXACT.divide(total, Decimal(count))
    return quotient.quantize(Decimal(1).scaleb(exponent), ROUND_HALF_UP, EXACT)


@aggregate("avg")
def _average(call: Call) -> Value:
    call.expect(1)
    value = call.args[0]
    if value.type.is_("decimal"):
        # Trino's average of decimals is a decimal, rounded half up. DuckDB's is a double.
        total = Value(
            f"CAST({call.aggregate('sum', value.sql)} AS DECIMAL(38, {value.type.scale}))",
            decimal(38, value.type.scale),
        )
        count = Value(f"CAST({call.aggregate('count', value.sql)} AS BIGINT)", BIGINT)
        return call.python(decimal_average, total, count, returns=value.type)
    mean = call.aggregate("avg", value.sql)
    if value.type.is_integer or value.type.is_("double"):
        return Value(f"CAST({mean} AS DOUBLE)", DOUBLE)
    if value.type.is_("real"):
        return Value(f"CAST({mean} AS FLOAT)", value.type)
    if value.type.name.startswith("interval"):
        return Value(f"CAST(round({mean}) AS {value.type.duckdb})", value.type)
    raise unexpected(
        call, "double", "real", "bigint", "decimal(p,s)", "interval day to second", "interval year to month"
    )
