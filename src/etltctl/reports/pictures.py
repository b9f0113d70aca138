"""The pictures of a report: plot data as Vega-Lite specifications, drawn as SVG by vl-convert on this machine.

Colours are CSS variables of the page, so one picture serves the light page, the dark one and the printed one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from etltctl.errors import ConfigurationError, RunFailedError, install
from etltctl.reports.labels import by_size
from etltctl.reports.plot_data import PlotData, Point
from etltctl.reports.rose import GRID, INK, rose_spec

VEGA_LITE = (
    "5.20"  # vl-convert carries several versions; one of them is named, so that pictures do not change
)
WIDTH, HEIGHT = 500, 290
COLOURS = [f"var(--series-{number})" for number in range(12)]
SHADES = [f"var(--shade-{number})" for number in range(7)]
DASHES = [[1, 0], [6, 3], [2, 2], [8, 3, 2, 3]]
TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?")  # as Athena writes a timestamp
AXIS = "var(--axis)"
_TEXT = {
    "labelColor": INK,
    "titleColor": INK,
    "labelFontSize": 12,
    "titleFontSize": 12,
    "titleFontWeight": "normal",
}
CONFIG: Mapping[str, Any] = {
    "background": None,
    "padding": 14,  # a browser's font may be wider than the one that texts are measured with
    # The page names each picture and has its numbers as a table; a label on every mark would be read one by one.
    "aria": False,
    "view": {"stroke": None},
    "axis": {**_TEXT, "gridColor": GRID, "domainColor": AXIS, "tickColor": AXIS, "labelLimit": 170},
    "legend": {**_TEXT, "orient": "bottom", "columns": 3, "columnPadding": 28, "labelLimit": 160, "titleLimit": 500},
    "range": {"category": COLOURS},
}  # fmt: skip


def draw(data: PlotData) -> list[tuple[str, str]]:
    """Return the pictures of a plot: the name of each panel (empty without panels) and its SVG.

    Raises:
        ConfigurationError: The drawing library is not installed.
        RunFailedError: The drawing library refuses the plot.
    """
    try:
        import vl_convert
    except ImportError as error:
        raise ConfigurationError(
            "plots need the package vl-convert-python, which is not installed", hint=install("plots")
        ) from error
    panels: dict[str, list[Point]] = {}
    for point in data.points:
        panels.setdefault(point.panel, []).append(point)
    # The panels of one plot share their scale, or their colours and lengths could not be compared.
    try:
        return [
            (name, str(vl_convert.vegalite_to_svg(spec(data, points), vl_version=VEGA_LITE)))
            for name, points in panels.items()
        ]
    except ValueError as error:
        # The kind of error by which vl-convert refuses a specification, and json a number that it has no form for.
        first = str(error).strip().partition("\n")[0]
        raise RunFailedError(f"the picture could not be drawn: {first}") from error


def spec(data: PlotData, points: Sequence[Point]) -> dict[str, Any]:
    """Return the Vega-Lite specification of one panel.

    Args:
        data: The plot.
        points: The panel's points.
    """
    make = {"line": _lines, "bar": _bars, "scatter": _dots, "heatmap": _cells, "rose": rose_spec}[
        data.plot.kind
    ]
    return {"config": CONFIG, **make(data, points)}


def values_of(points: Sequence[Point]) -> dict[str, Any]:
    """Return the points as the data of a specification."""
    rows = [{"x": _place(p.x), "y": _place(p.y), "v": p.value, "s": p.series} for p in points]
    return {"values": rows}


def _lines(data: PlotData, points: Sequence[Point]) -> dict[str, Any]:
    encoding = {"x": _axis(data, "x"), "y": _measure(data), **_series(data)}
    dashes = {"field": "s", "scale": _series_scale(data, range=DASHES), "legend": None}
    dash = {"strokeDash": dashes} if data.plot.series else {}
    # Points as well: a series of one value has no line.
    return {
        "width": WIDTH,
        "height": HEIGHT,
        "data": values_of(points),
        "layer": [
            {"mark": {"type": "line", "strokeWidth": 2}, "encoding": {**encoding, **dash}},
            {"mark": {"type": "point", "filled": True, "size": 28}, "encoding": encoding},
        ],
    }


def _bars(data: PlotData, points: Sequence[Point]) -> dict[str, Any]:
    names = {_place(point.x) for point in data.points}
    column = data.kinds["x"]
    if column.is_number or column.is_time or data.plot.series:
        x = _ordinal(data, "x")
        x["axis"] = {"labelAngle": 0 if len(names) <= 14 else -45, "labelOverlap": True}
        offset = (
            {"xOffset": {"field": "s", "type": "nominal", "sort": _names(data), "scale": _series_scale(data)}}
            if data.plot.series
            else {}
        )
        encoding = {"x": x, "y": _measure(data), **offset, **_series(data)}
        return _single(points, {"type": "bar", "color": COLOURS[0]}, encoding)
    # Names need room to be read: they stand at the left, the longest bar first.
    y: dict[str, Any] = {"field": "x", "type": "nominal", "sort": "-x", "title": None}
    if data.plot.panels:
        # Of several panels, each has all of the names, in one order.
        order = sorted(data.points, key=lambda point: -point.value)
        y["sort"] = list(dict.fromkeys(_place(point.x) for point in order))
        y["scale"] = {"domain": y["sort"]}
    drawn = _single(points, {"type": "bar", "color": COLOURS[0]}, {"y": y, "x": _measure(data)})
    return {**drawn, "height": {"step": 24}}


def _dots(data: PlotData, points: Sequence[Point]) -> dict[str, Any]:
    size = {
        "field": "v",
        "type": "quantitative",
        "title": data.labels["value"],
        "scale": {"range": [30, 260], **_shared(data, [point.value for point in data.points])},
    }
    counts = sorted({point.value for point in data.points})
    shown = counts if len(counts) <= 5 else [counts[0], counts[len(counts) // 2], counts[-1]]
    size["legend"] = {"symbolFillColor": COLOURS[0], "values": shown, "format": "d", "columns": 6}
    encoding = {"x": _axis(data, "x"), "y": _axis(data, "y"), "size": size, **_series(data)}
    mark = {"type": "circle", "opacity": 0.75, "color": COLOURS[0]}
    return _single(points, mark, encoding)


def _cells(data: PlotData, points: Sequence[Point]) -> dict[str, Any]:
    values = [point.value for point in data.points]
    colour = {
        "field": "v",
        "type": "quantitative",
        "title": data.labels["value"],
        # Steps in place of a gradient: a gradient would need numbers where the page has variables.
        "scale": {"type": "quantize", "range": SHADES, "domain": [min(values), max(values)], "nice": True},
        "legend": {"direction": "horizontal", "gradientLength": 400, "format": ".3~s"},
    }
    encoding = {"x": _ordinal(data, "x"), "y": _ordinal(data, "y"), "color": colour}
    drawn = _single(points, {"type": "rect"}, encoding)
    return {**drawn, "height": {"step": 20}}


def _single(points: Sequence[Point], mark: Mapping[str, Any], encoding: Mapping[str, Any]) -> dict[str, Any]:
    return {"width": WIDTH, "height": HEIGHT, "data": values_of(points), "mark": mark, "encoding": encoding}


def _axis(data: PlotData, setting: str) -> dict[str, Any]:
    column = data.kinds[setting]
    kind = "temporal" if column.is_time else "quantitative" if column.is_number else "ordinal"
    axis: dict[str, Any] = {"field": setting, "type": kind, "title": data.labels[setting]}
    if kind == "temporal":
        axis["scale"] = {"type": "utc", **_shared(data, [_moment(getattr(p, setting)) for p in data.points])}
    if kind == "quantitative":
        shared = _shared(data, _numbers(data, setting))
        axis["scale"] = {"zero": False, "nice": False, "padding": 12, **shared}
        whole = all(point_value == int(point_value) for point_value in _numbers(data, setting))
        axis["axis"] = {"tickMinStep": 1, "format": "d"} if whole else {}
    if kind == "ordinal" and data.plot.panels:
        axis["scale"] = {"domain": _ordinal(data, setting)["sort"]}
    return axis


def _shared(data: PlotData, values: Sequence[float]) -> dict[str, Any]:
    """Return the domain that all panels of a plot have; nothing for a plot without panels, which needs no other's."""
    least, most = min(values), max(values)
    return {"domain": [least, most]} if data.plot.panels and least < most else {}


