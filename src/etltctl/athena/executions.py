"""What Athena answers: an execution, a refusal of a query's text with its next step, and what a query costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from etltctl.errors import Hint, ServiceError, bounded, command
from etltctl.runs import QueryExecution

SYSTEM_ERROR = 1  # AthenaError.ErrorCategory: 1 is the system's, 2 the user's, 3 another
MALFORMED = "MALFORMED_QUERY"  # AthenaErrorCode
MINIMUM_BILLED_BYTES = 10_000_000
TABLES_HINT, VALUES_HINT = command("athena", "tables"), "give each ? a value: -p VALUE"
# Athena refuses such a query before it reads data, and bills no failed query.
CORRECT_IT = "correct the query at the place that the error names; it read no data and cost nothing"
HINTS: dict[str, Hint] = {  # by Athena's code at the head of its reason
    "COLUMN_NOT_FOUND": TABLES_HINT,
    "FUNCTION_NOT_FOUND": f"{CORRECT_IT}. Functions and operators in Trino's documentation lists what Athena has",
    "INVALID_PARAMETER": VALUES_HINT,
    "INVALID_PARAMETER_USAGE": VALUES_HINT,
    "TABLE_NOT_FOUND": TABLES_HINT,
    "SCHEMA_NOT_FOUND": TABLES_HINT,
    "SYNTAX_ERROR": f"{CORRECT_IT}. SQL statement syntax in Trino's documentation has each statement's form",
}


def cost_usd(scanned_bytes: int, tb_usd: float) -> float:
    """Return the US dollars of a query, with Athena's minimum of 10 MB; a query that scanned nothing costs nothing.

    Args:
        scanned_bytes: The bytes that it scanned.
        tb_usd: US dollars for each TB.
    """
    # 10 MB a query, by Athena's price list.
    return max(scanned_bytes, MINIMUM_BILLED_BYTES) * tb_usd / 1e12 if scanned_bytes else 0.0


def grammar_complaint(error: ServiceError) -> str:
    """Return Athena's words if it refused the start because of the query's text; empty for another refusal."""
    answer = getattr(error.__cause__, "response", {})
    # Measured on AWS: such a refusal is an InvalidRequestException like many others, and only this member differs.
    return answer["Error"]["Message"] if answer.get("AthenaErrorCode") == MALFORMED else ""


def query_execution_of(answer: Mapping[str, Any], workgroup: str) -> QueryExecution:
    """Return an execution as Athena describes it.

    Args:
        answer: Athena's `QueryExecution`.
        workgroup: The workgroup, where the answer lacks it.
    """
    status, statistics = answer["Status"], answer.get("Statistics", {})
    error = status.get("AthenaError", {})
    return QueryExecution(
        id=answer["QueryExecutionId"],
        name=answer.get("WorkGroup", workgroup),
        status=status["State"],
        reason=bounded(status.get("StateChangeReason") or error.get("ErrorMessage", "")),
        # Either sign is enough: an answer may have the category without the flag.
        is_retryable=bool(error.get("Retryable")) or error.get("ErrorCategory") == SYSTEM_ERROR,
        scanned_bytes=statistics.get("DataScannedInBytes", 0),
        duration_ms=statistics.get("TotalExecutionTimeInMillis", 0),
        submitted=status.get("SubmissionDateTime"),
        output_location=answer.get("ResultConfiguration", {}).get("OutputLocation", ""),
    )
