"""The statements that were there first: views."""

from __future__ import annotations

from etltctl.local.services.athena.engine import Answer
from etltctl.local.services.athena.statements.registry import Execution, query, statement


@statement("CREATE VIEW", "CREATE OR REPLACE VIEW", kind="DDL", subtype="CREATE_VIEW")
def create_view(execution: Execution) -> Answer:
    """Create or replace a view."""
    return query(execution)


@statement("DROP VIEW", kind="DDL", subtype="DROP_VIEW")
def drop_view(execution: Execution) -> Answer:
    """Drop a view."""
    return query(execution)
