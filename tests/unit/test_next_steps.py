"""The next step of an error: text and commands, spelled by the front door that prints it."""

from __future__ import annotations

import pytest

from etltctl.errors import RETRY, BlockedError, Command, NextStep, command


def test_a_next_step_is_text_with_its_commands_in_place() -> None:
    step = NextStep("accept it: ", command("contract", "accept", "gold.one"), ", then ", RETRY)
    assert str(step) == "accept it: etltctl contract accept gold.one, then etltctl retry RUN"
    shown = step.render(lambda part: part if isinstance(part, str) else f"[{' '.join(part.words)}]")
    assert shown == "accept it: [contract accept gold.one], then [retry RUN]"


def test_a_command_can_be_pasted_into_a_shell() -> None:
    assert str(command("athena", "query", "select 1")) == "etltctl athena query 'select 1'"


@pytest.mark.parametrize(
    ("retry", "hint"),
    [
        (command("retry", "r-1"), "again: etltctl retry r-1 --fresh"),
        ("the same command", "again: the same command --fresh"),
    ],
)
def test_the_command_that_resumes_the_run_keeps_the_options_of_the_step(
    retry: str | Command, hint: str
) -> None:
    error = BlockedError("x", hint=NextStep("again: ", command(*RETRY.words, "--fresh")))
    error.name_retry(retry)
    assert error.hint == hint


def test_a_hint_may_still_be_text() -> None:
    error = BlockedError("x", hint=f"wait, then: {RETRY}")
    error.name_retry(command("retry", "r-1"))
    assert error.hint == "wait, then: etltctl retry r-1"
    error.hint = "fix it"
    assert error.next_step == NextStep("fix it")
    assert not BlockedError("x").next_step.parts
