"""The keys of a connector's configuration, against the specification in its manifest."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from etltctl.errors import guess_text
from etltctl.settings.manifests import specification_of

VARIANTS = ("allOf", "anyOf", "oneOf")


def key_problems(config: Mapping[str, Any], manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each key that the connector does not have, and each one that it requires and the configuration lacks.

    A manifest may read a key that its specification leaves out: only a key that stands nowhere in it is unknown.

    Args:
        config: The configuration.
        manifest: The manifest.

    Yields:
        The key, which is empty for a missing one, and what is wrong.
    """
    schema = specification_of(manifest)
    known = _properties(schema)
    is_open = not known or _has_own_code(manifest)
    is_strict = schema.get("additionalProperties") is False
    for key in config:
        if key in known or (not is_strict and (is_open or _is_read(key, manifest))):
            continue
        guess = guess_text(key, known) or f"; it has: {', '.join(known) or 'none'}"
        yield key, f"the connector's specification has no such key{guess}"
    required = schema.get("required")
    for key in required if isinstance(required, list) else ():
        # What has a default is filled in by the framework.
        if key not in config and "default" not in known.get(key, {}):
            yield "", f"the connector's specification requires {key}, which is not there"


def _properties(schema: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the properties of a schema and of its variants by name."""
    properties = schema.get("properties")
    named = dict(properties) if isinstance(properties, Mapping) else {}
    for part in VARIANTS:
        variants = schema.get(part)
        for variant in variants if isinstance(variants, list) else ():
            if isinstance(variant, Mapping):
                named = _properties(variant) | named
    return {str(name): each if isinstance(each, Mapping) else {} for name, each in named.items()}


def _has_own_code(manifest: Mapping[str, Any]) -> bool:
    """Return whether a part of the manifest is code of Python, which may read any key."""
    return any(text == "class_name" for text in _texts(manifest))


def _is_read(key: str, manifest: Mapping[str, Any]) -> bool:
    """Return whether a text of the manifest is the key, or an expression that may name it."""
    word = re.compile(rf"\b{re.escape(key)}\b")
    texts = _texts({name: part for name, part in manifest.items() if name != "spec"})
    return any(text == key or ("config" in text and word.search(text)) for text in texts)


def _texts(value: Any) -> Iterator[str]:
    """Yield every text and every key of nested tables and lists."""
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield str(name)
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, str):
        yield value
