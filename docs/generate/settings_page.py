"""The settings, from the models that check them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from etltctl.settings import Settings
from etltctl.settings.files import project_file
from generate.meanings import MEANINGS, SECTIONS

Key = tuple[str, str, str]  # key, what it may be, default


def keys() -> dict[str, list[Key]]:
    """Every setting, by its section."""
    schema = Settings.model_json_schema()
    shipped = tomllib.loads(project_file("etltctl.toml").read_text("utf-8"))
    found: dict[str, list[Key]] = {}
    for section, name, told, default in _walk("", schema, schema["$defs"], shipped):
        found.setdefault(section, []).append((name, told, default))
    return found


def sections() -> dict[str, str]:
    """What each section says of itself, for those that have no words of their own in the reference."""
    schema = Settings.model_json_schema()
    found = {"": ""}
    pending = [("", schema)]
    for section, inner in pending:
        found[section] = inner.get("description", "") if section else ""
        pending += _below(section, inner, schema["$defs"])
    return found


def settings_page() -> str:
    """The page."""
    parts = [
        "# Settings\n",
        "In `etltctl.toml`, found in the working folder or above it, or named by `--config`. Order: flag > environment "
        "variable (`ETLTCTL__SECTION__KEY`) > `[env.NAME]` > the file's base > default. An unknown key is an error "
        "with its place; `etltctl config show` prints every value with its origin.\n",
        "Secrets are references: `env:NAME`, `file:PATH`, `ssm:/path`, `secretsmanager:id#key`. They are resolved late "
        "and never shown.\n",
    ]
    for section, rows in keys().items():
        parts.append(f"## {f'[{section}]' if section else 'At the top'}\n")
        if text := SECTIONS.get(section) or sections().get(section):
            parts.append(f"{text}\n")
        parts += ["| key | value | default | meaning |", "| --- | --- | --- | --- |"]
        for name, told, default in rows:
            dotted = f"{section}.{name}" if section else name
            parts.append(f"| `{name}` | {told} | {default} | {MEANINGS.get(dotted, '')} |")
        parts.append("")
    return "\n".join(parts)


def _walk(
    section: str, schema: Mapping[str, Any], definitions: Mapping[str, Any], shipped: Any
) -> Iterator[tuple[str, str, str, str]]:
    """The section's own keys first, then the sections below it."""
    below = dict(_below(section, schema, definitions))
    for name, raw in schema.get("properties", {}).items():
        inner = _resolved(raw, definitions)
        if "properties" in inner or _is_table_of_sections(inner) or name == "env":
            continue
        value = shipped[name] if name in shipped else inner.get("default")
        yield section, name, _what(inner, definitions), _shown(value)
    for path, inner in below.items():
        yield from _walk(path, inner, definitions, shipped.get(path.rpartition(".")[2], {}))


def _below(
    section: str, schema: Mapping[str, Any], definitions: Mapping[str, Any]
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The sections directly below this one, by their whole name."""
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
    """The sections a table holds; where they are of several kinds, by the kind in brackets."""
    if "oneOf" not in schema:
        return [("", _resolved(schema, definitions))]
    found = [_resolved(each, definitions) for each in schema["oneOf"]]
    return [(f"NAME ({each['properties']['kind']['const']})", each) for each in found]


def _what(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """What the value may be, in words."""
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
        f"{word} {schema[name]:g}"
        for name, word in (
            ("minimum", "at least"), ("exclusiveMinimum", "more than"),
            ("maximum", "at most"), ("exclusiveMaximum", "less than"),
        )
        if name in schema
    ]  # fmt: skip
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
