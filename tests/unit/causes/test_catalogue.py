"""Every cause of the catalogue says what happened, what to do, and whether a retry helps."""

from __future__ import annotations

import pytest

from etltctl.causes import Cause, catalogue, cause_of_code
from etltctl.causes.catalogue import causes_in
from etltctl.errors import Command, ExitCode, UsageError
from generate.commands import commands

CAUSES = [cause for code, cause in catalogue().items() if code != "U000"]


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.code)
def test_a_cause_is_complete(cause: Cause) -> None:
    assert cause.code[0] in "SGQECMNT"
    assert cause.title[0].isupper()
    assert cause.sentence.endswith(".")
    assert cause.fix.parts
    assert cause.searched, "people search for a text"
    assert 0 < cause.rank <= 100
    assert cause.rules or cause.code == "G143"


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.code)
def test_the_commands_of_a_fix_exist(cause: Cause) -> None:
    names = {name for name, _ in commands()}
    for part in cause.fix.parts:
        if isinstance(part, Command):
            candidates = {f"etltctl {' '.join(part.words[:2])}", f"etltctl {part.words[0]}"}
            assert candidates & names, part


def test_titles_are_distinct() -> None:
    assert len({cause.title for cause in CAUSES}) == len(CAUSES)


def test_the_executor_out_of_memory_is_g117_and_lake_formation_e203() -> None:
    assert cause_of_code("g117").title == "Executor out of memory"
    assert cause_of_code("E203").exit_code is ExitCode.ACCESS


def test_a_code_that_does_not_exist_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(UsageError, match="no cause is called G171"):
        cause_of_code("G171")


ENTRY = """
title = "T"
sentence = "S."
fix = "F"
retry = "yes"
rank = 50
texts = ['a', 'b']
"""


def test_entries_share_a_pattern_by_its_name() -> None:
    shared = "[patterns]\ndestination = 'of the destination'\n"
    entries = [f"[S90{number}]\nunless = {{ pattern = 'destination' }}\n{ENTRY}" for number in (1, 2)]
    causes = causes_in(shared + "\n".join(entries))
    assert list(causes) == ["S901", "S902"]
    assert {cause.rules[0].against for cause in causes.values()} == {"of the destination"}


def test_a_pattern_that_is_not_there_is_named() -> None:
    with pytest.raises(ValueError, match="S901: there is no pattern 'destinaton'; the file has: destination"):
        causes_in(f"[patterns]\ndestination = 'x'\n[S901]\nunless = {{ pattern = 'destinaton' }}\n{ENTRY}")


def test_an_entry_may_refer_to_several_patterns() -> None:
    patterns = "[patterns]\ndestination = 'of the destination'\nairbyte = 'Airbyte at'\n"
    both = f"{patterns}[S901]\nunless = {{ pattern = ['destination', 'airbyte'] }}\n{ENTRY}"
    unless = causes_in(both)["S901"].rules[0].unless
    assert unless is not None
    assert [bool(unless.search(text)) for text in ("of the destination", "Airbyte at", "of the source")] == [
        True,
        True,
        False,
    ]
    with pytest.raises(ValueError, match=r"S901: there is no pattern 'air'"):
        causes_in(both.replace("'airbyte']", "'air']"))
