"""Durations are given in the unit that a person would choose."""

import pytest

from etltctl.moments import duration_text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"), (9.6, "9.6 s"), (42.0, "42 s"), (450.0, "7 min 30 s"), (1320.0, "22 min"),
        (3660.0, "1 h 1 min"), (200_000.0, "2 days"),
    ],
)  # fmt: skip
def test_a_duration_has_its_unit(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text
