"""The values of a connector's config as `--set KEY=VALUE` gives them: each a JSON value, or else text."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from etltctl.settings.toml_tables import LARGEST, key_text, leaves

# A value that begins so is meant as JSON: as text it would reach the connector with its brackets.
JSON_STARTS = ("{", "[", '"')


@dataclass(frozen=True)
class Fault:
    """A part of a value that no settings file can hold, in words that do not repeat it."""

    text: str


NO_NULL = Fault("TOML has no null")
NO_TEXT = Fault("half a character (a lone surrogate of UTF-16) is not text")
TWICE = Fault("the key is given twice")


@dataclass(frozen=True)
class ConfigOption:
    """One `--set`.

    Attributes:
        text: The option as it was given.
        key: The key in the connector's config; empty if the option has none.
        value: The value. A part of it that cannot be written is a `Fault`.
    """

    text: str = field(repr=False)
    key: str
    value: Any = field(repr=False)

    @property
    def values(self) -> list[tuple[tuple[str, ...], Any]]:
        """Every value within the option, with its path."""
        return list(leaves({self.key: self.value}, in_lists=True))

    @property
    def faults(self) -> list[str]:
        """What cannot be written, each with its place within the option."""
        return [
            f"--set {key_text(path)}: {value.text}" for path, value in self.values if isinstance(value, Fault)
        ]


def config_options(texts: Sequence[str]) -> list[ConfigOption]:
    """Return each `--set` with its key and its value.

    Args:
        texts: What stands behind each `--set`.
    """
    options: list[ConfigOption] = []
    for text in texts:
        key, equals, value = text.partition("=")
        name = key.strip() if equals else ""
        is_known = name in [option.key for option in options]
        parsed = TWICE if is_known else _parsed(value)
        options.append(ConfigOption(text, name, parsed))
    return options


def _parsed(text: str) -> Any:
    """Return a JSON value such as 5, true or "5", or else the text."""
    try:
        value = json.loads(
            text,
            parse_int=_whole,
            parse_float=_number,
            parse_constant=lambda word: Fault(f"JSON has no {word}; a text of it stands in double quotes"),
            object_pairs_hook=_table,
        )
    except json.JSONDecodeError as error:
        if not text.lstrip().startswith(JSON_STARTS):
            return _text(text)
        return Fault(f"is not valid JSON at character {error.pos + 1}; a text stands in double quotes")
    except RecursionError:
        return Fault("too many tables or lists lie within each other")
    return _written(value)


def _whole(digits: str) -> int | Fault:
    # Python reads no number of thousands of digits. The shorter ones would be another number in other readers of TOML.
    if len(digits) > len(str(LARGEST)) + 1 or not -LARGEST <= int(digits) < LARGEST:
        return Fault("the number does not fit into 64 bits; as text it stands in double quotes")
    return int(digits)


def _number(digits: str) -> float | Fault:
    number = float(digits)
    return number if math.isfinite(number) else Fault("the number is too large")


def _table(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for key, value in pairs:
        table[key] = TWICE if key in table else value
    return table


def _written(value: Any) -> Any:
    """Return a value with a fault in place of each part that TOML cannot hold."""
    if isinstance(value, dict):
        return {_shown(key): _written(each) if _is_text(key) else NO_TEXT for key, each in value.items()}
    if isinstance(value, list):
        return [_written(each) for each in value]
    if value is None:
        return NO_NULL
    return _text(value) if isinstance(value, str) else value


def _text(text: str) -> str | Fault:
    return text if _is_text(text) else NO_TEXT


def _is_text(text: str) -> bool:
    return _shown(text) == text


def _shown(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")
