"""Faults of the settings with which a step is certain to fail, seen without a service. The step kinds share them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from etltctl.errors import ConfigurationError

if TYPE_CHECKING:
    from etltctl.settings import Settings


def secrets_without_value(settings: Settings, secrets: Mapping[str, object]) -> Iterator[str]:
    """Yield a problem for each secret that has no value. A secret that only a service can resolve is not checked.

    Args:
        settings: The settings.
        secrets: The references by their dotted key, such as `env:NAME` by `airbyte.client_id`.
    """
    from etltctl.settings import resolve_secret

    for setting, reference in secrets.items():
        if not isinstance(reference, str) or not reference.startswith(("env:", "file:")):
            continue
        try:
            resolve_secret(reference, setting=setting)
        except ConfigurationError as error:
            place = settings.place_of(*setting.split("."))
            fix = f"; {error.hint}" if error.hint else ""
            yield f"{place}: {error.message}{fix}"


def rules_without_column(settings: Settings, table: str) -> Iterator[str]:
    """Yield a problem for each column of a rule that neither the table nor its next version has."""
    from etltctl.settings.declared import is_written, unknown_columns

    for column in unknown_columns(settings, table):
        if is_written(column, settings) is False:
            yield column.text
