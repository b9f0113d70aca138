"""Rows of JSON: the SerDes of OpenX and of Hive's HCatalog."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from etltctl.hive import HiveType
from etltctl.local.services.athena.dialect import QueryError
from etltctl.local.services.athena.sources.delimited import Columns, Row, bad_field
from etltctl.local.services.athena.sources.values import converter


class Number(str):
    """A number as the text has it, so that a column of texts shows it unchanged."""

    __slots__ = ()


def openx(columns: Columns, indices: Sequence[int], parameters: Mapping[str, str]) -> Row:
    """Return the reader of a line that holds one object of JSON."""
    is_folded = _is_true(parameters, "case.insensitive", default=True)
    has_dots = _is_true(parameters, "dots.in.keys")
    skips_malformed = _is_true(parameters, "ignore.malformed.json")
    is_lenient = _is_true(parameters, "use.null.for.invalid.data")
    renamed = {
        name.removeprefix("mapping."): key for name, key in parameters.items() if name.startswith("mapping.")
    }

    def key_of(key: str) -> str:
        key = key.lower() if is_folded else key
        return key.replace(".", "_") if has_dots else key

    def named(name: str) -> str:
        key = renamed.get(name, name)
        return key.lower() if is_folded else key

    parse = partial(_parsed, key_of=key_of)
    malformed = "Row is not a valid JSON Object - JSONException: "
    return _reader(
        columns, indices, parse, named, is_lenient=is_lenient, skips=skips_malformed, malformed=malformed
    )


def hcatalog(columns: Columns, indices: Sequence[int], parameters: Mapping[str, str]) -> Row:
    """Return the reader of a line that holds one object of JSON, as Hive reads it."""
    skips = _is_true(parameters, "ignore.malformed.json")
    parse = partial(_parsed, key_of=str.lower)
    return _reader(
        columns, indices, parse, str.lower, is_lenient=False, skips=skips, malformed="JsonParseException: "
    )


def _reader(
    columns: Columns,
    indices: Sequence[int],
    parse: Callable[[str], Any],
    named: Callable[[str], str],
    *,
    is_lenient: bool,
    skips: bool,
    malformed: str,
) -> Row:
    chosen = [(index, named(columns[index][0]), columns[index][1]) for index in indices]

    def row(line: str) -> list[Any] | None:
        if not line.strip():  # an empty line is not a row
            return None
        try:
            content = parse(line)
            if not isinstance(content, dict):
                raise ValueError("A JSONObject text must begin with '{'")
        except ValueError as error:
            # "Skip" is the guide's word, but the row stays, with every column null.
            if skips:
                return [None] * len(chosen)
            raise QueryError("HIVE_CURSOR_ERROR", f"{malformed}{error}") from error
        return [_value(content.get(key), kind, index, key, is_lenient) for index, key, kind in chosen]

    return row


def _value(value: Any, kind: HiveType, index: int, name: str, is_lenient: bool) -> Any:
    try:
        return _converted(value, kind)
    except (ValueError, OverflowError) as error:
        if is_lenient:
            return None
        raise bad_field(value if isinstance(value, str) else _text(value), index, name) from error


def _converted(value: Any, kind: HiveType) -> Any:
    """Return a value of JSON as one of a Hive type; raises ValueError if it is not one."""
    if value is None:
        return None
    if kind.name == "array":
        if not isinstance(value, list):
            raise ValueError(value)
        return [_converted(one, kind.parts["element"]) for one in value]
    if kind.name == "map":
        if not isinstance(value, dict):
            raise ValueError(value)
        key, inner = kind.parts["key"], kind.parts["value"]
        return [(_converted(name, key), _converted(one, inner)) for name, one in value.items()]
    if kind.name == "struct":
        if not isinstance(value, dict):
            raise ValueError(value)
        return {
            name: _converted(value.get(name.lower(), value.get(name)), part)
            for name, part in kind.parts.items()
        }
    text = value if isinstance(value, str) else _text(value)
    # 1.0 and 1e3 are integers for both SerDes, which ask the parser for a number, not for its text.
    if isinstance(value, Number) and kind.name in ("tinyint", "smallint", "int", "integer", "bigint"):
        text = str(int(float(text))) if set(text) & set(".eE") else text
    return converter(kind)(text)


def _text(value: Any) -> str:
    """Return a value as a column of texts shows it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return _dumped(value)


def _dumped(value: Any) -> str:
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, dict):
        return (
            "{"
            + ",".join(f"{json.dumps(key, ensure_ascii=False)}:{_dumped(one)}" for key, one in value.items())
            + "}"
        )
    if isinstance(value, list):
        return "[" + ",".join(map(_dumped, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _parsed(line: str, key_of: Callable[[str], str]) -> Any:
    def object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        content: dict[str, Any] = {}
        for name, value in pairs:
            key = key_of(name)
            # Two keys that differ in case only are one key, and that is malformed.
            if key in content:
                raise ValueError(f'Duplicate key "{key}"')
            content[key] = value
        return content

    return json.loads(line, object_pairs_hook=object_of, parse_int=Number, parse_float=Number)


def _is_true(parameters: Mapping[str, str], name: str, *, default: bool = False) -> bool:
    return parameters.get(name, str(default)).strip().lower() == "true"
