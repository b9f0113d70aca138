"""PREPARE, EXECUTE and DEALLOCATE PREPARE: statements that a workgroup keeps, with values given later."""

from __future__ import annotations

from dataclasses import replace

from etltctl.local.kernel.json_protocol import AwsError
from etltctl.local.services.athena.dialect import QueryError
from etltctl.local.services.athena.engine import Answer
from etltctl.local.services.athena.statements.clauses import QueryClauses
from etltctl.local.services.athena.statements.registry import (
    Execution,
    Kind,
    SavedStatements,
    kind_of,
    perform,
    statement,
)

EXECUTE = Kind("DML", "EXECUTE")


@statement("PREPARE", kind="DDL", subtype="PREPARE")
def prepare(execution: Execution) -> Answer:
    """Keep a statement under a name."""
    clauses = QueryClauses(execution.sql)
    clauses.expect("PREPARE")
    name = clauses.name()
    clauses.expect("FROM")
    text = clauses.rest().strip()
    if not text:
        raise clauses.mismatch("<statement>")
    body = {"StatementName": name, "WorkGroup": execution.workgroup, "QueryStatement": text}
    try:
        _saved(execution).create_prepared(body)
    except AwsError as error:
        raise QueryError("INVALID_PREPARED_STATEMENT", error.message) from error
    return Answer([], [])


@statement("EXECUTE", kind=EXECUTE.type, subtype=EXECUTE.subtype)
def execute(execution: Execution) -> Answer:
    """Perform a kept statement with the values after USING, or with those of the API's call."""
    clauses, name = _executed(execution.sql)
    # Athena takes values from USING or from the API's call, as the caller likes.
    values = clauses.values() if clauses.accept("USING") else execution.parameters
    clauses.end()
    text = _text(_saved(execution), name, execution.workgroup)
    # A statement that executes itself would never end.
    if kind_of(text) == EXECUTE:
        raise QueryError("NOT_SUPPORTED", "a prepared statement cannot be an EXECUTE")
    return perform(replace(execution, sql=text, parameters=values))


@statement("DEALLOCATE PREPARE", kind="DDL", subtype="DEALLOCATE_PREPARE")
def deallocate(execution: Execution) -> Answer:
    """Forget a kept statement."""
    clauses = QueryClauses(execution.sql)
    clauses.expect("DEALLOCATE PREPARE")  # one token of sqlglot
    name = clauses.name()
    clauses.end()
    # Read first, for its error is the one of SQL and not that of the API.
    _text(_saved(execution), name, execution.workgroup)
    _saved(execution).delete_prepared({"StatementName": name, "WorkGroup": execution.workgroup})
    return Answer([], [])


def executed_kind(sql: str, workgroup: str, saved: SavedStatements) -> Kind:
    """Return the kind of a statement; of an EXECUTE, that of the statement that it performs."""
    # Clients read from GetQueryExecution where the result is, and that depends on what is executed.
    kind = kind_of(sql)
    if kind != EXECUTE:
        return kind
    try:
        return kind_of(_text(saved, _executed(sql)[1], workgroup))
    except QueryError:  # it is raised again when the statement runs
        return kind


def _executed(sql: str) -> tuple[QueryClauses, str]:
    clauses = QueryClauses(sql)
    clauses.expect("EXECUTE")
    return clauses, clauses.name()


def _text(saved: SavedStatements, name: str, workgroup: str) -> str:
    try:
        answer = saved.get_prepared({"StatementName": name, "WorkGroup": workgroup})
    except AwsError as error:
        raise QueryError("NOT_FOUND", f"Prepared statement not found: {name}") from error
    return str(answer["PreparedStatement"]["QueryStatement"])


def _saved(execution: Execution) -> SavedStatements:
    if execution.saved is None:
        raise QueryError(
            "NOT_SUPPORTED", "prepared statements are kept by a workgroup of the embedded Athena only"
        )
    return execution.saved
