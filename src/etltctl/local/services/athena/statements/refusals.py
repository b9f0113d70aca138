"""Statements that Athena has and the embedded Athena lacks: each is refused by its name."""

from __future__ import annotations

from typing import NoReturn

from etltctl.local.services.athena.dialect import QueryError
from etltctl.local.services.athena.statements.registry import Execution, statement


@statement("SHOW FUNCTIONS", kind="UTILITY", subtype="SHOW_FUNCTIONS", result="{id}.csv")
def refuse(_: Execution) -> NoReturn:
    """Refuse to list the functions."""
    raise QueryError("NOT_SUPPORTED", "the embedded Athena does not model SHOW FUNCTIONS")
