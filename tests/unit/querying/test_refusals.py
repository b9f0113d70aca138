"""The next step after a query that Athena refused, and after a role that STS did not give."""

from __future__ import annotations

from pathlib import Path

import pytest

from etltctl.errors import NextStep, RunFailedError
from etltctl.querying.refusals import step_after_failure, step_after_no_role
from etltctl.settings import Settings, load_settings
from support.sample_settings import on_sample

NO_COLUMN = "query FAILED: COLUMN_NOT_FOUND: line 1:8: Column 'n' cannot be resolved"
TABLES = [("gold", "weather_daily"), ("silver", "cities"), ("gold", "cities")]
EXAMPLE = "docs/examples/governance.toml"


@pytest.fixture
def settings() -> Settings:
    return load_settings(env="local", environ={})


def step(settings: Settings, reason: str, sql: str = "") -> str:
    gold = settings.athena.databases["gold"]
    return str(
        step_after_failure(RunFailedError(reason, hint="as it was"), sql, gold, settings, lambda: TABLES)
    )


@pytest.mark.parametrize(
    ("sql", "command"),
    [
        ("select n from weather_daily", "athena describe gold.weather_daily"),
        ("select n FROM {silver}.cities c where 1 = 1", "athena describe silver.cities"),
        ('select n from "weather_daily"', "athena describe gold.weather_daily"),
        ("select n from a join b on true", "athena tables"),
        ("select n from a x, b", "athena tables"),
        ("with a as (select 1) select n from a", "athena tables"),
        ("select n from elsewhere.a", "athena tables"),
        ("select n from (values 1)", "athena tables"),
        ("select n from unnest(array[1])", "athena tables"),
    ],
)
def test_a_missing_column_leads_to_the_query_s_only_table(settings: Settings, sql: str, command: str) -> None:
    text = sql.format(**settings.athena.databases)
    assert step(settings, NO_COLUMN, text) == f"etltctl {command}"


@pytest.mark.parametrize(
    ("missing", "says"),
    [
        ("{gold}.weather_dayly", "did you mean weather_daily? Every table: etltctl athena tables"),
        ("{silver}.citys", "did you mean {silver}.cities? Every table: etltctl athena tables"),
        ("{silver}.weather_dayly", "did you mean weather_daily? Every table: etltctl athena tables"),
        ("{gold}.nothing_like_it", "etltctl athena tables"),
    ],
)
def test_a_missing_table_leads_to_the_nearest_name(settings: Settings, missing: str, says: str) -> None:
    databases = settings.athena.databases
    reason = (
        f"TABLE_NOT_FOUND: line 1:15: Table 'awsdatacatalog.{missing.format(**databases)}' does not exist"
    )
    assert step(settings, reason) == says.format(**databases)


def test_another_failure_keeps_its_next_step(settings: Settings) -> None:
    assert step(settings, "DIVISION_BY_ZERO: Division by zero") == "as it was"


@pytest.mark.parametrize(
    ("env", "file", "role", "says"),
    [
        ("local", "", "analyst", "the embedded endpoints have the roles that governance names"),
        (
            "local",
            EXAMPLE,
            "analist",
            "did you mean role:analyst? no setting of governance names role:analist: add",
        ),
        ("aws", "", "analyst", "if the account has no such role, create it; if it has: allow it"),
        ("aws", EXAMPLE, "analyst", "if the account has no such role, create it; if it has: allow it"),
    ],
)
def test_a_role_that_sts_does_not_give_may_not_exist(
    tmp_path: Path, env: str, file: str, role: str, says: str
) -> None:
    path = tmp_path / "etltctl.toml"
    path.write_text(on_sample(Path(file).read_text() if file else ""))
    settings = load_settings(config=path, env=env, environ={})
    hint = str(step_after_no_role(f"arn:aws:iam::123456789012:role/{role}", settings, NextStep("allow it")))
    assert hint.startswith(says)
    assert ("allow it" in hint) == (env == "aws")
    assert ("etltctl govern apply" in hint) == (role == "analist")
