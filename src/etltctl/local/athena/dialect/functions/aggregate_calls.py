"""What aggregates do with the values of one group, in Python."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

from etltctl.local.athena.dialect.errors import invalid_argument
from etltctl.local.athena.dialect.functions.maps import entries_of, map_from, unique
from etltctl.local.athena.dialect.functions.xxhash import xxhash64

EXACT = Context(prec=80)
PRIME = 0x9E3779B185EBCA87
MASK = (1 << 64) - 1
Pairs = list[dict[str, Any]]


def decimal_average(total: Decimal, count: int) -> Decimal:
    """Return the mean of decimals, rounded half up to their scale."""
    exponent = total.as_tuple().exponent
    assert isinstance(exponent, int)
    quotient = EXACT.divide(total, Decimal(count))
    return quotient.quantize(Decimal(1).scaleb(exponent), ROUND_HALF_UP, EXACT)


def skewness(values: Sequence[float | None]) -> float | None:
    """Return the skewness of a population; None for less than three values."""
    known = [value for value in values if value is not None]
    if len(known) < 3:
        return None
    mean = math.fsum(known) / len(known)
    second = math.fsum((value - mean) ** 2 for value in known)
    third = math.fsum((value - mean) ** 3 for value in known)
    return math.sqrt(len(known)) * third / second**1.5 if second else math.nan


def percentiles(pairs: Pairs, shares: Sequence[float]) -> list[Any] | None:
    """Return the values below which these shares of the weight lie."""
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
