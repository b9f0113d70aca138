"""Athena's statements: each is registered by its first words, and a text is performed by the longest that fit.

Every module of this package registers its statements when the package is imported, so a new family is a new file.
A text whose words are not registered is a query, or is refused by name.
"""

from __future__ import annotations

import importlib
import pkgutil

from etltctl.local.services.athena.statements.registry import Execution, Kind, kind_of, perform, statement

__all__ = ["Execution", "Kind", "kind_of", "perform", "statement"]

for _family in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_family.name}")
