"""The places in an error of Athena, counted in the query and not in the statement that holds it."""

from __future__ import annotations

import pytest

from etltctl.athena.unload import placed_in_query, unload_sql

QUERY = "select fooo\nfrom t"


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("COLUMN_NOT_FOUND: line 1:16: Column 'fooo'", "COLUMN_NOT_FOUND: line 1:8: Column 'fooo'"),
        ("line 2:6: Table 't' does not exist", "line 2:6: Table 't' does not exist"),
        ("line 11:16: elsewhere", "line 11:16: elsewhere"),
        ("line 1:1: mismatched input", "line 1:1: mismatched input"),
        ("no place", "no place"),
    ],
)
def test_a_place_on_the_first_line_is_one_of_the_query(message: str, expected: str) -> None:
    assert placed_in_query(message, unload_sql(QUERY, "s3://b/k"), QUERY) == expected


def test_a_statement_that_does_not_hold_the_query_leaves_the_places_alone() -> None:
    assert placed_in_query("line 1:16: x", "select 1", QUERY) == "line 1:16: x"
