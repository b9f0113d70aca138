"""Refusals of a query name their cause: unsupported metadata, a quote, a column."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest

from etltctl.aws import Aws
from etltctl.errors import AccessError, RunFailedError
from etltctl.querying import run_query
from support.lakes import SmallLake
from support.served import Served


@pytest.fixture(scope="module")
def small(server: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallLake]:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**server.environ, "AWS_DEFAULT_REGION": "us-east-1"}.items():
            patch.setenv(name, value)
        name = f"t{uuid4().hex[:10]}"
        own = f'[lake]\ngold = "s3://pi-m3-gold/{name}"\n[athena.databases]\ngold = "{name}"\n'
        lake = SmallLake(server, Aws(region="us-east-1"), tmp_path_factory.mktemp("refusals"), own)
        lake.lake.publish({"gold.one": lake.write("gold.one", "v1", [{"city_key": "a"}])})
        yield lake


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("select * from information_schema.roles", "NOT_SUPPORTED: .*information_schema.roles"),
        ('select "$bucket" from (values 1) t(x)', r'NOT_SUPPORTED: .*"\$bucket"'),
        ('select * from "t$partitions"', r"TABLE_NOT_FOUND: .*t\$partitions"),
        ("select 1,\n  'abc", "query REFUSED: line 2:3: mismatched input ''', which is not closed"),
        ("select 'it''s', \"abc", "query REFUSED: line 1:17: mismatched input '\"'"),
        ("select 1 /* note", r"query REFUSED: line 1:10: mismatched input '/\*'"),
        (
            "select city_key, count(*) from one",
            "EXPRESSION_NOT_AGGREGATE: .*'city_key' must be an aggregate expression or appear in GROUP BY clause",
        ),
    ],
)
def test_a_refusal_names_the_refused_part(small: SmallLake, sql: str, reason: str) -> None:
    with pytest.raises(RunFailedError, match=reason):
        run_query(sql, small.settings)


def test_a_wrong_number_of_values_is_counted(small: SmallLake) -> None:
    with pytest.raises(RunFailedError, match="parameters: 2; values given: 1"):
        run_query("select ?, ?", small.settings, parameters=["1"])


@pytest.mark.parametrize(
    ("sql", "hint"),
    [
        ("select nope from one", "etltctl athena describe gold.one"),
        ("select * from oen", "did you mean one? Every table: etltctl athena tables"),
        (
            "selec 1",
            "line 1, column 1, at selec 1: correct the query at the place that the error names; it read no",
        ),
        ("select `city_key` from one", 'line 1, column 8: a query quotes names with ", and only DDL with `'),
        ("select 1 as 2nd", "line 1, column 13: a name that begins with a digit needs double quotes"),
        ("set session a = 1", "Athena has no statement SET"),
        ("select 1 from", "line 1, column 14, at its end: correct the query"),
        (
            "select nope(1)",
            "correct the query at the place that the error names; it read no data and cost nothing. F",
        ),
    ],
)
def test_a_refusal_has_a_next_step(small: SmallLake, sql: str, hint: str) -> None:
    with pytest.raises(RunFailedError) as refused:
        run_query(sql, small.settings)
    assert refused.value.hint.startswith(hint)


def test_a_role_that_the_account_lacks_is_said_to_be_missing(small: SmallLake) -> None:
    with pytest.raises(
        AccessError, match=r"sts:AssumeRole on resource: \S+ because the account has no such role"
    ) as refused:
        run_query("select 1", small.settings, principal="role:stranger")
    assert refused.value.facts["resource"] == "arn:aws:iam::123456789012:role/stranger"
    assert "sts:AssumeRole" not in refused.value.hint
