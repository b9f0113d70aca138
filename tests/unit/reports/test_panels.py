"""Panels of one plot can be compared: they have the same scales and colours, whatever each of them lacks."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from etltctl.reports.pictures import draw, spec
from etltctl.reports.plot_data import Point, _plotted
from etltctl.reports.plot_query import Column
from etltctl.reports.plot_sections import drawn
from support.reported import plot_data

# The panel b has smaller values than a, other places, and lacks the first series.
SMALL = {"x": 2, "value": 1.0, "y": 7.0, "series": "late", "panel": "b"}
LARGE = {"x": 1, "value": 100.0, "y": 3.0, "series": "early", "panel": "a"}
POINTS = [Point(**LARGE), Point(**LARGE | {"x": 3, "series": "late"}), Point(**SMALL)]
NAMED = [replace(point, x=f"place {point.x}") for point in POINTS]
WINDS = [replace(point, x=direction) for point, direction in zip(POINTS, ("N", "E", "S"), strict=True)]
DAYS = [replace(point, x=f"2026-03-0{point.x}") for point in POINTS]


def scales(value: Any) -> Iterator[Any]:
    """Yield every scale and every sort order of a specification, with the fields that they belong to."""
    if isinstance(value, list):
        for each in value:
            yield from scales(each)
    if isinstance(value, dict):
        if "field" in value:
            yield value["field"], value.get("scale"), value.get("sort")
        for each in value.values():
            yield from scales(each)


@pytest.mark.parametrize(
    ("kind", "points", "settings"),
    [
        ("line", POINTS, {"series": "s"}),
        ("line", NAMED, {"series": "s"}),
        ("bar", POINTS, {"series": "s"}),
        ("bar", NAMED, {}),
        ("scatter", POINTS, {"series": "s"}),
        ("heatmap", POINTS, {"value": "v"}),
        ("rose", WINDS, {"series": "s"}),
    ],
)
def test_panels_of_every_kind_share_scales_and_colours(
    kind: str, points: list[Point], settings: dict[str, str]
) -> None:
    data = plot_data(kind, points, panels="p", **settings)
    part = "layer" if kind in ("line", "rose") else "encoding"
    first, second = (
        list(scales(spec(data, [p for p in points if p.panel == panel])[part])) for panel in "ab"
    )
    assert first == second
    # A scale without a domain would be made from the panel's own values.
    assert [field for field, scale, _ in first if scale is not None and "domain" not in scale] == []
    assert {field for field, scale, _ in first if field in ("v", "s", "x", "y") and scale is None} == set()
    pictures = draw(data)
    assert [name for name, _ in pictures] == ["a", "b"]
    # Each picture has the names of all series, those of its neighbour as well.
    assert all(
        f">{series}<" in svg for _, svg in pictures for series in ("early", "late") if "series" in settings
    )


def test_panels_along_time_share_their_days() -> None:
    data = plot_data("line", DAYS, panels="p")
    timed = replace(data, kinds={**data.kinds, "x": Column("x", "date")})
    domain = spec(timed, DAYS)["layer"][0]["encoding"]["x"]["scale"]["domain"]
    assert domain[1] - domain[0] == 2 * 86_400_000
    assert len(draw(timed)) == 2


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf, None])
@pytest.mark.parametrize("place", ["x", "y", "measured"])
def test_a_point_whose_place_is_not_finite_is_left_out_with_a_note(odd: float | None, place: str) -> None:
    plot = plot_data("scatter", [Point(1.0, 1.0, y=1.0)]).plot
    columns = {name: Column(name, "double") for name in "xy"}
    good = {"x": 1.0, "y": 2.0, "measured": 3.0}
    data = _plotted("odd", plot, columns, [good, good | {place: odd}], 0.0)
    assert len(data.points) == 1
    assert data.notes == ["1 value is null, NaN or infinite and not drawn."]
    assert len(drawn(data).pictures) == 1
    nothing = _plotted("odd", plot, columns, [good | {place: odd}], 0.0)
    assert nothing.reason.startswith("gold.weather_monthly has no values to draw: ")


def test_a_plot_that_the_drawing_library_refuses_has_a_reason() -> None:
    data = plot_data("scatter", [Point(math.nan, 1.0, y=1.0)])
    assert drawn(data).data.reason.startswith("the picture could not be drawn: ")
