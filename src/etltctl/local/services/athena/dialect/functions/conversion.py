"""Functions that convert: typeof, format, format_number, numbers in other bases, durations."""

from __future__ import annotations

import math
import re
from decimal import ROUND_HALF_UP, Decimal

from sqlglot import exp

from etltctl.local.services.athena.dialect import casts
from etltctl.local.services.athena.dialect.arithmetic import EXACT
from etltctl.local.services.athena.dialect.casts import cast
from etltctl.local.services.athena.dialect.errors import QueryError, invalid_argument, unsupported
from etltctl.local.services.athena.dialect.literals import text
from etltctl.local.services.athena.dialect.registry import AGGREGATES, Call, function, simple
from etltctl.local.services.athena.dialect.trino_types import DOUBLE, VARCHAR, Type
from etltctl.local.services.athena.dialect.values import Value


@function("typeof")
def _typeof(call: Call) -> Value:
    call.expect(1)
    named = text(str(call.args[0].type))
    if any(
        _is_aggregate(inner) for inner in call.nodes[0].walk()
    ):  # an aggregate inside makes the query an aggregation
        return Value(
            f"(CASE WHEN {call.args[0].sql} IS NULL THEN {named.sql} ELSE {named.sql} END)", named.type
        )
    return named


def _is_aggregate(node: exp.Expr) -> bool:
    return isinstance(node, exp.Anonymous | exp.GroupConcat) and (
        not isinstance(node, exp.Anonymous) or node.name.lower() in AGGREGATES
    )


SPECIFIER = re.compile(r"%(?:%|n|([-0,+ ]*)(\d+)?(?:\.(\d+))?([a-zA-Z]))")
PLAIN = ("varchar", "char", "boolean", "tinyint", "smallint", "integer", "bigint", "decimal", "date")


@function("format")
def _format(call: Call) -> Value:
    if not call.args or not isinstance(call.to(0, VARCHAR).constant, str):
        raise unsupported("format with a pattern that is not a literal")
    pattern, values = str(call.args[0].constant), call.args[1:]
    # `%%` and `%n` take no value.
    letters = [match for match in SPECIFIER.finditer(pattern) if match[4]]
    if "%" in SPECIFIER.sub("", pattern) or len(letters) > len(values):
        raise QueryError("INVALID_FUNCTION_ARGUMENT", f"Invalid format string: {pattern}")
    shown = []
    for match, value in zip(letters, values, strict=False):
        _check(match, value.type)
        if match[4] == "f" and value.type.is_("real"):
            value = casts.coerced(value, DOUBLE)  # Java formats a float as the double that it is
        shown.append(cast(value, VARCHAR, call.compiler))
    return call.python(_formatted, text(pattern), *shown, returns=VARCHAR)


def _check(match: re.Match[str], kind: Type) -> None:
    """Refuse a letter that Java does not take for the type, or that the embedded Athena lacks."""
    flags, _, precision, letter = match.groups()
    fits = {"s": kind.is_(*PLAIN), "d": kind.is_integer, "f": kind.is_("decimal", "double", "real")}
    if letter not in fits or not (fits[letter] or (letter == "s" and kind.is_("unknown"))):
        raise unsupported(f"%{letter} of {kind} in format")
    if (letter == "s" and (set(flags) - {"-"} or precision)) or (letter == "d" and precision):
        raise unsupported(f"{match[0]} in format")


def _formatted(pattern: str, *values: str) -> str:
    left = list(values)

    def shown(match: re.Match[str]) -> str:
        if not match[4]:
            return "\n" if match[0] == "%n" else "%"
        flags, width, precision, letter = match[1], int(match[2] or 0), match[3], match[4]
        value = left.pop(0)
        if letter == "f":
            # Java writes six digits if the pattern names no precision.
            if value.lstrip("-") in ("NaN", "Infinity"):
                return _padded(value, flags, width)
            exact = Decimal(value).quantize(Decimal(1).scaleb(-int(precision or 6)), ROUND_HALF_UP, EXACT)
            value = f"{exact:f}"
        if letter in "df":
            value = _number(value, flags, width)
        return _padded(value, flags, width)

    return SPECIFIER.sub(shown, pattern)


def _padded(value: str, flags: str, width: int) -> str:
    return value.ljust(width) if "-" in flags else value.rjust(width)


def _number(value: str, flags: str, width: int) -> str:
    sign = "-" if value.startswith("-") else "+" if "+" in flags else " " if " " in flags else ""
    whole, point, fraction = value.lstrip("-").partition(".")
    if "," in flags:
        whole = f"{int(whole):,}"
    if "0" in flags:
        whole = whole.rjust(width - len(sign) - len(point) - len(fraction), "0")
    return f"{sign}{whole}{point}{fraction}"


def _from_base(written: str, radix: int) -> int:
    _check_radix(radix)
    try:
        number = int(written, radix)
    except ValueError as error:
        raise invalid_argument(f"Not a valid base-{radix} number: {written}") from error
    # Python would also read '1_000' and ' 7 '.
    if not -(2**63) <= number < 2**63 or "_" in written or written != written.strip():
        raise invalid_argument(f"Not a valid base-{radix} number: {written}")
    return number


def _to_base(number: int, radix: int) -> str:
    _check_radix(radix)
    digits, rest = "", abs(number)
    while rest:
        rest, digit = divmod(rest, radix)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return ("-" if number < 0 else "") + (digits or "0")


def _check_radix(radix: int) -> None:
    if not 2 <= radix <= 36:
        raise invalid_argument("Radix must be between 2 and 36")


simple("from_base(varchar, bigint) -> bigint", _from_base)
simple("to_base(bigint, bigint) -> varchar", _to_base)


def _format_number(value: float) -> str:
    """Write a number with three digits and a letter for its thousands."""
    units, shown, index = ["", "K", "M", "B", "T", "Q"], float(value), 0
    while abs(shown) >= 1000 and index < len(units) - 1:
        shown /= 1000.0
        index += 1
    size = abs(shown)
    # `format_number(123456)` is '123K', and of 1234 it is '1.23K'.
    digits = 2 if size < 10 else 1 if size < 100 else 0
    return (
        f"{shown:.{digits}f}".rstrip("0").rstrip(".") + units[index]
        if digits
        else f"{shown:.0f}{units[index]}"
    )


simple("format_number(double) -> varchar", _format_number)


DURATION = {
    "ns": 1e-6, "us": 1e-3, "ms": 1.0, "s": 1000.0, "m": 60_000.0, "h": 3_600_000.0, "d": 86_400_000.0,
}  # fmt: skip


def _parse_duration(written: str) -> int:
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]+)\s*", written)
    if match is None or match[2] not in DURATION:
        raise invalid_argument(f"duration is not a valid data duration string: {written}")
    return math.floor(float(match[1]) * DURATION[match[2]] + 0.5)


simple("parse_duration(varchar) -> interval day to second", _parse_duration)
simple("to_milliseconds(interval day to second) -> bigint", "{0}")


def _human_readable(seconds: float) -> str:
    if not math.isfinite(seconds):
        raise invalid_argument(f"Invalid argument found: {seconds}")
    left = math.floor(abs(seconds) + 0.5) if seconds >= 0 else math.floor(-seconds + 0.5)
    parts: list[str] = []
    for name, size in (("week", 604_800), ("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1)):
        count, left = divmod(left, size)
        if count or (name == "second" and not parts):
            parts.append(f"{count} {name}{'' if count == 1 else 's'}")
    return ", ".join(parts)


simple("human_readable_seconds(double) -> varchar", _human_readable)
