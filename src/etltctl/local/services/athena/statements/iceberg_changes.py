"""DELETE, UPDATE and MERGE: each becomes a query for the changed rows of a table of Iceberg, and one commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from etltctl.local.services.athena.dialect import QueryError, TableName, Type, parse
from etltctl.local.services.athena.dialect.casts import common_type
from etltctl.local.services.athena.dialect.names import CATALOG, PATH, Output, tables_of
from etltctl.local.services.athena.dialect.trino_types import BIGINT, INTEGER, VARCHAR
from etltctl.local.services.athena.engine import Answer, with_parameters
from etltctl.local.services.athena.iceberg import ROW
from etltctl.local.services.athena.iceberg.time_travel import versioned
from etltctl.local.services.athena.sources.table import CatalogTable
from etltctl.local.services.athena.statements.iceberg_tables import iceberg_table_of
from etltctl.local.services.athena.statements.merges import ACTION, assignments, merged
from etltctl.local.services.athena.statements.registry import Execution, statement
from etltctl.local.services.athena.statements.written_rows import ROWS, Rows, rows_of_query

if TYPE_CHECKING:
    from pyiceberg.table import Table


@dataclass(frozen=True)
class Changed:
    """The table that a statement changes, as it is when the statement begins."""

    name: TableName
    table: Table
    kinds: Mapping[str, Type]

    def versioned(self, node: exp.Expr) -> exp.Expr:
        """Return the table of the statement as a relation whose rows have their positions."""
        snapshot = self.table.current_snapshot()
        relation = node.copy()
        if relation.args.get("alias") is None:
            relation.set("alias", exp.TableAlias(this=exp.to_identifier(node.name, quoted=True)))
        relation.set("this", versioned(node.this, f"rows {snapshot.snapshot_id if snapshot else ''}"))
        return relation


@statement("DELETE FROM", kind="DML", subtype="DELETE")
def delete(execution: Execution) -> Answer:
    """Delete the rows for which a condition is true."""
    node = _parsed(execution, exp.Delete, {"this", "where"})
    changed = _changed(execution, node.this, "DELETE")
    query = exp.select(*_place()).from_(changed.versioned(node.this))
    query.set("where", node.args.get("where"))
    rows = rows_of_query(execution, query, _target({}), ())
    return _commit(changed, rows, {})


@statement("UPDATE", kind="DML", subtype="UPDATE")
def update(execution: Execution) -> Answer:
    """Set columns in the rows for which a condition is true."""
    node = _parsed(execution, exp.Update, {"this", "expressions", "where"})
    changed = _changed(execution, node.this, "INSERT", "DELETE")
    values = assignments(node.expressions, changed.kinds, changed.name)
    columns = [values.get(name) or exp.column(name, quoted=True) for name in changed.kinds]
    query = exp.select(*_place(), *columns).from_(changed.versioned(node.this))
    query.set("where", node.args.get("where"))
    rows = rows_of_query(execution, query, _target(changed.kinds, "UPDATE", "SET"), ())
    return _commit(changed, rows, changed.kinds)


@statement("MERGE INTO", kind="DML", subtype="MERGE")
def merge(execution: Execution) -> Answer:
    """Update, delete and insert rows of one table by those of another."""
    node = _parsed(execution, exp.Merge, {"this", "using", "on", "whens"})
    changed = _changed(execution, node.this, "INSERT", "DELETE")
    relation = changed.versioned(node.this)
    place = [exp.column(name, table=relation.alias, quoted=True) for name in (PATH, ROW)]
    query = merged(node, relation, place, changed.kinds, changed.name)
    columns = {ACTION: INTEGER, **changed.kinds}
    rows = rows_of_query(execution, query, _target(columns, "MERGE", "MERGE"), ())
    return _commit(changed, rows, changed.kinds)


def _parsed(execution: Execution, kind: type[exp.Expr], members: set[str]) -> Any:
    """Parse a statement that has no other parts than these."""
    node = with_parameters(parse(execution.sql), execution.parameters)
    others = [key for key, value in node.args.items() if value and key not in members]
    if not isinstance(node, kind) or others:
        raise QueryError("SYNTAX_ERROR", f"line 1:1: mismatched input '{(others or [node.key])[0].upper()}'")
    if kind is not exp.Merge and node.this.args.get("alias") is not None:
        raise QueryError("SYNTAX_ERROR", f"line 1:1: mismatched input '{node.this.alias}'. Expecting: <EOF>")
    return node


def _changed(execution: Execution, node: exp.Expr, *permissions: str) -> Changed:
    """Return the table, if the caller may change it."""
    name = tables_of(exp.select("*").from_(node.copy()), execution.database)[0]
    refusal = "Modifying Hive table rows is only supported for transactional tables"
    described, table = iceberg_table_of(
        execution, name, f"line {name.line}:{name.column}: {refusal}", *permissions
    )
    # A caller with a filter sees a part of a file, and the whole file would be written again.
    if execution.lake.parts_of(CatalogTable(name, described, [])) is not None:
        raise QueryError(
            "NOT_SUPPORTED",
            f"Row-level changes of {CATALOG}.{name.database}.{name.name} are not supported for a caller with row or "
            "column filters of Lake Formation",
        )
    from etltctl.local.services.athena.iceberg.types import trino_type

    kinds = {field.name.lower(): trino_type(field.field_type) for field in table.schema().fields}
    return Changed(name, table, kinds)


def _place() -> list[exp.Expr]:
    return [exp.column(PATH, quoted=True), exp.column(ROW, quoted=True)]


def _target(columns: Mapping[str, Type], statement_name: str = "", clause: str = "") -> Any:
    """Return the columns of the query: the place of a row, and its new values, as the table keeps them."""
    kinds = {PATH: VARCHAR, ROW: BIGINT, **columns}

    def target(outputs: Sequence[Output]) -> Sequence[tuple[str, Type]]:
        mine = [output.type for output in outputs]
        if not all(common_type(a, b) is not None for a, b in zip(mine, kinds.values(), strict=True)):
            theirs, ours = (", ".join(map(str, list(of)[2:])) for of in (kinds.values(), mine))
            raise QueryError(
                "TYPE_MISMATCH",
                f"line 1:1: {statement_name} table column types don't match {clause} expressions: "
                f"Table: [{theirs}], Expressions: [{ours}]",
            )
        return list(kinds.items())

    return target


def _commit(changed: Changed, rows: Rows, kinds: Mapping[str, Type]) -> Answer:
    """Commit the rows of the query; the answer counts them."""
    import pyarrow.compute as pc

    from etltctl.local.services.athena.iceberg.changing import change
    from etltctl.local.services.athena.iceberg.writing import as_kept

    changes = rows.table
    is_merge = ACTION in changes.column_names
    if is_merge:
        changes = changes.filter(pc.is_valid(changes.column(ACTION)))
    gone = _gone(changes)
    new = None
    if kinds:
        # An even action keeps the row, or makes one. An odd one deletes it.
        kept = (
            changes.filter(pc.equal(pc.bit_wise_and(changes.column(ACTION), 1), 0)) if is_merge else changes
        )
        new = as_kept(kept, kinds, changed.table.schema())
    files: list[str] = []
    if changes.num_rows:
        files = change(changed.table, changed.name, gone, new)
    return Answer(ROWS, [], rows.scanned, tuple(files), changes.num_rows)


def _gone(rows: Any) -> dict[str, set[int]]:
    """Return the positions of the rows that are replaced or deleted, by file.

    Raises:
        QueryError: MERGE_TARGET_ROW_MULTIPLE_MATCHES if two rows of the source change one row.
    """
    gone: dict[str, set[int]] = {}
    for place, position in zip(rows.column(PATH).to_pylist(), rows.column(ROW).to_pylist(), strict=True):
        if place is None:  # a row that a MERGE inserts
            continue
        if position in gone.setdefault(place, set()):
            raise QueryError(
                "MERGE_TARGET_ROW_MULTIPLE_MATCHES",
                "One MERGE target table row matched more than one source row",
            )
        gone[place].add(position)
    return gone
