"""Pictures: each mark is a row, axes have titles with units, colours are the page's, and no name is markup."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from etltctl.errors import ConfigurationError
from etltctl.reports.pictures import COLOURS, draw, spec
from etltctl.reports.plot_data import PlotData, Point
from etltctl.reports.plot_query import Column
from etltctl.reports.plot_sections import drawn, named
from etltctl.reports.rose import SIZE, directions_of, off_the_circle, rose_spec
from support.reported import DIRECTIONS, HOSTILE, every_kind, plot_data

SVG = "{http://www.w3.org/2000/svg}"


def pictures(data: PlotData) -> list[ElementTree.Element]:
    return [ElementTree.fromstring(svg) for _, svg in draw(data)]


def texts(svg: ElementTree.Element) -> list[str]:
    return [str(text.text) for text in svg.iter(f"{SVG}text")]


def marks(svg: ElementTree.Element, kind: str) -> Iterator[ElementTree.Element]:
    for group in svg.iter(f"{SVG}g"):
        words = str(group.get("class")).split()
        if f"mark-{kind}" in words and "role-mark" in words:
            yield from group.iter(f"{SVG}path")


@pytest.mark.parametrize("count", [1, 5, 12])
def test_each_row_is_one_bar_with_its_name(count: int) -> None:
    points = [Point(f"place {n}", 100.0 - n) for n in range(count)]
    (svg,) = pictures(plot_data("bar", points))
    assert len(list(marks(svg, "rect"))) == count
    assert {point.x for point in points} <= set(texts(svg))
    assert "the value (W/m²)" in texts(svg)


def test_bars_of_two_series_stand_next_to_each_other() -> None:
    points = [Point(month, 1.0 * month, series=series) for month in range(1, 13) for series in "ab"]
    (svg,) = pictures(plot_data("bar", points, series="s"))
    widths = {re.search(r"h(\d+(?:\.\d+)?)v", str(bar.get("d")))[1] for bar in marks(svg, "rect")}  # type: ignore[index]
    assert len(list(marks(svg, "rect"))) == 24
    assert min(map(float, widths)) > 10


def test_each_series_is_one_line_in_its_own_colour() -> None:
    points = [Point(n, float(n * s), series=f"s{s}") for s in range(3) for n in range(1, 9)]
    (svg,) = pictures(plot_data("line", points, series="s"))
    assert [line.get("stroke") for line in marks(svg, "line")] == COLOURS[:3]
    assert {"s0", "s1", "s2", "the x"} <= set(texts(svg))


@pytest.mark.parametrize("clock", ["", " 00:00:00.000"])
def test_times_are_on_an_axis_of_utc(clock: str) -> None:
    data = plot_data("line", [Point(f"2026-03-0{day}{clock}", 1.0) for day in (1, 2)])
    timed = replace(data, kinds={**data.kinds, "x": Column("x", "timestamp(3)")})
    assert spec(timed, timed.points)["layer"][0]["encoding"]["x"]["scale"] == {"type": "utc"}
    (svg,) = pictures(timed)
    assert {"12 PM", "Mon 02"} <= set(texts(svg))


def test_a_scatter_plot_has_a_dot_for_each_place_and_both_axes() -> None:
    (svg,) = pictures(plot_data("scatter", [Point(n, 1.0, y=n) for n in range(17)]))
    assert len(list(marks(svg, "symbol"))) == 17
    assert {"the x", "the y"} <= set(texts(svg))


def test_a_heatmap_has_a_cell_for_each_place_in_the_shades_of_the_page() -> None:
    points = [Point(hour, float(hour + month), y=month) for hour in range(24) for month in range(1, 13)]
    (svg,) = pictures(plot_data("heatmap", points, value="v"))
    cells = list(marks(svg, "rect"))
    assert len(cells) == 24 * 12
    assert all(str(cell.get("fill")).startswith("var(--shade-") for cell in cells)
    assert len({cell.get("fill") for cell in cells}) > 4


def test_a_rose_has_a_piece_for_each_direction_and_series_and_names_the_directions() -> None:
    points = [Point(d, 5.0, series=s) for d in DIRECTIONS for s in ("10+", "2-4", "0.5-2")]
    (svg,) = pictures(plot_data("rose", [*points, Point("calm", 9.0)], series="s"))
    pieces = [piece for piece in marks(svg, "arc") if piece.get("fill")]
    assert len(pieces) == 24
    assert set(DIRECTIONS) <= set(texts(svg))
    # Speeds grow from the light shade to the dark one.
    assert [text for text in texts(svg) if text in ("0.5-2", "2-4", "10+")] == ["0.5-2", "2-4", "10+"]


def test_a_rose_has_as_few_directions_as_its_data_name_and_leaves_calm_out() -> None:
    assert directions_of([Point("N", 1.0), Point("s", 1.0)]) == ["N", "E", "S", "W"]
    assert len(directions_of([Point("NE", 1.0)])) == 8
    assert len(directions_of([Point("NNE", 1.0)])) == len(directions_of([])) == 16
    assert off_the_circle([Point("N", 1.0), Point("calm", 2.0), Point("calm", 3.0)]) == {"calm": 5.0}


def test_a_rose_of_calm_air_only_is_an_empty_circle() -> None:
    (svg,) = pictures(plot_data("rose", [Point("calm", 2.0)]))
    assert [piece for piece in marks(svg, "arc") if piece.get("fill") != "none" and piece.get("fill")] == []


def test_each_panel_is_a_picture_on_the_scale_of_all() -> None:
    data = plot_data("rose", [Point("N", 100.0, panel="a"), Point("N", 1.0, panel="b")], panels="p")
    assert [name for name, _ in draw(data)] == ["a", "b"]
    assert all("100" in texts(svg) for svg in pictures(data))


@pytest.mark.parametrize("data", every_kind(), ids=lambda data: data.name)
def test_a_hostile_name_is_text_in_every_kind(data: PlotData) -> None:
    for svg in pictures(data):
        assert {element.tag.removeprefix(SVG) for element in svg.iter()} <= {
            "svg",
            "g",
            "path",
            "text",
            "line",
            "rect",
            "defs",
            "clipPath",
            "linearGradient",
            "stop",
        }


@pytest.mark.parametrize("data", every_kind(), ids=lambda data: data.name)
def test_a_picture_on_the_page_has_one_name_and_one_description_and_no_other_role(data: PlotData) -> None:
    for index, (_, svg) in enumerate(draw(data)):
        root = ElementTree.fromstring(named(svg, f"plot-{index}", HOSTILE, "what it shows"))
        assert root.findtext(f"{SVG}title") == HOSTILE
        assert root.get("aria-labelledby") == f"plot-{index}-title"
        assert [each.tag for each in root.iter() if each.get("role")] == [f"{SVG}svg"]


def test_without_the_drawing_library_the_plot_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "vl_convert", None)
    data = plot_data("bar", [Point("a", 1.0)])
    with pytest.raises(ConfigurationError, match="vl-convert-python"):
        draw(data)
    assert "not installed" in drawn(data).data.reason
    assert "plots" in drawn(data).data.reason


@pytest.mark.parametrize("calmest", DIRECTIONS)
def test_the_figures_of_the_rings_stand_next_to_the_shortest_sectors(calmest: str) -> None:
    at = DIRECTIONS.index(calmest)
    short = {calmest, DIRECTIONS[(at + 1) % len(DIRECTIONS)]}
    points = [Point(direction, 1.0 if direction in short else 100.0) for direction in DIRECTIONS]
    rings = rose_spec(plot_data("rose", points), points)["layer"][-2]["data"]["values"]
    angles = {
        round(math.degrees(math.atan2(one["px"] - SIZE / 2, SIZE / 2 - one["py"])), 6) % 360 for one in rings
    }
    assert angles == {at * 45 + 22.5}
