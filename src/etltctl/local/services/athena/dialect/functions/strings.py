"""Functions of strings and of URLs, and the string forms with a grammar: `a || b`, TRIM, POSITION, SUBSTRING."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import parse_qsl, quote_plus, unquote_plus, urlsplit

from sqlglot import exp

from etltctl.local.services.athena.dialect import casts
from etltctl.local.services.athena.dialect.errors import QueryError, invalid_argument, mismatch
from etltctl.local.services.athena.dialect.expressions import Expressions, operator
from etltctl.local.services.athena.dialect.functions import string_algorithms
from etltctl.local.services.athena.dialect.functions.array_constructors import concatenated
from etltctl.local.services.athena.dialect.registry import Call, Modifiers, function, simple
from etltctl.local.services.athena.dialect.trino_types import BIGINT, VARCHAR, Type, array, varchar
from etltctl.local.services.athena.dialect.values import Value

# Java's Character.isWhitespace, which leaves out the spaces that do not break a line.
BLANKS = (
    "\t\n\v\f\r\x1c\x1d\x1e\x1f \u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006"
    "\u2008\u2009\u200a\u2028\u2029\u205f\u3000"
)


simple("length(varchar) -> bigint", "length({0})::BIGINT")
simple("length(varbinary) -> bigint", "octet_length({0})::BIGINT")
simple("chr(bigint) -> varchar(1)", string_algorithms.character)
simple("hamming_distance(varchar, varchar) -> bigint", string_algorithms.hamming)
simple("levenshtein_distance(varchar, varchar) -> bigint", string_algorithms.levenshtein)
simple("luhn_check(varchar) -> boolean", string_algorithms.luhn)
simple("lpad(varchar, bigint, varchar) -> varchar", string_algorithms.padded_left)
simple("rpad(varchar, bigint, varchar) -> varchar", string_algorithms.padded_right)
simple("lpad(varbinary, bigint, varbinary) -> varbinary", string_algorithms.padded_left)
simple("rpad(varbinary, bigint, varbinary) -> varbinary", string_algorithms.padded_right)
simple("strpos(varchar, varchar) -> bigint", "strpos({0}, {1})::BIGINT")
simple("strpos(varchar, varchar, bigint) -> bigint", string_algorithms.position)
# Arguments of POSITION(part IN text) come the other way round.
simple("position(varchar, varchar) -> bigint", "strpos({1}, {0})::BIGINT")
simple("replace(varchar, varchar) -> varchar", string_algorithms.removed)
simple("replace(varchar, varchar, varchar) -> varchar", string_algorithms.replaced)
simple("soundex(varchar) -> varchar(4)", string_algorithms.soundex)
simple("split(varchar, varchar) -> array(varchar)", string_algorithms.split)
simple("split(varchar, varchar, bigint) -> array(varchar)", string_algorithms.split_limited)
simple("split_to_map(varchar, varchar, varchar) -> map(varchar, varchar)", string_algorithms.split_to_map)
simple(
    "split_to_multimap(varchar, varchar, varchar) -> map(varchar, array(varchar))",
    string_algorithms.split_to_multimap,
)
simple("starts_with(varchar, varchar) -> boolean", "starts_with({0}, {1})")
simple("translate(varchar, varchar, varchar) -> varchar", string_algorithms.translated)


def _same(kind: Type) -> Type:
    """Return the type of a text no longer than another."""
    return kind if kind.is_("varchar") else VARCHAR


@function("upper", "lower")
def _cased(call: Call) -> Value:
    call.expect(1)
    text = call.to(0, VARCHAR).sql
    if call.name == "lower":
        return Value(f"lower({text})", _same(call.types[0]))
    # Java has no capital of ß for a single character and leaves it; DuckDB would write ẞ.
    parts = f"list_transform(string_split({text}, 'ß'), lambda part: upper(part))"
    kept = f"array_to_string({parts}, 'ß')"
    return Value(
        f"(CASE WHEN contains({text}, 'ß') THEN {kept} ELSE upper({text}) END)", _same(call.types[0])
    )


@function("trim", "ltrim", "rtrim")
def _trimmed(call: Call) -> Value:
    call.expect(1, 2)
    # DuckDB's trim removes spaces only; Trino's also tabs and line ends.
    characters = call.to(1, VARCHAR).sql if len(call.nodes) == 2 else f"'{BLANKS}'"
    return Value(f"{call.name}({call.to(0, VARCHAR).sql}, {characters})", _same(call.types[0]))


@function("substr", "substring")
def _part(call: Call) -> Value:
    call.expect(2, 3)
    if call.types[0].is_("varbinary"):
        numbers = [call.to(index, BIGINT) for index in range(1, len(call.nodes))]
        return call.python(string_algorithms.part, call.args[0], *numbers, returns=call.types[0])
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
    # DuckDB counts a negative index from the end. Trino refuses it.
    values = [call.to(0, VARCHAR), call.to(1, VARCHAR), call.to(2, BIGINT)]
    return call.python(string_algorithms.split_part, *values, returns=_same(call.types[0]))


@function("codepoint")
def _codepoint(call: Call) -> Value:
    call.expect(1)
    kind = call.types[0]
    if not kind.is_("unknown") and not (kind.is_text and kind.parameters and kind.number <= 1):
        raise call.unexpected("codepoint(varchar(1))")
    return call.python(string_algorithms.codepoint, call.to(0, VARCHAR), returns=Type("integer"))


@function("reverse")
def _reversed(call: Call) -> Value:
    call.expect(1)
    kind = call.types[0]
    if kind.is_("array"):
        return Value(f"list_reverse({call.args[0].sql})", kind)
    if kind.is_("varbinary"):
        return call.python(string_algorithms.reversed_bytes, call.args[0], returns=kind)
    # DuckDB reverses by what a reader sees as one character, Trino by code points: an accent can change its
    # letter.
    return call.python(string_algorithms.reversed_text, call.to(0, VARCHAR), returns=_same(kind))


@function("concat")
def _concat(call: Call) -> Value:
    if len(call.nodes) < 2:
        raise QueryError("INVALID_FUNCTION_ARGUMENT", "There must be two or more concatenation arguments")
    first = next((kind for kind in call.types if kind.is_("array", "varbinary")), None)
    if first is not None and first.is_("array"):
        from etltctl.local.services.athena.dialect.functions.array_constructors import concatenated

        return concatenated(call)
    kind = first or VARCHAR
    values = [call.to(index, kind).sql for index in range(len(call.nodes))]
    # A null makes the whole null. DuckDB's concat would leave it out.
    return Value(f"({' || '.join(values)})", kind)


@function("concat_ws")
def _concat_ws(call: Call) -> Value:
    if len(call.nodes) < 2:
        raise call.unexpected("concat_ws(varchar, varchar)")
    if call.types[1].is_("array"):
        call.expect(2)
        kinds = (VARCHAR, array(VARCHAR))
        values = [call.to(index, kind) for index, kind in enumerate(kinds)]
        return call.python(string_algorithms.joined, *values, returns=VARCHAR)
    texts = ", ".join(call.to(index, VARCHAR).sql for index in range(1, len(call.nodes)))
    return call.python(
        string_algorithms.joined, call.to(0, VARCHAR), Value(f"[{texts}]", array(VARCHAR)), returns=VARCHAR
    )


@function("normalize")
def _normalize(call: Call) -> Value:
    call.expect(1, 2)
    form = call.to(1, VARCHAR) if len(call.nodes) == 2 else Value("'NFC'", varchar(3))
    return call.python(string_algorithms.normalized, call.to(0, VARCHAR), form, returns=VARCHAR)


@operator(exp.DPipe)
def _joined(compiler: Expressions, node: exp.Expr) -> Value:
    call = Call("concat", [node.this, node.expression], compiler, Modifiers(), node)
    one, other = call.types
    if one.is_("array") or other.is_("array"):
        return concatenated(call)
    kind = _common(one, other)
    if kind is None:
        raise mismatch(f"Cannot apply operator: {one} || {other}", node)
    left, right = (casts.coerced(value, kind).sql for value in call.args)
    # DuckDB would also join numbers: `1 || 'a'` is a TYPE_MISMATCH in Trino.
    return Value(f"({left} || {right})", kind)


def _common(one: Type, other: Type) -> Type | None:
    """Return the type that two values are joined as; a number is not turned into a text."""
    if all(kind.is_("varchar", "char", "unknown") for kind in (one, other)):
        return VARCHAR
    if all(kind.is_("varbinary", "unknown") for kind in (one, other)):
        return Type("varbinary")
    return None


@operator(exp.Trim)
def _trim_form(compiler: Expressions, node: exp.Expr) -> Value:
    position = str(node.args.get("position") or "BOTH").upper()
    name = {"BOTH": "trim", "LEADING": "ltrim", "TRAILING": "rtrim"}[position]
    characters = node.args.get("expression")
    return compiler.call(name, [node.this, *([characters] if characters is not None else [])], node)


@operator(exp.StrPosition)
def _position(compiler: Expressions, node: exp.Expr) -> Value:
    return compiler.call("position", [node.args["substr"], node.this], node)


@operator(exp.Substring)
def _substring(compiler: Expressions, node: exp.Expr) -> Value:
    parts = [node.this, node.args.get("start"), node.args.get("length")]
    return compiler.call("substring", [part for part in parts if part is not None], node)


@operator(exp.Normalize)
def _normalized(compiler: Expressions, node: exp.Expr) -> Value:
    form = node.args.get("form")
    arguments = [node.this, *([exp.Literal.string(form.name.upper())] if form else [])]
    return compiler.call("normalize", arguments, node)


URL = re.compile(r"[^\s<>\"{}|\\^`]*")


def url_encode(text: str) -> str:
    """Encode a text for the query of a URL."""
    # Java's URLEncoder leaves `*-._` as they are, Python's quote_plus `_.-~`.
    return quote_plus(text, safe="*-._").replace("~", "%7E")


def url_decode(text: str) -> str:
    """Decode a text from the query of a URL."""
    if re.search(r"%(?![0-9A-Fa-f]{2})", text):
        raise invalid_argument(f"URLDecoder: Illegal hex characters in escape (%) pattern - {text}")
    return unquote_plus(text)


def _url_part(name: str, key: str) -> Callable[[str], str | None]:
    """Return the function that returns a part of a URL."""

    def extracted(url: str) -> str | None:
        return _taken(url, key)

    extracted.__name__ = name
    return extracted


def url_extract_port(url: str) -> int | None:
    """Return the port; None if the URL has none."""
    try:
        return urlsplit(url).port if URL.fullmatch(url) else None
    except ValueError:
        return None


def url_extract_parameter(url: str, name: str) -> str | None:
    """Return the value of the first parameter with the name."""
    query = _taken(url, "raw_query")
    for key, value in parse_qsl(query or "", keep_blank_values=True):
        if key == name:
            return value
    return None


def _taken(url: str, what: str) -> str | None:
    """Return a part of a URL: an empty text if the URL lacks it, None if it is not a URL."""
    if not URL.fullmatch(url) or re.search(r"%(?![0-9A-Fa-f]{2})", url):
        return None
    try:
        parts = urlsplit(url)
    except ValueError:
        return None
    scheme = url.partition(":")[0] if parts.scheme else ""
    # Java's URI keeps the case of a host, which urlsplit's `hostname` would lower.
    host = parts.netloc.rpartition("@")[2]
    host = re.sub(r":\d*$", "", host)
    query = unquote_plus(parts.query.replace("+", "%2B"))
    held = {
        "scheme": scheme,
        "host": host,
        "path": unquote_plus(parts.path.replace("+", "%2B")),
        "query": query,
        "raw_query": parts.query,
        "fragment": unquote_plus(parts.fragment.replace("+", "%2B")),
    }
    return held[what]


for _name, _key in (
    ("protocol", "scheme"),
    ("host", "host"),
    ("path", "path"),
    ("query", "query"),
    ("fragment", "fragment"),
):
    simple(f"url_extract_{_name}(varchar) -> varchar", _url_part(f"url_extract_{_name}", _key))
simple("url_extract_port(varchar) -> bigint", url_extract_port)
simple("url_extract_parameter(varchar, varchar) -> varchar", url_extract_parameter)
simple("url_encode(varchar) -> varchar", url_encode)
simple("url_decode(varchar) -> varchar", url_decode)
