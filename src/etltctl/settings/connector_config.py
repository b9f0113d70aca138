"""The configuration of a source's connector: its secrets, found and read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from etltctl.settings.layers import KeyPath
from etltctl.settings.secrets import REFERENCES, STARS, has_password, masked, resolve_secret, without_secrets
from etltctl.settings.toml_tables import key_text, with_leaves
from etltctl.values import sounds_secret


def is_literal_secret(path: tuple[str, ...], value: Any, marked: frozenset[str] = frozenset()) -> bool:
    """Return whether a value is a secret that stands in the settings themselves.

    Args:
        path: The path of the value within the configuration.
        value: The value.
        marked: The keys that the connector's specification marks as secrets.
    """
    if value in ("", None, {}, []) or isinstance(value, bool):
        return False
    if isinstance(value, str) and value.startswith(REFERENCES):
        return False
    if isinstance(value, str) and has_password(value):
        return True
    keys = [key for key in path if not key.isdigit()]
    return bool(keys) and (keys[-1] in marked or sounds_secret(keys[-1]))


def shown_value(
    value: Any, path: KeyPath, environ: Mapping[str, str], marked: frozenset[str] = frozenset()
) -> Any:
    """Return a value of a configuration as it may be shown: stars in place of each secret that stands in it.

    Args:
        value: The value; also a table or a list.
        path: Its path within the configuration.
        environ: The variables, for whether those of the references are set.
        marked: As for `is_literal_secret`.
    """

    def shown(at: KeyPath, each: Any) -> Any:
        if isinstance(each, str) and each.startswith(REFERENCES):
            return masked(each, environ)
        if is_literal_secret(at, each, marked):
            return STARS
        # Such as a header `Bearer …`, which no key calls a secret.
        return without_secrets(each) if isinstance(each, str) else each

    return with_leaves(value, shown, path)


def revealed_config(
    source: str, config: Mapping[str, Any], environ: Mapping[str, str] | None = None
) -> tuple[dict[str, Any], list[str]]:
    """Return a configuration with the values of its references, and those values.

    Args:
        source: The name of the source.
        config: The configuration as the settings have it.
        environ: The variables; those of the process if None.

    Raises:
        ConfigurationError: A reference has no value.
    """
    secrets: list[str] = []

    def revealed(path: KeyPath, value: Any) -> Any:
        if not isinstance(value, str) or not value.startswith(REFERENCES):
            return value
        secrets.append(resolve_secret(value, environ, setting=key_text(path)))
        return secrets[-1]

    return with_leaves(config, revealed, ("sources", source, "config")), secrets


def marked_secrets(schema: Any) -> Iterator[str]:
    """Yield the key of every property that a connector's specification marks as a secret.

    Args:
        schema: The JSON schema of its configuration, or a part of it.
    """
    if isinstance(schema, Mapping):
        properties = schema.get("properties")
        for name, each in properties.items() if isinstance(properties, Mapping) else ():
            if isinstance(each, Mapping) and each.get("airbyte_secret"):
                yield str(name)
        for each in schema.values():
            yield from marked_secrets(each)
    elif isinstance(schema, list):
        for each in schema:
            yield from marked_secrets(each)
