"""The statements that were there first: views and UNLOAD."""

from __future__ import annotations

from etltctl.local.services.athena.engine import Answer
from etltctl.local.services.athena.statements.registry import SPACE, Execution, query, statement
from etltctl.local.services.athena.unload import unload


@statement("CREATE VIEW", "CREATE OR REPLACE VIEW", kind="DDL", subtype="CREATE_VIEW")
def create_view(execution: Execution) -> Answer:
    """Create or replace a view."""
    return query(execution)


@statement("DROP VIEW", kind="DDL", subtype="DROP_VIEW")
def drop_view(execution: Execution) -> Answer:
    """Drop a view."""
    return query(execution)


@statement("UNLOAD", kind="DML", subtype="UNLOAD")
def unload_query(execution: Execution) -> Answer:
    """Write the rows of a query as files."""
    sql = execution.sql[SPACE.match(execution.sql).end() :]  # type: ignore[union-attr]
    return unload(
        sql, execution.parameters, execution.database, execution.engine, execution.lake, execution.on_plan
    )
