"""The embedded Athena's SQL, case by case: what Athena engine version 3 (Trino) answers, or the error that it names.

The cases stand in `athena_corpus`, a file for each area, a case a line. Their results are Trino's by its
documentation and source, worked out apart from the code under test.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pytest

from etltctl.local.services.athena.dialect import QueryError, duckdb_expression, register
from etltctl.local.services.athena.dialect.parsing import SPECIAL_FORMS
from etltctl.local.services.athena.dialect.registry import FUNCTIONS, KNOWN
from etltctl.local.services.athena.dialect.trino_types import DOUBLE
from etltctl.local.services.athena.engine import Answer
from etltctl.local.services.athena.tables import Lake
from support.athena_corpus import TALLY, Case, Referee, cases, counted

Ask = Callable[[str], Answer]
PAGE = Path(__file__).parents[3] / "docs" / "reference" / "embedded-endpoints.md"


@pytest.fixture(scope="module")
def referee(lake: Lake) -> Iterator[Referee]:
    with duckdb.connect() as connection:
        yield Referee.of(connection, lake)


@pytest.fixture
def answer(referee: Referee) -> Ask:
    return referee.answer


@pytest.fixture(scope="module")
def verdict(referee: Referee) -> Callable[[Case], tuple[str, str]]:
    """Return the verdict on a case; each case is answered once."""
    return cache(referee.verdict)


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.id)
def test_a_query_returns_what_athena_returns_or_is_refused_by_its_name(
    case: Case,
    verdict: Callable[[Case], tuple[str, str]],
    record_property: Callable[[str, Any], None],
) -> None:
    kind, reply = verdict(case)
    record_property(*TALLY.entry(case.title, kind))
    assert kind != "different", f"{case.sql}: {reply}, not {case.rows or case.error}"


def test_every_function_that_is_answered_has_a_case() -> None:
    words = {word for case in cases() for word in re.findall(r"\w+", case.sql.lower())}
    assert set(FUNCTIONS) - words == set()


def test_every_other_function_of_trino_s_reference_is_refused(referee: Referee) -> None:
    forms = {"json_array", *map(str.lower, SPECIAL_FORMS)}  # they are no calls to the parser, and have cases
    names = sorted(KNOWN - set(FUNCTIONS) - forms)
    cases = [Case("functions", number, f"select {name}(1, 2)") for number, name in enumerate(names)]
    replies = {case.sql: referee.verdict(case)[1] for case in cases}
    refusals = ("NOT_SUPPORTED: ", "SYNTAX_ERROR: ")  # the parser knows some of the words itself
    assert [sql for sql, reply in replies.items() if not reply.startswith(refusals)] == []
    assert len(replies) > 100


def test_the_reference_page_has_the_counts_of_the_corpus(
    verdict: Callable[[Case], tuple[str, str]],
) -> None:
    """If it fails after a change of the corpus or the dialect, run `python docs/generate`."""
    counts = counted((case.title, verdict(case)[0]) for case in cases())
    assert f"<!-- sql -->\n{counts.markdown('area')}<!-- /sql -->" in PAGE.read_text("utf-8")


@pytest.mark.parametrize(
    ("sql", "columns"),
    [
        ("select 1, 2 as Two, 1+1", [("_col0", "integer"), ("Two", "integer"), ("_col2", "integer")]),
        ("select x, x + 1 from (values 1) t(x)", [("x", "integer"), ("_col1", "integer")]),
        (
            "select timestamp '2024-01-01 00:00:00', date '2024-01-01'",
            [("_col0", "timestamp"), ("_col1", "date")],
        ),
        ("select current_timestamp as now", [("now", "timestamp with time zone")]),
        ("select date '2024-01-31' + interval '1' month", [("_col0", "date")]),
        (
            "select cast(1 as real), 1e0, time '10:00:00'",
            [("_col0", "real"), ("_col1", "double"), ("_col2", "time")],
        ),
        (
            "select array[1], map(array['a'], array[1]), row(1)",
            [("_col0", "array"), ("_col1", "map"), ("_col2", "row")],
        ),
        (
            "select json_parse('1'), interval '1' day",
            [("_col0", "json"), ("_col1", "interval day to second")],
        ),
        (
            "select cast('a' as char(3)), null, true",
            [("_col0", "char"), ("_col1", "unknown"), ("_col2", "boolean")],
        ),
        ("select sum(x), count(*) from (values 1) t(x)", [("_col0", "bigint"), ("_col1", "bigint")]),
    ],
)
def test_columns_have_athenas_names_and_types(sql: str, columns: list[tuple[str, str]], answer: Ask) -> None:
    assert [(name, kind) for name, kind, *_ in answer(sql).columns] == columns


def test_a_decimal_column_states_its_precision_and_scale(answer: Ask) -> None:
    columns = answer("select 10.0 / 3, sum(x) from (values 1.25) t(x)").columns
    assert [column[2:] for column in columns] == [(3, 1), (38, 2)]


@pytest.mark.parametrize(
    "name", ["read_text", "query", "getenv", "ifnull", "list_transform", "printf", "strftime"]
)
def test_no_function_of_duckdb_can_be_called(name: str, answer: Ask) -> None:
    with pytest.raises(QueryError, match=f"FUNCTION_NOT_FOUND: .*'{name}' not registered"):
        answer(f"select {name}('x', 'y')")


def test_an_existing_function_of_a_connection_is_left_unchanged() -> None:
    """A row filter and the query that reads through it may call the same function."""
    condition, udfs = duckdb_expression("round(x, 1) = 1.5", {"x": DOUBLE})
    assert udfs
    with duckdb.connect() as engine:
        for _ in range(2):
            register(engine, udfs)
        assert engine.execute(f"select {condition} from (values (1.46::double)) t(x)").fetchall() == [(True,)]
