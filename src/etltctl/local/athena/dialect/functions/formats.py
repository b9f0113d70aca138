"""format: the part of Java's Formatter that SQL is written with."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal

from etltctl.local.athena.dialect.casts import cast
from etltctl.local.athena.dialect.decimals import EXACT
from etltctl.local.athena.dialect.errors import QueryError, unsupported
from etltctl.local.athena.dialect.literals import text
from etltctl.local.athena.dialect.registry import Call, function
from etltctl.local.athena.dialect.trino_types import VARCHAR, Type
from etltctl.local.athena.dialect.values import Value

SPECIFIER = re.compile(r"%(?:%|n|([-0,+ ]*)(\d+)?(?:\.(\d+))?([a-zA-Z]))")
PLAIN = ("varchar", "char", "boolean", "tinyint", "smallint", "integer", "bigint", "decimal", "date")


@function("format")
def _format(call: Call) -> Value:
    if not call.args or not isinstance(call.to(0, VARCHAR).constant, str):
        raise unsupported("format with a pattern that is not a literal")
    pattern, values = str(call.args[0].constant), call.args[1:]
    letters = [match for match in SPECIFIER.finditer(pattern) if match[4]]
    if "%" in SPECIFIER.sub("", pattern) or len(letters) > len(values):
        raise QueryError("INVALID_FUNCTION_ARGUMENT", f"Invalid format string: {pattern}")
    shown = []
    for match, value in zip(letters, values, strict=False):
        _check(match, value.type)
        shown.append(cast(value, VARCHAR, call.compiler))
    return call.python(_formatted, text(pattern), *shown, returns=VARCHAR)


def _check(match: re.Match[str], kind: Type) -> None:
    """Refuse what is not modelled, and letters that Java does not take for the type."""
    flags, _, precision, letter = match.groups()
    fits = {"s": kind.is_(*PLAIN), "d": kind.is_integer, "f": kind.is_("decimal")}
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
            exact = Decimal(value).quantize(Decimal(1).scaleb(-int(precision or 6)), ROUND_HALF_UP, EXACT)
            value = f"{exact:f}"
        if letter in "df":
            value = _number(value, flags, width)
        return value.ljust(width) if "-" in flags else value.rjust(width)

    return SPECIFIER.sub(shown, pattern)


def _number(value: str, flags: str, width: int) -> str:
    sign = "-" if value.startswith("-") else "+" if "+" in flags else " " if " " in flags else ""
    whole, point, fraction = value.lstrip("-").partition(".")
    if "," in flags:
        whole = f"{int(whole):,}"
    if "0" in flags:
        whole = whole.rjust(width - len(sign) - len(point) - len(fraction), "0")
    return f"{sign}{whole}{point}{fraction}"
