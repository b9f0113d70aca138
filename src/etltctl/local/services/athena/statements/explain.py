"""EXPLAIN, and the short form TABLE of a query."""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from etltctl.local.services.athena.dialect import QueryError, parse
from etltctl.local.services.athena.engine import Answer, confine, executed, prepare
from etltctl.local.services.athena.sources.columnar import in_locations
from etltctl.local.services.athena.statements.clauses import QueryClauses
from etltctl.local.services.athena.statements.registry import Execution, query, statement

# The first line of every plan, so that no reader takes it for Trino's.
HEADING = "Plan of DuckDB, which runs the queries of the embedded Athena (Trino's plan would differ)"
TYPES = ("LOGICAL", "DISTRIBUTED")  # both give the one plan that there is


@statement("EXPLAIN", kind="UTILITY", subtype="EXPLAIN")
@statement("EXPLAIN ANALYZE", kind="UTILITY", subtype="EXPLAIN_ANALYZE")
def explain(execution: Execution) -> Answer:
    """Return the plan of a query, a line a row; with ANALYZE the query runs, and the plan has its times."""
    clauses = QueryClauses(execution.sql)
    clauses.expect("EXPLAIN")
    word = "EXPLAIN ANALYZE" if clauses.accept("ANALYZE") else "EXPLAIN"
    clauses.accept("VERBOSE")
    options = _options(clauses)
    node = parse(clauses.rest())
    if not isinstance(node, exp.Query | exp.Values):
        raise QueryError(
            "NOT_SUPPORTED", f"the embedded Athena explains queries only, not {node.key.upper()}"
        )
    prepared = prepare(node, execution.parameters, execution.database, execution.lake)
    if options.get("TYPE") == "VALIDATE":
        return Answer([("Valid", "boolean", 0, 0)], [["true"]])
    # EXPLAIN reads no row, so nothing counts against the workgroup's limit.
    if execution.on_plan:
        execution.on_plan(sum(file.size for file in prepared.files) if word != "EXPLAIN" else 0)
    confine(execution.engine, prepared.tables)
    translation = replace(prepared.translation, sql=f"{word} {prepared.translation.sql}")
    with executed(replace(prepared, translation=translation), execution.engine) as done:
        plan = "\n".join(str(row[-1]) for row in done.fetchall())
    lines = [HEADING, *in_locations(plan, prepared.files).splitlines()]
    return Answer([("Query Plan", "varchar", 0, 0)], [[line] for line in lines])


@statement("TABLE", kind="DML", subtype="SELECT")
def table(execution: Execution) -> Answer:
    """Return all rows of a table."""
    clauses = QueryClauses(execution.sql)
    clauses.expect("TABLE")
    rest = clauses.rest().strip()
    if not rest:
        raise clauses.mismatch("<identifier>")
    return query(replace(execution, sql=f"SELECT * FROM {rest}"))


def _options(clauses: QueryClauses) -> dict[str, str]:
    """Read `(FORMAT x, TYPE y)`.

    Raises:
        QueryError: NOT_SUPPORTED for a form that only Trino's plans have.
    """
    options: dict[str, str] = {}
    while clauses.accept("," if options else "("):
        name = clauses.name().upper()
        options[name] = clauses.name().upper()
        if clauses.accept(")"):
            break
    form, kind = options.get("FORMAT", "TEXT"), options.get("TYPE", "DISTRIBUTED")
    if form != "TEXT" or kind not in (*TYPES, "VALIDATE"):
        what = f"EXPLAIN (TYPE {kind}, FORMAT {form})"
        raise QueryError(
            "NOT_SUPPORTED", f"the embedded Athena has no {what}: its plans are DuckDB's, as text"
        )
    return options
