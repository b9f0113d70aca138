"""The caller agrees before an apply takes something away, also if it appears during the apply."""

from __future__ import annotations

from functools import partial

import pytest

from etltctl.errors import AccessError, BlockedError
from etltctl.governance import Change, Plan, apply
from support.governed import FILTERED, GovernedLake, arn, grant, seen


def test_no_grant_is_revoked_unless_the_caller_agrees(lake: GovernedLake) -> None:
    lake.apply(FILTERED)
    with pytest.raises(BlockedError, match="takes something away"):
        apply(lake.settings(""), confirm=lambda plan: False, on_change=lambda change: None)
    assert len(seen(lake)) == 3


def test_a_grant_that_appears_during_an_apply_is_revoked_only_if_the_caller_agrees(
    lake: GovernedLake,
) -> None:
    """The plan revokes nothing. While it is applied, another program makes a grant that is not in the settings."""
    lake.apply("")
    text = grant("role:analyst", 'table = "gold.weather_daily"', "SELECT")
    questions: list[str] = []

    def interfere(_: Change) -> None:
        lake.client("lakeformation").grant_permissions(
            Principal={"DataLakePrincipalIdentifier": arn("analyst")},
            Resource={"Table": {"DatabaseName": "gold", "Name": "weather_monthly"}},
            Permissions=["SELECT"],
        )

    def answer(planned: Plan, *, yes: bool = False) -> bool:
        questions.extend(change.text for change in planned.changes)
        return yes

    with pytest.raises(
        BlockedError, match="takes something away, and it was not confirmed; made so far: 1 change"
    ):
        apply(lake.settings(text), confirm=answer, on_change=interfere)
    assert questions == [f"SELECT on gold.weather_monthly from {arn('analyst')}"]
    assert len(seen(lake, "select * from weather_monthly")) == 5
    assert apply(lake.settings(text), confirm=partial(answer, yes=True), on_change=lambda change: None) == 1
    assert len(questions) == 2
    with pytest.raises(AccessError):
        seen(lake, "select * from weather_monthly")


def test_only_changes_that_appear_later_are_asked_about_again(lake: GovernedLake) -> None:
    lake.apply(grant("role:analyst", 'table = "gold.weather_daily"', "SELECT"))
    questions: list[list[str]] = []

    def answer(planned: Plan) -> bool:
        questions.append([change.text for change in planned.changes])
        return True

    def interfere(change: Change) -> None:
        if change.phase == "revokes" and len(questions) == 1:
            lake.client("lakeformation").grant_permissions(
                Principal={"DataLakePrincipalIdentifier": arn("engineer")},
                Resource={"Table": {"DatabaseName": "gold", "Name": "weather_daily"}},
                Permissions=["SELECT"],
            )

    assert apply(lake.settings(""), confirm=answer, on_change=interfere) == 2
    assert questions == [
        [f"SELECT on gold.weather_daily from {arn('analyst')}"],
        [f"SELECT on gold.weather_daily from {arn('engineer')}"],
    ]
