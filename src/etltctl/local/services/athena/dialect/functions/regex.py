"""LIKE, and the functions of regular expressions."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sqlglot import exp

from etltctl.local.services.athena.dialect.errors import (
    QueryError,
    invalid_argument,
    mismatch,
    place,
    syntax,
)
from etltctl.local.services.athena.dialect.expressions import Expressions, operator
from etltctl.local.services.athena.dialect.functions.java_regex import compiled
from etltctl.local.services.athena.dialect.registry import Call, function, simple
from etltctl.local.services.athena.dialect.trino_types import BOOLEAN, VARCHAR, array, row
from etltctl.local.services.athena.dialect.values import Value

PIECES = array(row({"before": VARCHAR, "groups": array(VARCHAR), "is_last": BOOLEAN}))


def regexp_like(text: str, pattern: str) -> bool:
    """Return whether the pattern matches anywhere in the text."""
    return compiled(pattern).search(text) is not None


def regexp_count(text: str, pattern: str) -> int:
    """Count the matches."""
    return sum(1 for _ in compiled(pattern).finditer(text))


def regexp_extract(text: str, pattern: str, group: int = 0) -> str | None:
    """Return a group of the first match; None if there is no match."""
    match = _checked(compiled(pattern), group).search(text)
    return match[group] if match else None


def regexp_extract_all(text: str, pattern: str, group: int = 0) -> list[str | None]:
    """Return a group of every match."""
    return [match[group] for match in _checked(compiled(pattern), group).finditer(text)]


def regexp_position(text: str, pattern: str, start: int = 1, occurrence: int = 1) -> int:
    """Return the position of the n-th match; -1 for none."""
    if start < 1:
        raise invalid_argument("start position cannot be smaller than 1")
    if occurrence < 1:
        raise invalid_argument("occurrence cannot be smaller than 1")
    if start > len(text):
        return -1
    for index, match in enumerate(compiled(pattern).finditer(text, start - 1), 1):
        if index == occurrence:
            return match.start() + 1
    return -1


def regexp_replace(text: str, pattern: str, replacement: str = "") -> str:
    """Replace every match. `$1` and `${name}` are groups."""
    regex = compiled(pattern)
    parts = list(_template(replacement, regex))
    return regex.sub(
        lambda match: "".join(part if isinstance(part, str) else match[part[0]] or "" for part in parts), text
    )


def regexp_split(text: str, pattern: str) -> list[str]:
    """Split at every match, and keep the empty parts."""
    parts, at = [], 0
    for match in compiled(pattern).finditer(text):
        parts.append(text[at : match.start()])
        at = match.end()
    # re.split would add the groups of the pattern to the parts.
    return [*parts, text[at:]]


def regexp_pieces(text: str, pattern: str) -> list[dict[str, object]]:
    """Return the text before each match with the groups of the match, and the text after the last match."""
    pieces: list[dict[str, object]] = []
    at = 0
    for match in compiled(pattern).finditer(text):
        pieces.append({"before": text[at : match.start()], "groups": list(match.groups()), "is_last": False})
        at = match.end()
    return [*pieces, {"before": text[at:], "groups": [], "is_last": True}]


def _checked(regex: re.Pattern[str], group: int) -> re.Pattern[str]:
    if group < 0:
        raise invalid_argument("Group cannot be negative")
    if group > regex.groups:
        raise invalid_argument(f"Pattern has {regex.groups} groups. Cannot access group {group}")
    return regex


def _template(replacement: str, regex: re.Pattern[str]) -> Iterator[str | tuple[int | str]]:
    """Read a replacement: a number takes as many digits as there are groups for."""
    at = 0
    while at < len(replacement):
        letter = replacement[at]
        at += 1
        if letter == "\\":
            if at == len(replacement):
                raise invalid_argument(f"Illegal replacement sequence: {replacement}")
            yield replacement[at]
            at += 1
        elif letter != "$":
            yield letter
        elif named := re.compile(r"\{([^}]*)\}").match(replacement, at):
            if named[1] not in regex.groupindex:
                raise invalid_argument(f"Illegal replacement sequence: unknown group {{ {named[1]} }}")
            yield (named[1],)
            at = named.end()
        else:
            number, at = _group_number(replacement, at, regex)
            yield (number,)


def _group_number(replacement: str, at: int, regex: re.Pattern[str]) -> tuple[int, int]:
    first = replacement[at : at + 1]
    if not first.isascii() or not first.isdigit():
        raise invalid_argument(f"Illegal replacement sequence: {replacement}")
    number = int(first)
    if number > regex.groups:
        raise invalid_argument(f"Illegal replacement sequence: unknown group {number}")
    at += 1
    while (digit := replacement[at : at + 1]).isascii() and digit.isdigit():
        # `$12` is group 12 if the pattern has as many groups, else group 1 and a 2.
        if number * 10 + int(digit) > regex.groups:
            break
        number, at = number * 10 + int(digit), at + 1
    return number, at


simple("regexp_like(varchar, varchar) -> boolean", regexp_like)
simple("regexp_count(varchar, varchar) -> bigint", regexp_count)
simple("regexp_extract(varchar, varchar) -> varchar", regexp_extract)
simple("regexp_extract(varchar, varchar, bigint) -> varchar", regexp_extract)
simple("regexp_extract_all(varchar, varchar) -> array(varchar)", regexp_extract_all)
simple("regexp_extract_all(varchar, varchar, bigint) -> array(varchar)", regexp_extract_all)
simple("regexp_position(varchar, varchar) -> integer", regexp_position)
simple("regexp_position(varchar, varchar, integer) -> integer", regexp_position)
simple("regexp_position(varchar, varchar, integer, integer) -> integer", regexp_position)
simple("regexp_split(varchar, varchar) -> array(varchar)", regexp_split)


@function("regexp_replace")
def _replaced(call: Call) -> Value:
    call.expect(2, 3)
    count = len(call.args)
    values = [call.to(index, VARCHAR) for index in range(count)]
    if count == len(call.nodes):
        return call.python(regexp_replace, *values, returns=VARCHAR)
    if count != 2:
        raise call.unexpected("regexp_replace(varchar, joniregexp, function(array(varchar), varchar))")
    body = call.lambda_(2, array(VARCHAR))
    # A lambda is SQL and the matching is Python, so Python cuts the text and SQL replaces.
    pieces = call.python(regexp_pieces, *values, returns=PIECES)
    replaced = f"list_extract(list_transform([struct_extract(\"~p\", 'groups')], {body.sql}), 1)"
    text = (
        f"struct_extract(\"~p\", 'before') || "
        f"CASE WHEN struct_extract(\"~p\", 'is_last') THEN '' ELSE coalesce({replaced}, '') END"
    )
    return Value(f"array_to_string(list_transform({pieces.sql}, lambda \"~p\": {text}), '')", VARCHAR)


@operator(exp.Like, exp.Escape)
def _like(compiler: Expressions, node: exp.Expr) -> Value:
    like, escape = (
        (node.this, compiler.value(node.expression)) if isinstance(node, exp.Escape) else (node, None)
    )
    if not isinstance(like, exp.Like):
        raise syntax("mismatched input 'ESCAPE'", node)
    value, pattern = compiler.value(like.this), compiler.value(like.expression)
    for part, name in ((value, "Left side of LIKE expression"), (pattern, "Pattern for LIKE expression")):
        if not part.type.is_("varchar", "char", "unknown"):
            raise mismatch(f"{name} must evaluate to a varchar (actual: {part.type})", node)
    word = "NOT LIKE" if like.args.get("negate") else "LIKE"
    if escape is None:
        return Value(f"({value.sql} {word} {pattern.sql})", BOOLEAN)
    if escape.is_constant and len(str(escape.constant)) != 1:
        raise QueryError(
            "INVALID_FUNCTION_ARGUMENT", f"{place(node)}: Escape string must be a single character"
        )
    if isinstance(pattern.constant, str) and escape.is_constant:
        _check_escapes(pattern.constant, str(escape.constant))
    return Value(f"({value.sql} {word} {pattern.sql} ESCAPE {escape.sql})", BOOLEAN)


def _check_escapes(pattern: str, escape: str) -> None:
    """Refuse an escape character before anything but a wildcard or itself, which DuckDB would let pass."""
    at = 0
    while at < len(pattern):
        if pattern[at] == escape:
            at += 1
            if pattern[at : at + 1] not in ("%", "_", escape):
                raise QueryError(
                    "INVALID_FUNCTION_ARGUMENT",
                    "Escape character must be followed by '%', '_' or the escape character itself",
                )
        at += 1
