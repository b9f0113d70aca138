"""No pattern of the catalogue can take more than a bounded number of steps, whatever a log says.

A regular expression tries every way in which its repeats can share a text. The number of those ways follows from the
pattern alone, so that it is counted here and no time is measured.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Iterable, Iterator
from importlib import import_module
from math import inf, prod
from typing import Any

import pytest

from etltctl.causes import Failure, Line, catalogue, diagnose, entries, masked_words

PARSER = import_module("re._parser")
MOST_WAYS = 100_000  # from one start; a search tries every character of at most 32,000 as a start
PATTERNS = {
    f"{cause.code}-{number}": rule.texts
    for cause in catalogue().values()
    for number, rule in enumerate(cause.rules)
} | {name: value for name, value in vars(masked_words).items() if isinstance(value, re.Pattern)}


def ways(nodes: Iterable[Any]) -> float:
    """Return an upper bound of the ways in which a part of a parsed pattern can match from one start."""
    return prod(_ways_of(str(kind), value) for kind, value in nodes)


def _ways_of(kind: str, value: Any) -> float:
    if kind.endswith("REPEAT"):
        least, most, inner = value
        count = inf if most is PARSER.MAXREPEAT else int(most)
        within = ways(inner)
        # A repeat of what itself matches in several ways multiplies them at every turn.
        return float(count - least + 1) if within <= 1 else within**count
    if kind == "BRANCH":
        return sum(ways(branch) for branch in value[1])
    if kind == "SUBPATTERN":
        return ways(value[-1])
    if kind in ("ASSERT", "ASSERT_NOT"):
        return ways(value[1])
    return 1.0


@pytest.mark.parametrize("name", PATTERNS)
def test_a_pattern_has_few_ways_to_match_from_one_start(name: str) -> None:
    pattern = PATTERNS[name]
    parsed = PARSER.parse(pattern.pattern, pattern.flags)
    for kind, value in parsed:
        branches = value[1] if str(kind) == "BRANCH" else [parsed]
        assert max(ways(branch) for branch in branches) <= MOST_WAYS, name


def test_the_count_sees_a_repeat_of_a_repeat() -> None:
    assert ways(PARSER.parse(r"(?:a{1,9}){1,9}b")) > MOST_WAYS
    assert ways(PARSER.parse(r"a+b")) == inf
    assert ways(PARSER.parse(r"a{0,4}b")) == 5


def test_of_a_line_without_an_end_only_the_bounded_part_is_searched() -> None:
    for unit in ("s3://", "executor ", "Table 'x", "column a_", "OutOfMemoryError ", '"', "x: "):
        line = Line("ERROR " + unit * 1_000_000, "driver")
        searched = entries.entries_of((line,))
        assert sum(len(entry.text) for entry in searched) <= entries.LONGEST_ENTRY + 100
        assert diagnose(Failure((line,), "Glue", "FAILED")).evidence


def live_entries() -> int:
    # By type: `isinstance` asks an object for its class, which a proxy of an object that is gone answers with an error.
    return sum(type(each) is entries.Entry for each in gc.get_objects())


def test_of_a_log_without_an_end_a_bounded_number_of_entries_is_kept() -> None:
    most = 0

    def lines() -> Iterator[Line]:
        nonlocal most
        yield Line("ERROR Storage: No space left on device", "driver")
        for number in range(50_000):
            letters = "".join(chr(97 + int(digit)) for digit in str(number))
            yield Line(f"INFO Storage {letters}: kept", "driver")
            if number % 10_000 == 0:
                most = max(most, live_entries())

    kept = entries.entries_of(lines())
    assert most <= entries.MOST_ENTRIES + 10
    assert "No space left" in kept[0].text


def test_of_a_trace_without_an_end_the_beginning_and_the_end_are_kept() -> None:
    trace = [Line(f"\tat races.Lap.frame{number}", "driver") for number in range(30_000)]
    end = Line("Caused by: java.io.IOException: No space left on device", "driver")
    (entry,) = entries.entries_of([Line("ERROR Executor: it failed", "driver"), *trace, end])
    assert len(entry.lines) <= entries.MOST_LINES
    assert entry.lines[0].text == "ERROR Executor: it failed"
    assert entry.lines[-1].text == end.text
