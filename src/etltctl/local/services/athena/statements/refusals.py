"""Statements that Athena has and the embedded Athena lacks: each is refused by its name."""

from __future__ import annotations

from typing import NoReturn

from etltctl.local.services.athena.dialect import QueryError
from etltctl.local.services.athena.statements.registry import Execution, first_words, statement


@statement("OPTIMIZE", kind="DDL", subtype="OPTIMIZE")
@statement("VACUUM", kind="DML", subtype="VACUUM_TABLE")
@statement("UPDATE", kind="DML", subtype="UPDATE")
@statement("SHOW FUNCTIONS", kind="UTILITY", subtype="SHOW_FUNCTIONS", result="{id}.csv")
def refuse(execution: Execution) -> NoReturn:
    """Refuse a statement that changes tables of Iceberg, or lists the functions."""
    words = first_words(execution.sql)
    name = " ".join(words[: 2 if words[0] == "SHOW" else 1])
    raise QueryError("NOT_SUPPORTED", f"the embedded Athena does not model {name}")


@statement("DELETE FROM", kind="DML", subtype="DELETE")
@statement("MERGE INTO", kind="DML", subtype="MERGE")
def refuse_changes(execution: Execution) -> NoReturn:
    """Refuse a statement that changes single rows."""
    raise QueryError("NOT_SUPPORTED", f"the embedded Athena does not model {first_words(execution.sql)[0]}")
