"""Functions of text."""

from __future__ import annotations

from etltctl.local.services.athena.dialect.errors import QueryError
from etltctl.local.services.athena.dialect.functions import text_calls
from etltctl.local.services.athena.dialect.registry import Call, function, simple
from etltctl.local.services.athena.dialect.trino_types import BIGINT, VARCHAR, Type, array, varchar
from etltctl.local.services.athena.dialect.values import Value

# Java's Character.isWhitespace, which leaves out the spaces that do not break a line.
BLANKS = (
    "\t\n\v\f\r\x1c\x1d\x1e\x1f \u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006"
    "\u2008\u2009\u200a\u2028\u2029\u205f\u3000"
)

simple("length(varchar) -> bigint", "length({0})::BIGINT")
simple("length(varbinary) -> bigint", "octet_length({0})::BIGINT")
simple("chr(bigint) -> varchar(1)", text_calls.character)
simple("hamming_distance(varchar, varchar) -> bigint", text_calls.hamming)
simple("levenshtein_distance(varchar, varchar) -> bigint", text_calls.levenshtein)
simple("luhn_check(varchar) -> boolean", text_calls.luhn)
simple("lpad(varchar, bigint, varchar) -> varchar", text_calls.padded_left)
simple("rpad(varchar, bigint, varchar) -> varchar", text_calls.padded_right)
simple("lpad(varbinary, bigint, varbinary) -> varbinary", text_calls.padded_left)
simple("rpad(varbinary, bigint, varbinary) -> varbinary", text_calls.padded_right)
simple("strpos(varchar, varchar) -> bigint", "strpos({0}, {1})::BIGINT")
simple("strpos(varchar, varchar, bigint) -> bigint", text_calls.position)
simple("position(varchar, varchar) -> bigint", "strpos({1}, {0})::BIGINT")
simple("replace(varchar, varchar) -> varchar", text_calls.removed)
simple("replace(varchar, varchar, varchar) -> varchar", text_calls.replaced)
simple("soundex(varchar) -> varchar(4)", text_calls.soundex)
simple("split(varchar, varchar) -> array(varchar)", text_calls.split)
simple("split(varchar, varchar, bigint) -> array(varchar)", text_calls.split_limited)
simple("split_to_map(varchar, varchar, varchar) -> map(varchar, varchar)", text_calls.split_to_map)
simple(
    "split_to_multimap(varchar, varchar, varchar) -> map(varchar, array(varchar))",
    text_calls.split_to_multimap,
)
simple("starts_with(varchar, varchar) -> boolean", "starts_with({0}, {1})")
simple("translate(varchar, varchar, varchar) -> varchar", text_calls.translated)


def _same(kind: Type) -> Type:
    """Return the type of a text no longer than another."""
    return kind if kind.is_("varchar") else VARCHAR


@function("upper", "lower")
def _cased(call: Call) -> Value:
    call.expect(1)
    return Value(f"{call.name}({call.to(0, VARCHAR).sql})", _same(call.types[0]))


@function("trim", "ltrim", "rtrim")
def _trimmed(call: Call) -> Value:
    call.expect(1, 2)
    characters = call.to(1, VARCHAR).sql if len(call.nodes) == 2 else f"'{BLANKS}'"
    return Value(f"{call.name}({call.to(0, VARCHAR).sql}, {characters})", _same(call.types[0]))


@function("substr", "substring")
def _part(call: Call) -> Value:
    call.expect(2, 3)
    if call.types[0].is_("varbinary"):
        numbers = [call.to(index, BIGINT) for index in range(1, len(call.nodes))]
        return call.python(text_calls.part, call.args[0], *numbers, returns=call.types[0])
    text, start = call.to(0, VARCHAR).sql, call.to(1, BIGINT).sql
    length = f", greatest({call.to(2, BIGINT).sql}, 0)" if len(call.nodes) == 3 else ""
    # DuckDB counts position 0 as the place before the first character; Trino returns nothing for it. A negative
    # start before the first character is nothing, too.
    inside = f"{start} = 0 OR {start} < -length({text})"
    taken = f"substring({text}, {start}{length})"
    return Value(f"(CASE WHEN {inside} THEN '' ELSE {taken} END)", _same(call.types[0]))


@function("split_part")
def _split_part(call: Call) -> Value:
    call.expect(3)
    values = [call.to(0, VARCHAR), call.to(1, VARCHAR), call.to(2, BIGINT)]
    return call.python(text_calls.split_part, *values, returns=_same(call.types[0]))


@function("codepoint")
def _codepoint(call: Call) -> Value:
    call.expect(1)
    kind = call.types[0]
    if not kind.is_("unknown") and not (kind.is_text and kind.parameters and kind.number <= 1):
        raise call.unexpected("codepoint(varchar(1))")
    return call.python(text_calls.codepoint, call.to(0, VARCHAR), returns=Type("integer"))


@function("reverse")
def _reversed(call: Call) -> Value:
    call.expect(1)
    kind = call.types[0]
    if kind.is_("array"):
        return Value(f"list_reverse({call.args[0].sql})", kind)
    if kind.is_("varbinary"):
        return call.python(text_calls.reversed_bytes, call.args[0], returns=kind)
    return call.python(text_calls.reversed_text, call.to(0, VARCHAR), returns=_same(kind))


@function("concat")
def _concat(call: Call) -> Value:
    if len(call.nodes) < 2:
        raise QueryError("INVALID_FUNCTION_ARGUMENT", "There must be two or more concatenation arguments")
    first = next((kind for kind in call.types if kind.is_("array", "varbinary")), None)
    if first is not None and first.is_("array"):
        from etltctl.local.services.athena.dialect.functions.arrays import concatenated

        return concatenated(call)
    kind = first or VARCHAR
    values = [call.to(index, kind).sql for index in range(len(call.nodes))]
    return Value(f"({' || '.join(values)})", kind)


@function("concat_ws")
def _concat_ws(call: Call) -> Value:
    if len(call.nodes) < 2:
        raise call.unexpected("concat_ws(varchar, varchar)")
    if call.types[1].is_("array"):
        call.expect(2)
        kinds = (VARCHAR, array(VARCHAR))
        values = [call.to(index, kind) for index, kind in enumerate(kinds)]
        return call.python(text_calls.joined, *values, returns=VARCHAR)
    texts = ", ".join(call.to(index, VARCHAR).sql for index in range(1, len(call.nodes)))
    return call.python(
        text_calls.joined, call.to(0, VARCHAR), Value(f"[{texts}]", array(VARCHAR)), returns=VARCHAR
    )


@function("normalize")
def _normalize(call: Call) -> Value:
    call.expect(1, 2)
    form = call.to(1, VARCHAR) if len(call.nodes) == 2 else Value("'NFC'", varchar(3))
    return call.python(text_calls.normalized, call.to(0, VARCHAR), form, returns=VARCHAR)
