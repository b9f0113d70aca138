"""The core of plan and apply: how a plan is printed, which changes need consent, and what its options mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from etltctl.cli.app import app
from etltctl.cli.groups import built
from etltctl.errors import BlockedError
from etltctl.plans import Consent, Plan, lines, outcome


@dataclass(frozen=True)
class Move:
    sign: str
    label: str
    text: str
    details: tuple[str, ...] = ()

    @property
    def takes_away(self) -> bool:
        return self.sign == "-"

    def as_dict(self) -> dict[str, object]:
        return {"what": self.text}


ADDED, REMOVED = Move("+", "grant", "A"), Move("-", "revoke", "B", ("! a reader loses it",))


class Answers:
    """A caller that gives its answers in turn and records each plan that it is asked about."""

    def __init__(self, *answers: bool) -> None:
        self.answers, self.plans = list(answers), list[Plan[Move]]()

    def __call__(self, plan: Plan[Move]) -> bool:
        self.plans.append(plan)
        return self.answers.pop(0)


def plan_of(*moves: Move) -> Plan[Move]:
    return Plan("The lake", moves, ("mind the gap",))


def test_a_plan_prints_changes_in_columns_then_details_notes_and_a_summary() -> None:
    assert plan_of(ADDED, REMOVED).text() == (
        "  + grant   A\n  - revoke  B\n      ! a reader loses it\n  ! mind the gap\n2 changes, nothing touched."
    )
    assert plan_of().summary() == "Nothing to change: The lake is as the settings say."
    assert outcome("The lake", 1) == "1 change made: The lake is as the settings say."
    assert lines([ADDED], width=8) == ["  + grant     A"]


def test_a_plan_that_only_adds_needs_no_consent() -> None:
    answers = Answers()
    Consent(answers, "govern").require(plan_of(ADDED))
    assert answers.plans == []


def test_a_refusal_blocks_the_plan_and_names_the_reason_and_the_next_commands() -> None:
    with pytest.raises(
        BlockedError, match="takes something away, and it was not confirmed; nothing was changed"
    ) as raised:
        Consent(Answers(False), "govern").require(plan_of(ADDED, REMOVED))
    assert raised.value.exit_code == 5
    assert raised.value.facts["because"] == "revoke B: a reader loses it\n"
    assert raised.value.hint == "review it with etltctl govern plan, then: etltctl govern apply --yes"


def test_only_new_changes_are_asked_about_again() -> None:
    answers = Answers(True, False)
    consent = Consent(answers, "govern")
    consent.require(plan_of(REMOVED))
    consent.require(plan_of(REMOVED), done=1)
    assert len(answers.plans) == 1
    with pytest.raises(BlockedError, match="not confirmed; made so far: 2 changes"):
        consent.require(plan_of(REMOVED, Move("-", "revoke", "C")), done=2)


def test_a_protected_environment_also_asks_about_additions() -> None:
    with pytest.raises(BlockedError, match="the environment is protected"):
        Consent(Answers(False), "govern", is_protected=True).require(plan_of(ADDED))


def test_a_reason_asks_also_about_a_plan_without_changes() -> None:
    with pytest.raises(BlockedError, match="the removal was not confirmed; nothing was changed"):
        Consent(Answers(False), "infra", reason="the removal was not confirmed").require(plan_of())


def option(group: str, command: str, name: str) -> Any:
    params = built(app).commands[group].commands[command].params
    return next(param for param in params if name in param.opts)


@pytest.mark.parametrize(
    ("name", "commands"),
    [
        ("--yes", ["govern apply", "connections apply", "infra deploy", "infra destroy"]),
        ("--dry-run", ["govern apply", "connections apply", "infra deploy", "infra destroy"]),
        ("--detailed-exitcode", ["govern plan", "connections plan", "infra plan"]),
    ],
)
def test_an_option_means_the_same_in_every_group(name: str, commands: list[str]) -> None:
    assert len({option(*command.split(), name).help for command in commands}) == 1