def _moment(value: Any) -> float:
    """Return a time in the milliseconds of JavaScript; a domain cannot have it as text."""
    at = datetime.fromisoformat(str(_place(value)))
    return at.replace(tzinfo=at.tzinfo or UTC).timestamp() * 1000


def _numbers(data: PlotData, setting: str) -> list[float]:
    return [float(getattr(point, setting)) for point in data.points]


def _ordinal(data: PlotData, setting: str) -> dict[str, Any]:
    names = {_place(getattr(point, setting)) for point in data.points}
    sort = sorted(names, key=_sort_key)
    axis = {"labelAngle": 0, "labelOverlap": True}
    scale = {"scale": {"domain": sort}} if data.plot.panels else {}
    return {
        "field": setting, "type": "ordinal", "title": data.labels[setting], "sort": sort, "axis": axis, **scale,
    }  # fmt: skip


def _measure(data: PlotData) -> dict[str, Any]:
    axis = {"labelOverlap": True, "tickCount": 7}
    # From zero, as the axis of a plot without panels is.
    domain = _shared(data, [0.0, *(point.value for point in data.points)])
    scale = {"scale": {**domain, "nice": True}} if domain else {}
    return {"field": "v", "type": "quantitative", "title": data.labels["value"], "axis": axis, **scale}


def _series(data: PlotData) -> dict[str, Any]:
    if not data.plot.series:
        return {}
    colour = {
        "field": "s",
        "type": "nominal",
        "title": None,
        "sort": _names(data),
        "scale": _series_scale(data),
        # Without its own entry here, Vega-Lite joins it with the legend of the dashes, which is left out.
        "legend": {"orient": "bottom"},
    }
    return {"color": colour}


def _names(data: PlotData) -> list[str]:
    return by_size(point.series for point in data.points)


def _series_scale(data: PlotData, **scale: Any) -> dict[str, Any]:
    """Return the scale of the series: a panel that lacks one gives the others the same colours as its neighbours."""
    return {**scale, "domain": _names(data)} if data.plot.panels else scale


def _place(value: Any) -> Any:
    """Return a place on an axis. A time is in UTC, as the lake's times are: JavaScript would take it for local."""
    plain = _plain(value)
    is_time = isinstance(plain, str) and TIME.fullmatch(plain)
    return f"{plain.replace(' ', 'T')}Z" if is_time else plain


def _plain(value: Any) -> Any:
    """Return a value as JSON has it: numbers as they are, everything else as text."""
    if value is None or isinstance(value, bool | str):
        return value if value is None else str(value)
    return value if isinstance(value, int | float) else _as_number_or_text(value)


def _as_number_or_text(value: Any) -> Any:
    from decimal import Decimal

    return float(value) if isinstance(value, Decimal) else str(value)


def _sort_key(value: Any) -> tuple[bool, float, str]:
    """Return a key that puts numbers first, by size, and then texts."""
    is_text = isinstance(value, str)
    return is_text, 0.0 if is_text else float(value), str(value)
