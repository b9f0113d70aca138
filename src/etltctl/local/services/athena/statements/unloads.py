"""UNLOAD: a query's rows as files below a location that has to be empty, and a manifest of the files."""

from __future__ import annotations

from etltctl.local.services.athena.dialect import QueryError
from etltctl.local.services.athena.engine import Answer
from etltctl.local.services.athena.statements.clauses import QueryClauses
from etltctl.local.services.athena.statements.registry import Execution, statement
from etltctl.local.services.athena.statements.written_rows import (
    new_columns,
    read_layout,
    read_query,
    rows_of,
    urls_of,
)
from etltctl.local.services.athena.written_files import place_of, require_empty, write_rows


@statement("UNLOAD", kind="DML", subtype="UNLOAD", result="{id}")
def unload(execution: Execution) -> Answer:
    """Write the rows of the query inside; the answer has no rows but the URLs of the files."""
    clauses = QueryClauses(execution.sql)
    clauses.expect("UNLOAD")
    sql = clauses.inside()
    clauses.expect("TO")
    location = clauses.text()
    clauses.expect("WITH")
    properties = clauses.properties()
    clauses.end()
    query = read_query(sql)
    # CREATE TABLE AS has these two. UNLOAD makes no table that could keep them.
    if "bucketed_by" in properties or "bucket_count" in properties:
        raise QueryError("INVALID_PROPERTY", "UNLOAD has no property bucketed_by")
    layout = read_layout(properties, statement="UNLOAD")
    if properties:
        raise QueryError("INVALID_PROPERTY", f"UNLOAD has no property {', '.join(sorted(properties))}")
    bucket, prefix = place_of(location)
    require_empty(location, execution.lake.directory)
    rows = rows_of(execution, query, new_columns(layout.partitioned_by))
    written = write_rows(
        rows.table,
        rows.kinds,
        layout,
        lambda _, folder: f"s3://{bucket}/{prefix}{folder}",
        execution.lake.directory,
    )
    return Answer([], [], rows.scanned, urls_of(written))
