"""The values of a statement's `?`: the first one belongs to the `?` that is written first."""

from __future__ import annotations

import pytest

from support.athena import Athena
from support.served import Served


@pytest.fixture(scope="module")
def athena(server: Served) -> Athena:
    return Athena(server, "parameters")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT (SELECT ?) AS a, ? AS b",
        "WITH one AS (SELECT ? AS a) SELECT a, ? AS b FROM one",
        "SELECT a, b FROM (SELECT ? AS a) CROSS JOIN (SELECT ? AS b)",
        "SELECT a, b FROM (VALUES (1, 2), (3, 4)) AS v (a, b) WHERE a IN (SELECT ?) AND b = ?",
        "SELECT 1, x FROM (VALUES 1, 2) AS v (x) WHERE ? < x LIMIT ?",
    ],
)
def test_values_are_bound_in_the_order_of_the_text(athena: Athena, sql: str) -> None:
    assert athena.rows(sql, ExecutionParameters=["1", "2"]) == [("1", "2")]
