"""Secrets of the settings that have no value on this machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from etltctl.errors import ConfigurationError
from etltctl.settings.secrets import resolve_secret

if TYPE_CHECKING:
    from etltctl.settings.model import Settings


def secrets_without_value(settings: Settings, secrets: Mapping[str, object]) -> Iterator[str]:
    """Yield a problem for each secret that has no value. A secret that only a service can resolve is not checked.

    Args:
        settings: The settings.
        secrets: The references by their dotted key, such as `env:NAME` by `airbyte.client_id`.
    """
    for setting, reference in secrets.items():
        if not isinstance(reference, str) or not reference.startswith(("env:", "file:")):
            continue
        try:
            resolve_secret(reference, setting=setting)
        except ConfigurationError as error:
            place = settings.place_of(*setting.split("."))
            fix = f"; {error.hint}" if error.hint else ""
            yield f"{place}: {error.message}{fix}"
