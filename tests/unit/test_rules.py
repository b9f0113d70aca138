"""The rules of an audit find the same rows with Trino's comparisons as with DuckDB's."""

from __future__ import annotations

import math
from operator import gt, lt
from typing import Any

import duckdb
import pytest
import sqlglot
from sqlglot import exp

from etltctl.errors import ConfigurationError
from etltctl.publishing.audit_queries import Rule, counting_sql, sql_rules
from etltctl.settings import load_settings
from etltctl.settings.checks import Range, TableRules

INF, NAN = float("inf"), float("nan")
VALUES = [NAN, INF, -INF, -0.0, 0.0, 1.5, 100.0, 100.5, -0.5, 1e300, None]
BOUNDS = [
    {"min": 0.0}, {"max": 100.0}, {"min": 0.0, "max": 100.0}, {"min": -0.0}, {"min": 1.5}, {"min": 1e300},
    {"max": -1e300}, {"min": 5e-324, "max": 2.0**63},
]  # fmt: skip


def rules_of(**declared: Any) -> list[Rule]:
    return sql_rules("gold.t", TableRules(**declared), lambda _: "t")


def in_duckdb(sql: str) -> str:
    return sqlglot.transpile(sql, read="athena", write="duckdb")[0]


def by_trino(condition: str, value: float | None) -> bool | None:
    """Evaluate the condition for one value as Trino does: a comparison with NaN is false, one with null is null."""
    return _of(sqlglot.parse_one(condition, read="athena"), value)


def _of(node: exp.Expr, value: float | None) -> Any:
    match node:
        case exp.Paren():
            return _of(node.this, value)
        case exp.Column() | exp.Cast():
            return value
        case exp.Literal():
            return float(node.name)
    inner = [_of(part, value) for part in node.iter_expressions()]
    if isinstance(node, exp.And):
        return False if False in inner else None if None in inner else True
    if None in inner:
        return None
    operators = {
        exp.Not: lambda x: not x,
        exp.Neg: lambda x: -x,
        exp.IsNan: math.isnan,
        exp.LT: lt,
        exp.GT: gt,
    }
    return operators[type(node)](*inner)


@pytest.mark.parametrize("bounds", BOUNDS)
def test_a_range_selects_the_same_rows_with_both_engines(bounds: dict[str, float]) -> None:
    for value in VALUES:
        offends = value is not None and (
            math.isnan(value) or value < bounds.get("min", -INF) or value > bounds.get("max", INF)
        )
        rules = rules_of(ranges={"x": Range(**bounds)})
        duck = duckdb.execute(
            f"select {', '.join(f'coalesce({in_duckdb(rule.condition)}, false)' for rule in rules)} "
            "from (select ?::double as x)",
            [value],
        ).fetchall()[0]
        trino = [by_trino(rule.condition, value) is True for rule in rules]
        assert list(duck) == trino
        assert sum(trino) == int(offends), "exactly one rule reports the row"


@pytest.mark.parametrize("kind", ["integer", "bigint", "decimal(38,10)", "real", "double", "smallint"])
def test_a_range_is_for_numbers_of_every_kind(kind: str) -> None:
    rules = rules_of(ranges={"x": Range(min=0, max=2)})
    sql = counting_sql(
        f"(select cast(v as {kind}) as x from (values (-1), (0), (2), (3), (null)) as r(v)) as t", rules
    )
    assert duckdb.execute(in_duckdb(sql)).fetchall() == [(0, 1, 1)]


def test_keys_of_zero_are_equal_with_any_sign_and_null_is_one_key() -> None:
    (null, times) = rules_of(keys=["times"])
    source = "(select * from (values (0.0::double), (-0.0::double), (null), (null), (1.0)) as r(times))"
    for rule, expected in ((null, 2), (times, 2)):
        sql = counting_sql(f"{source} as t", [rule]).replace("from t group", f"from {source} as t group")
        assert duckdb.execute(sql).fetchall() == [(expected,)]


def test_an_empty_table_breaks_no_rule() -> None:
    rules = rules_of(keys=["k"], not_null=["n"], ranges={"x": Range(min=0)})
    duckdb.execute("create or replace temp table t (k int, n int, x double)")
    (counts,) = duckdb.execute(in_duckdb(counting_sql("t", rules))).fetchall()
    assert [count or 0 for count in counts] == [0] * len(rules)


@pytest.mark.parametrize("text", ["min = nan", "max = inf", "min = -inf"])
def test_a_range_without_a_finite_bound_is_refused(text: str, tmp_path: Any) -> None:
    (tmp_path / "etltctl.toml").write_text(f'[tables."gold.weather_daily".ranges]\nx = {{ {text} }}\n')
    with pytest.raises(ConfigurationError) as refused:
        load_settings(config=tmp_path / "etltctl.toml", env="local", environ={})
    assert "must be a finite number" in refused.value.problems[0]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("lake.gold", "s3://bucket//path"),
        ("lake.gold", "s3://bucket/a/../b"),
        ("athena.output_location", "s3://b-1/x//y/"),
        ("state", "s3://b-1/x//y"),
    ],
)
def test_a_location_with_an_empty_folder_is_refused_with_its_line(
    key: str, value: str, tmp_path: Any
) -> None:
    section, _, name = key.rpartition(".")
    (tmp_path / "etltctl.toml").write_text(f'{f"[{section}]" if section else ""}\n{name} = "{value}"\n')
    with pytest.raises(ConfigurationError) as refused:
        load_settings(config=tmp_path / "etltctl.toml", env="aws", environ={})
    assert f"etltctl.toml:2:1: {key} must not have" in refused.value.problems[0]
    assert value in refused.value.problems[0]
