"""The rules of a table by name, as the report lists those that a version kept."""

from __future__ import annotations

from etltctl.publishing import declared_rules
from etltctl.settings.checks import TableRules


def test_every_rule_of_the_settings_has_a_name() -> None:
    rules = TableRules.model_validate(
        {
            "keys": ["a", "b"],
            "not_null": ["c"],
            "ranges": {"d": {"min": 0, "max": 75}},
            "min_rows": 3,
            "max_drop_pct": 50.0,
            "conserve_rows": True,
            "sql": {"has_everybody": "select 1 from {this} join {gold.other} on 1 = 0"},
        }
    )
    assert declared_rules("gold.one", rules) == [
        "min_rows",
        "max_drop_pct",
        "conserve_rows",
        "a is null",
        "b is null",
        "c is null",
        "d is NaN",
        "d < 0",
        "d > 75",
        "a, b not unique",
        "has_everybody",
    ]


def test_a_table_without_rules_has_none() -> None:
    assert declared_rules("gold.one", TableRules.model_validate({})) == []
