"""The problems of the settings in plain words, each with its place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from etltctl.errors import ConfigurationError, guess_text
from etltctl.settings.layers import KeyPath, Layer, first_layer
from etltctl.settings.secrets import is_secret, without_secrets
from etltctl.settings.section import Section
from etltctl.settings.sources import KINDS

LIMITS = {
    "greater_than": "more than",
    "greater_than_equal": "at least",
    "less_than": "less than",
    "less_than_equal": "at most",
}
# By pydantic's type of error. Its texts speak of Python (`Input should be a valid dictionary`); the file is TOML.
PLAIN_WORDS = {
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "list_type": "must be a list",
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "missing": "is missing",
    "too_short": "must not be empty",
}
# Settings of a source that may hold a secret in a place where none belongs, such as an address with a token.
OF_CONNECTOR = re.compile(r"sources\.[^.]+\.(config(\..*)?|package|connection_id)")
# An example of each value without which a section means nothing.
EXAMPLES = {
    "base_url": '"https://api.jolpi.ca/ergast/f1"',
    "collections": '["orders"]',
    "database": '"shop"',
    "file": '"sql/NAME.sql"',
    "script": '"glue_jobs/NAME.py"',
    "seasons": "[2024]",
    "steps": '["sync:SOURCE", "glue:JOB", "athena:refresh"]',
    "uri": '"env:MONGODB_URI"',
}
# Other words for the two values, which shells and other tools have. A setting has true and false only, in the file and
# in a variable, so that both accept the same.
BOOLEANS = {
    **dict.fromkeys(("1", "yes", "on", "y", "t"), "true"),
    **dict.fromkeys(("0", "no", "off", "n", "f"), "false"),
}


def complaint(problems: list[str]) -> ConfigurationError:
    """Build the error for these problems, each with its place."""
    # Environments share most of their values, and so their problems: each is counted once.
    unique = tuple(dict.fromkeys(problems))
    count = "1 problem" if len(unique) == 1 else f"{len(unique)} problems"
    return ConfigurationError(f"{count} in the settings", problems=unique)


def problem(error: Any, layers: list[Layer]) -> str:
    """Return a complaint of pydantic in the words of the settings, with its place.

    Args:
        error: One of `ValidationError.errors()`.
        layers: The settings from their places, the topmost first.
    """
    loc = error["loc"]
    # The same where a value may be true, false or a word: the type that was tried is not a key.
    if error["type"].startswith("bool_") and loc[-1] == "bool":
        loc = loc[:-1]
    keys, numbered = _keys(loc), _keys(loc, numbered=True)
    # pydantic reports the whole source, although the key `kind` is what is wrong.
    if error["type"].startswith("union_tag"):
        keys, numbered = (*keys, "kind"), (*numbered, "kind")
    place = first_layer(layers, numbered).complaint_place(numbered)
    # A key that is missing has no place. The section around it has one.
    if error["type"] in ("missing", "union_tag_not_found"):
        place = _section_place(numbered, layers)
    if error["type"] == "extra_forbidden":
        return f"{place}: unknown setting {'.'.join(keys)}{_guess(loc, keys[-1])}"
    text = _plain_words(error)
    if error["type"] == "missing" and (example := EXAMPLES.get(keys[-1])):
        text = f"{text}: add {keys[-1]} = {example} to [{'.'.join(keys[:-1])}]"
    # The value may be the secret itself, and errors end up in logs.
    if is_secret(".".join(keys)) or OF_CONNECTOR.fullmatch(".".join(keys)):
        text = text.partition(", got ")[0]
    text = without_secrets(text)
    return f"{place}: {'.'.join(keys)} {text}{_spelling(error, place)}"


def _spelling(error: Any, place: str) -> str:
    """Return how the value has to be written, if it is clear what is meant; else nothing."""
    value = str(error["input"])
    if error["type"].startswith("bool_") and (word := BOOLEANS.get(value.lower())):
        return f": write {word}"
    # A variable holds a value of TOML, so that digits alone are a number.
    if error["type"] == "string_type" and place.startswith("env ") and value.isascii() and value.isalnum():
        return f""": write it in quotes, '"{value}"'"""
    return ""


def _guess(loc: tuple[Any, ...], key: str) -> str:
    """Return the setting that an unknown one may mean, or where it belongs."""
    source = KINDS.get(str(loc[2])) if loc[0] == "sources" and len(loc) > 3 else None
    if source is None:
        return guess_text(key, _every_key())
    others = [kind for kind, each in KINDS.items() if key in each.model_fields]
    if others:
        return f", which is a setting of kind {' and '.join(others)}"
    near = guess_text(key, source.model_fields)
    if not near and "config" in source.model_fields:
        return f": if it is a setting of the connector, it stands in {loc[0]}.{loc[1]}.config"
    return near


def _every_key() -> set[str]:
    """Return the name of every setting, to guess the meaning of an unknown one."""
    # The list grows while it is read, so that sections of sections are reached too.
    sections = [Section]
    for section in sections:
        sections += section.__subclasses__()
    return {name for section in sections for name in section.model_fields}


def _section_place(path: KeyPath, layers: list[Layer]) -> str:
    """Return the place of the section that lacks the key: the nearest table around it with a known place."""
    for length in range(len(path) - 1, 0, -1):
        layer = first_layer(layers, path[:length])
        if layer.data:
            return layer.complaint_place(path[:length])
    return first_layer(layers, path).complaint_place(path)


def _keys(steps: tuple[Any, ...], *, numbered: bool = False) -> KeyPath:
    """Return pydantic's path without positions in lists, unless `numbered`, and without the kind of source it tried."""
    path = [str(step) for step in steps if numbered or not isinstance(step, int)]
    # pydantic adds the kind to the path of a source, although no such table is in the file.
    if path[:1] == ["sources"] and len(path) > 2:
        del path[2]
    # Where a value may be of several types, pydantic names the type that it tried at the end of the path.
    if path[-1].startswith(("list[", "literal[", "[key]")):
        del path[-1]
    return tuple(path)


def _plain_words(error: Any) -> str:
    kind, limits = error["type"], error.get("ctx", {})
    if kind.startswith("union_tag"):
        guess = (
            _kind_guess(str(limits.get("tag", "")), error["input"]) if error["loc"][0] == "sources" else ""
        )
        return f"must be one of {limits.get('expected_tags', ', '.join(map(repr, KINDS)))}{guess}"
    if "literal" in kind or kind == "literal_error":
        return f"must be {limits['expected']}, got {_given(error['input'])}"
    if kind in LIMITS:
        return f"must be {LIMITS[kind]} {next(iter(limits.values()))}, got {_given(error['input'])}"
    if kind == "value_error":
        return str(error["msg"]).removeprefix("Value error, ")
    text = PLAIN_WORDS.get(kind, str(error["msg"]))
    return text if kind == "missing" else f"{text}, got {_given(error['input'])}"


def _given(value: Any) -> str:
    """Return a value as an error repeats it. What a table or a list holds may be a secret."""
    if isinstance(value, Mapping):
        return "a table"
    return "a list" if isinstance(value, list) else repr(value)


def _kind_guess(named: str, source: Any) -> str:
    """Return the kind that is meant by a misspelt one: that of the most similar name, or of the source's settings."""
    if near := guess_text(named, KINDS):
        return near
    keys = set(source) if isinstance(source, Mapping) else set()
    fitting = {kind: len(keys & each.model_fields.keys()) for kind, each in KINDS.items()}
    best = [kind for kind, count in fitting.items() if count == max(fitting.values())]
    return f", did you mean {best[0]}?" if len(best) == 1 else ""
