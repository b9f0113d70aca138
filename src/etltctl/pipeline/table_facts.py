"""What was published, as the plain data that events and results carry."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from etltctl.publishing import Published


def table_facts(published: list[Published]) -> dict[str, Any]:
    """Return the rows of all tables, and for each table its change, its rows and what else there is to report."""
    tables = {
        table.table: {"change": table.change, "rows": table.rows} | _details(table) for table in published
    }
    return {"rows": sum(table.rows for table in published), "tables": tables}


def _details(published: Published) -> dict[str, Any]:
    partitions = {name: count for name, count in asdict(published.partitions).items() if count}
    details = {
        "audit": published.audit,
        "partitions": partitions,
        "retired": list(published.retired),
        "warnings": list(published.warnings),
    }
    return {name: value for name, value in details.items() if value}
