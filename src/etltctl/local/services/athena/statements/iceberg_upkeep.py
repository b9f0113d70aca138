"""OPTIMIZE and VACUUM: the upkeep of a table of Iceberg."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from etltctl.local.services.athena.dialect import QueryError, TableName
from etltctl.local.services.athena.dialect.names import PATH
from etltctl.local.services.athena.dialect.parsing import expression
from etltctl.local.services.athena.dialect.trino_types import VARCHAR
from etltctl.local.services.athena.engine import Answer
from etltctl.local.services.athena.statements.clauses import QueryClauses
from etltctl.local.services.athena.statements.hive import NOTHING
from etltctl.local.services.athena.statements.iceberg_tables import iceberg_table_of
from etltctl.local.services.athena.statements.registry import Execution, statement
from etltctl.local.services.athena.statements.written_rows import rows_of_query

if TYPE_CHECKING:
    from pyiceberg.table import Table


@statement("OPTIMIZE", kind="DDL", subtype="OPTIMIZE")
def optimize(execution: Execution) -> Answer:
    """Write the small files of a table as fewer ones; with WHERE, those of some partitions."""
    clauses = QueryClauses(execution.sql)
    clauses.expect("OPTIMIZE")
    name = clauses.table(execution.database)
    clauses.expect("REWRITE", "DATA", "USING", "BIN_PACK")
    condition = clauses.rest().strip() if clauses.accept("WHERE") else ""
    clauses.end()
    table = _table(execution, name)
    from etltctl.local.services.athena.iceberg.upkeep import pack

    pack(table, name, _chosen(execution, name, table, condition) if condition else None)
    return NOTHING


@statement("VACUUM", kind="DML", subtype="VACUUM_TABLE")
def vacuum(execution: Execution) -> Answer:
    """Delete the old snapshots of a table, and the files that none has any more."""
    clauses = QueryClauses(execution.sql)
    clauses.expect("VACUUM")
    name = clauses.table(execution.database)
    clauses.end()
    table = _table(execution, name)
    from etltctl.local.services.athena.iceberg.upkeep import vacuum

    vacuum(table, name)
    return NOTHING


def _table(execution: Execution, name: TableName) -> Table:
    """Return a table of Iceberg that the caller may write again."""
    refusal = f"{name.database}.{name.name} is not a table of Iceberg: it has no files to rewrite"
    return iceberg_table_of(execution, name, refusal, "INSERT", "DELETE")[1]


def _chosen(execution: Execution, name: TableName, table: Table, condition: str) -> set[str]:
    """Return the locations of the files of the partitions for which a condition is true.

    Raises:
        QueryError: NOT_SUPPORTED for a column that the table is not partitioned by.
    """
    where = expression(condition)
    sources = {table.schema().find_column_name(field.source_id) for field in table.spec().fields}
    other = next((c.name for c in where.find_all(exp.Column) if c.name.lower() not in sources), None)
    if other is not None:
        raise QueryError(
            "NOT_SUPPORTED", f"Unexpected FilterNode found in plan; probably connector was not able to handle "
            f"provided WHERE expression: {other} is not a partition column",
        )  # fmt: skip
    query = exp.select(exp.column(PATH, quoted=True)).distinct()
    query = query.from_(exp.table_(name.name, db=name.database, quoted=True)).where(where)
    rows = rows_of_query(execution, query, lambda _: [(PATH, VARCHAR)], ())
    return set(rows.table.column(PATH).to_pylist())
