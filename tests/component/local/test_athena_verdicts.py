"""The verdict on a case of the corpus compares the dialect's answer, DuckDB's own and the expected one."""

from __future__ import annotations

import duckdb
import pytest

from etltctl.local.services.athena.tables import Lake
from support.athena_corpus import Case, Referee


@pytest.mark.parametrize(
    ("case", "verdict"),
    [
        (Case("a", 1, "select 1 + 1", [["2"]]), "equal"),
        (Case("a", 1, "select array[1, null], true", [["[1, null]", "true"]]), "equal"),
        (Case("a", 1, "select 7 / 2", [["3"]]), "translated"),
        (Case("a", 1, "select 7 / 2", [["3.5"]]), "different"),
        (Case("a", 1, "select '1' = 1", error="TYPE_MISMATCH"), "refused"),
        (Case("a", 1, "select '1' = 1", error="SYNTAX_ERROR"), "different"),
        (Case("a", 1, "select '1' = 1", [["true"]]), "different"),
        (Case("a", 1, "select 1", error="TYPE_MISMATCH"), "different"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.sql,
)
def test_a_case_has_the_verdict(case: Case, verdict: str, lake: Lake) -> None:
    with duckdb.connect() as engine:
        assert Referee.of(engine, lake).verdict(case)[0] == verdict
