"""Faults of the settings with which a step is certain to fail, seen without a service. The step kinds share them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from etltctl.settings import Settings


def rules_without_column(settings: Settings, table: str) -> Iterator[str]:
    """Yield a problem for each column of a rule that neither the table nor its next version has."""
    from etltctl.settings.declared import is_written, unknown_columns

    for column in unknown_columns(settings, table):
        if is_written(column, settings) is False:
            yield column.text
