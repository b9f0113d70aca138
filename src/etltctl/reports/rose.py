"""The wind rose: sectors of a compass, each as long as its value, in rings of its series."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from etltctl.reports.labels import by_size
from etltctl.reports.plot_data import PlotData, Point

SIZE = 360
RADIUS = 145  # of the longest sector; the names of the directions stand around it
POINTS = ["N", "NNE", "NE", "ENE", "E", "ESE", "SE", "SSE", "S", "SSW", "SW", "WSW", "W", "WNW", "NW", "NNW"]
INK, GRID = "var(--ink)", "var(--grid)"
RINGS = 4
FILLED = 0.9  # of a sector's angle: the gaps keep neighbours apart


def rose_spec(data: PlotData, points: Sequence[Point]) -> dict[str, Any]:
    """Return the Vega-Lite specification of a wind rose, without its config.

    Args:
        data: The plot. All of its panels have the scale of the longest sector.
        points: The panel's points, each with a direction of the compass. Others, such as calm, are not drawn.
    """
    directions = directions_of(data.points)
    longest = max(_lengths(data.points).values(), default=0.0)
    ring, scale = _nice(longest / RINGS), RADIUS / max(longest, 1e-9)
    rings = [number * ring for number in range(1, int(longest / ring + 1e-6) + 1)] if ring else []
    clear = _clear_angle(points, directions)
    names = by_size(point.series for point in data.points if str(point.x).upper() in POINTS)
    colours = _shades(names)
    colour = {
        "field": "s",
        "type": "nominal",
        "title": data.labels.get("series") if data.plot.series else None,
        "scale": {"domain": names, "range": colours},
        "legend": {"columns": 6} if data.plot.series else None,
    }
    arc = {
        "theta": _fixed("t0"), "theta2": {"field": "t1"}, "radius": _fixed("r0"), "radius2": {"field": "r1"},
        "color": colour,
    }  # fmt: skip
    return {
        "width": SIZE,
        "height": SIZE,
        "layer": [
            *(_ring(value * scale) for value in rings),
            {
                "data": {"values": _arcs(points, directions, names, scale)},
                "mark": {"type": "arc"},
                "encoding": arc,
            },
            _texts([_at(f"{value:,.10g}", clear, value * scale + 8) for value in rings], 10),
            _texts([_at(name, _angle(i, directions), RADIUS + 18) for i, name in enumerate(directions)], 12),
        ],
    }


def directions_of(points: Sequence[Point]) -> list[str]:
    """Return the directions of the compass that are needed: 4, 8 or 16, as few as name all that occur."""
    used = {str(point.x).upper() for point in points} & set(POINTS)
    return next((POINTS[::step] for step in (4, 2) if used and used <= set(POINTS[::step])), POINTS)


def off_the_circle(points: Sequence[Point]) -> Mapping[str, float]:
    """Return the values that have no direction, such as those of calm air, by what stands in its place."""
    sums: dict[str, float] = {}
    for point in points:
        if str(point.x).upper() not in POINTS:
            sums[str(point.x)] = sums.get(str(point.x), 0.0) + point.value
    return sums


def _clear_angle(points: Sequence[Point], directions: Sequence[str]) -> float:
    """Return the angle between two directions whose sectors are short, where the figures of the rings hide nothing."""
    lengths: dict[str, float] = {}
    for point in points:
        direction = str(point.x).upper()
        lengths[direction] = lengths.get(direction, 0.0) + max(point.value, 0.0)
    pairs = zip(directions, [*directions[1:], directions[0]], strict=True)
    longest = [max(lengths.get(one, 0.0), lengths.get(other, 0.0)) for one, other in pairs]
    return _angle(longest.index(min(longest)), directions) + 180.0 / len(directions)


def _arcs(
    points: Sequence[Point], directions: Sequence[str], names: Sequence[str], scale: float
) -> list[dict[str, Any]]:
    """Return the pieces of the sectors: the series of a direction follow each other from the centre outwards."""
    reached: dict[str, float] = {}
    arcs = []
    half = math.pi / len(directions) * FILLED
    placed = [point for point in points if point.series in names and point.value > 0]
    for point in sorted(placed, key=lambda point: names.index(point.series)):
        direction = str(point.x).upper()
        if direction not in directions:
            continue
        middle = math.radians(_angle(directions.index(direction), directions))
        inner = reached.get(direction, 0.0)
        reached[direction] = inner + point.value
        arcs.append(
            {
                "t0": middle - half,
                "t1": middle + half,
                "r0": inner * scale,
                "r1": reached[direction] * scale,
                "s": point.series,
                "direction": direction,
            }
        )
    return arcs


def _lengths(points: Sequence[Point]) -> dict[tuple[str, str], float]:
    sums: dict[tuple[str, str], float] = {}
    for point in points:
        direction = str(point.x).upper()
        if direction in POINTS:
            key = (point.panel, direction)
            sums[key] = sums.get(key, 0.0) + max(point.value, 0.0)
    return sums


def _shades(names: Sequence[str]) -> list[str]:
    """Return a shade for each series, from light to dark, spread over the seven of the page."""
    last = max(len(names) - 1, 1)
    return [f"var(--shade-{1 + round(5 * number / last)})" for number in range(len(names))]


def _angle(index: int, directions: Sequence[str]) -> float:
    return 360.0 / len(directions) * index


def _at(text: str, degrees: float, radius: float) -> dict[str, Any]:
    """Return a text at a place of the circle: 0 degrees is the top, and they grow clockwise."""
    angle = math.radians(degrees)
    return {
        "text": text,
        "px": SIZE / 2 + radius * math.sin(angle),
        "py": SIZE / 2 - radius * math.cos(angle),
    }


def _texts(places: Sequence[Mapping[str, Any]], size: int) -> dict[str, Any]:
    return {
        "data": {"values": list(places)},
        "mark": {"type": "text", "color": INK, "fontSize": size},
        "encoding": {"x": _fixed("px"), "y": _fixed("py"), "text": {"field": "text"}},
    }


def _ring(radius: float) -> dict[str, Any]:
    mark = {
        "type": "arc",
        "filled": False,
        "stroke": GRID,
        "radius": radius,
        "theta": 0,
        "theta2": 2 * math.pi,
    }
    return {"data": {"values": [{}]}, "mark": mark}


def _fixed(field: str) -> dict[str, Any]:
    """Return a channel whose values are pixels or radians already."""
    return {"field": field, "type": "quantitative", "scale": None, "axis": None, "legend": None}


def _nice(step: float) -> float:
    """Return the next greater 1, 2 or 5 times a power of ten."""
    if step <= 0:
        return 0.0
    power = 10.0 ** math.floor(math.log10(step))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= step * (1 - 1e-9))
