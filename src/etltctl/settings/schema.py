"""The JSON Schema of the settings file, from the models that check it. Editors complete and check the file with it."""

from __future__ import annotations

from typing import Any

from etltctl.settings.model import Settings

DIALECT = "https://json-schema.org/draft/2020-12/schema"
OF_THE_FILE = ("version", "default_env", "env")  # keys that no section of an environment has


def settings_schema() -> dict[str, Any]:
    """Return the JSON Schema of a settings file.

    No key is required, because environment variables, flags and the sections of environments may complete the file.
    """
    schema: dict[str, Any] = _of_a_layer(Settings.model_json_schema())
    schema["properties"]["env"] = {
        "type": "object",
        "description": "the environments by name; each overrides what the rest of the file says",
        "additionalProperties": {"$ref": "#/$defs/Environment"},
    }
    schema["$defs"]["Environment"] = {
        "type": "object",
        "description": "What one environment overrides.",
        "properties": {
            name: value for name, value in schema["properties"].items() if name not in OF_THE_FILE
        },
        "additionalProperties": False,
    }
    return {"$schema": DIALECT, **schema, "title": "etltctl.toml"}


def _of_a_layer(node: Any) -> Any:
    """Return a schema that a part of the settings meets as well, so that each layer can be checked alone."""
    if isinstance(node, list):
        return [_of_a_layer(one) for one in node]
    if not isinstance(node, dict):
        return node
    relaxed = {name: _of_a_layer(value) for name, value in node.items() if name not in _left_out(node)}
    # Without its `kind`, which another layer may have, a source meets more than one alternative.
    if "discriminator" in node:
        relaxed["anyOf"] = relaxed.pop("oneOf")
    return relaxed


def _left_out(node: dict[str, Any]) -> set[str]:
    # Names of settings stand below `properties`, where `title` and `required` may be settings themselves.
    is_schema = isinstance(
        node.get("type", node.get("$ref", node.get("anyOf", node.get("oneOf")))), str | list
    )
    return {"title", "required", "discriminator"} if is_schema else set()
