"""The settings, from the models that check them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from etltctl.settings import Settings


@dataclass(frozen=True)
class Setting:
    """One key of the settings, each part in the words of the reference."""

    section: str
    name: str
    value: str
    default: str
    meaning: str

    @property
    def key(self) -> str:
        """The key with its section."""
        return f"{self.section}.{self.name}" if self.section else self.name


def all_settings() -> list[Setting]:
    """Return every setting, section by section."""
    schema = Settings.model_json_schema()
    return list(_walk("", schema, schema["$defs"]))


def sections() -> dict[str, str]:
    """Return the docstring of each section's model, by the section's name."""
    schema = Settings.model_json_schema()
    meanings = {}
    pending = _below("", schema, schema["$defs"])
    # The list grows while it is walked: the sections of a section come after it.
    for section, inner in (queue := list(pending)):
        meanings[section] = inner.get("description", "")
        queue += _below(section, inner, schema["$defs"])
    return meanings


def settings_reference() -> str:
    """Return a table for each section: its keys, what each may be, its default and its meaning."""
    meanings, parts = sections(), []
    for section, settings in groupby(all_settings(), key=lambda setting: setting.section):
        parts.append(f"## {f'[{section}]' if section else 'At the top'}\n")
        if section:
            parts.append(f"{meanings[section]}\n")
        parts += ["| key | value | default | meaning |", "| --- | --- | --- | --- |"]
        parts += [f"| `{each.name}` | {each.value} | {each.default} | {each.meaning} |" for each in settings]
        parts.append("")
    return "\n".join(parts)


def _walk(section: str, schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Iterator[Setting]:
    """Yield the section's own keys first, then the sections below it."""
    below = dict(_below(section, schema, definitions))
    for name, raw in schema.get("properties", {}).items():
        inner = _resolved(raw, definitions)
        if "properties" in inner or _is_table_of_sections(inner) or name == "env":
            continue
        default = "required" if name in schema.get("required", ()) else _shown(inner.get("default"))
        yield Setting(section, name, _what(inner, definitions), default, inner.get("description", ""))
    for path, inner in below.items():
        yield from _walk(path, inner, definitions)


def _below(
    section: str, schema: Mapping[str, Any], definitions: Mapping[str, Any]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the sections directly below this one, by their whole name."""
    for name, raw in schema.get("properties", {}).items():
        inner = _resolved(raw, definitions)
        path = f"{section}.{name}" if section else name
        if "properties" in inner:
            yield path, inner
        elif _is_table_of_sections(inner):
            for kind, each in _kinds(inner["additionalProperties"], definitions):
                yield f"{path}.{kind or 'NAME'}", each


def _resolved(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in schema:
        return schema
    return {
        **definitions[schema["$ref"].rpartition("/")[2]],
        **{k: v for k, v in schema.items() if k != "$ref"},
    }


def _is_table_of_sections(schema: Mapping[str, Any]) -> bool:
    more = schema.get("additionalProperties")
    return isinstance(more, Mapping) and bool({"$ref", "oneOf"} & set(more))


def _kinds(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the sections a table holds; where they are of several kinds, by the kind in brackets."""
    # pydantic writes a union that `kind` decides as oneOf, and other unions as anyOf.
    if "oneOf" not in schema:
        return [("", _resolved(schema, definitions))]
    variants = [_resolved(each, definitions) for each in schema["oneOf"]]
    return [(f"NAME ({each['properties']['kind']['const']})", each) for each in variants]


def _what(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """Return what the value may be, in words."""
    schema = _resolved(schema, definitions)
    if "anyOf" in schema:
        return " or ".join(
            dict.fromkeys(_what(each, definitions) for each in schema["anyOf"] if each.get("type") != "null")
        )
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    kind = schema.get("type", "any")
    if kind == "array":
        return f"list of {_what(schema.get('items', {}), definitions)}"
    limits = [
        f"{word} {schema[name]:.12g}"
        for name, word in (
            ("minimum", "at least"), ("exclusiveMinimum", "more than"),
            ("maximum", "at most"), ("exclusiveMaximum", "less than"),
        )
        if name in schema
    ]  # fmt: skip
    # The words of TOML, for readers who know no JSON schema.
    words = {"string": "text", "integer": "whole number", "boolean": "true or false", "object": "table"}
    return ", ".join([words.get(kind, kind), *limits])


def _shown(value: Any) -> str:
    if value in (None, {}, ""):
        return ""
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, list):
        return f"`{value}`".replace("'", '"')
    return f"`{value}`"
