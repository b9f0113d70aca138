"""Titles of axes and units, from the descriptions of columns."""

from __future__ import annotations

import pytest

from etltctl.reports.labels import by_size, label_of, unit_of
from etltctl.reports.plot_query import Column


@pytest.mark.parametrize(
    ("comment", "label", "unit"),
    [
        (
            "Mean wind power density at 10 m (mean of cubes), W/m2",
            "Mean wind power density at 10 m (W/m²)",
            "W/m²",
        ),
        (
            "Sun on a level surface, summed, kWh/m2; null without clouds",
            "Sun on a level surface (kWh/m²)",
            "kWh/m²",
        ),
        ("Name of the sector, such as NNE, or calm", "Name of the sector", ""),
        ("Mean share of rated power, 0 to 1", "Mean share of rated power", ""),
        ("Points of the season", "Points of the season", ""),
        ("", "wind speed", ""),
        ("A description that goes on and on and on until no axis has room for it", "wind speed", ""),
    ],
)
def test_the_unit_is_what_stands_after_the_last_comma(comment: str, label: str, unit: str) -> None:
    column = Column("wind_speed", "double", comment)
    assert (label_of(column), unit_of(column)) == (label, unit)


def test_a_unit_of_the_settings_replaces_the_column_s() -> None:
    assert label_of(Column("v", "double", "Speed, m/s"), "knots") == "Speed (knots)"


def test_numbers_and_ranges_are_ordered_by_size_and_names_as_they_come() -> None:
    assert by_size(["10+", "2-4", "0.5-2", "2-4"]) == ["0.5-2", "2-4", "10+"]
    assert by_size(["b", "a", "1"]) == ["b", "a", "1"]
