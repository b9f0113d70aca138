"""Stars for the secrets of a connector's configuration, in every text of the connector that is kept or shown."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, quote_plus, unquote, urlsplit

from etltctl.local.services.airbyte.records import without_passwords
from etltctl.settings.connector_config import marked_secrets
from etltctl.settings.toml_tables import with_leaves
from etltctl.values import sounds_secret

STARS = "***"
MASK = "**********"  # what Airbyte's API shows in place of a secret
SHORTEST = 4  # characters: a shorter value is a part of many words, and stars for it would hide the text


class Mask:
    """Replaces known values; more can be added once the connector's specification is known."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._values: list[str] = []
        self.add(values)

    def add(self, values: Iterable[str]) -> None:
        """Let these values be replaced as well, also as JSON or an address writes them."""
        forms = {form for value in values for form in _forms(value) if len(form) >= SHORTEST}
        # The longest first: a shorter value may be a part of a longer one.
        self._values = sorted({*self._values, *forms}, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """Return the text with stars for every secret in it."""
        for value in self._values:
            text = text.replace(value, STARS)
        return without_passwords(text)


def without_values(config: Any, values: Collection[str]) -> Any:
    """Return a configuration as it may be read back: a text that holds one of the values is Airbyte's mask.

    Args:
        config: The configuration, or a part of it.
        values: The secrets.
    """

    def shown(_: object, text: Any) -> Any:
        is_hidden = isinstance(text, str) and (
            any(value and value in text for value in values) or without_passwords(text) != text
        )
        return MASK if is_hidden else text

    return with_leaves(config, shown)


def secret_values(config: Any, schema: Any) -> Iterator[str]:
    """Yield every text of a configuration that its key or the connector's specification calls a secret.

    Args:
        config: The configuration, or a part of it.
        schema: Its JSON schema, in which `airbyte_secret` marks a secret.
    """
    secret_keys = frozenset(marked_secrets(schema))
    yield from _values(config, secret_keys, is_secret=False)


def _values(value: Any, secret_keys: Collection[str], *, is_secret: bool) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, each in value.items():
            yield from _values(each, secret_keys, is_secret=name in secret_keys or sounds_secret(str(name)))
    elif isinstance(value, list):
        for each in value:
            yield from _values(each, secret_keys, is_secret=is_secret)
    elif is_secret and value is not None and not isinstance(value, bool):
        yield str(value)


def _forms(value: str) -> set[str]:
    """Return a secret as texts may hold it, and the password within an address."""
    forms = {value, json.dumps(value)[1:-1], quote(value, safe=""), quote_plus(value)}
    try:
        password = urlsplit(value).password or ""
    except ValueError:
        password = ""
    return {*forms, password, unquote(password)}
