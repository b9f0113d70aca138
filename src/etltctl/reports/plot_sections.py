"""The plots on the page: pictures with a name and a description, the numbers as a table, or why there is no picture."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from etltctl.errors import EtltctlError, command
from etltctl.reports.html import Markup, element, joined
from etltctl.reports.pictures import draw
from etltctl.reports.plot_data import PlotData, Point
from etltctl.reports.rose import off_the_circle
from etltctl.reports.tables import Spell, number_text, table
from etltctl.values import TableName

SVG_START = re.compile(r"<svg [^>]*?(viewBox=\"[^\"]*\")[^>]*>")
TAG = re.compile(r"<[^>]*>")
# vl-convert gives marks a role even if no label is wanted, and a role without a label is read as "graphic".
ROLES = re.compile(r' (role|aria-[a-z]+)="[^"]*"')
IDS = re.compile(r'(\bid="|url\(#|href="#)')


@dataclass(frozen=True)
class DrawnPlot:
    """A plot with its pictures as SVG, by panel; none if it could not be drawn."""

    data: PlotData
    pictures: Sequence[tuple[str, str]] = ()

    @property
    def size(self) -> int:
        """How many bytes the pictures have."""
        return sum(len(picture.encode()) for _, picture in self.pictures)

    def without_pictures(self) -> DrawnPlot:
        """Return the plot with a sentence in place of its pictures."""
        reason = "the picture is left out, since the page would be larger than 1 MB with it"
        return DrawnPlot(replace(self.data, reason=reason))


def drawn(data: PlotData) -> DrawnPlot:
    """Return the plot with its pictures; with a reason if it cannot be drawn."""
    if data.reason:
        return DrawnPlot(data)
    try:
        return DrawnPlot(data, draw(data))
    except EtltctlError as error:
        hint = f"; {error.hint}" if error.hint else ""
        return DrawnPlot(replace(data, reason=f"{error.message}{hint}"))


def plots_section(plots: Sequence[DrawnPlot], spell: Spell, faults: Sequence[str] = ()) -> Markup:
    """Return all plots next to each other, those with pictures first: a gap in their row would hide the next ones.

    Args:
        plots: The plots.
        spell: Spells a command.
        faults: What is wrong with the plots in the settings, each with its place.
    """
    left_out = [
        element("p", f"A plot of the settings is left out: {fault}.", class_="odd") for fault in faults
    ]
    if not plots and not faults:
        return element("p", "The settings declare no plot of a table that this run brought up to date.")
    ordered = sorted(plots, key=lambda plot: not plot.pictures)
    figures = (_figure(index, plot, spell) for index, plot in enumerate(ordered))
    return joined([element("div", figures, class_="plots") if plots else None, *left_out])


def _figure(index: int, plot: DrawnPlot, spell: Spell) -> Markup:
    data, parts = plot.data, [element("h3", plot.data.title)]
    if data.reason:
        parts.append(element("p", f"No plot: {data.reason}.", class_="odd"))
    for number, (panel, svg) in enumerate(plot.pictures):
        name = f"plot-{index}-{number}"
        heading = element("h4", panel) if panel else None
        parts.append(
            joined([heading, Markup(named(svg, name, _name(data, panel), _description(data, panel)))])
        )
    if len(plot.pictures) > 1:
        parts[-len(plot.pictures) :] = [
            element("div", (element("div", one) for one in parts[-len(plot.pictures) :]), class_="panels")
        ]
    parts += [element("p", note, class_="soft") for note in _notes(data)]
    if data.points:
        parts.append(_numbers(data, spell))
    wide = " wide" if len(plot.pictures) > 1 else ""
    return element("div", parts, class_=f"plot {data.plot.kind}{wide}")


def named(svg: str, name: str, title: str, description: str) -> str:
    """Return the SVG with a title and a description, which a screen reader reads in place of its marks.

    Args:
        svg: The picture as it was drawn.
        name: An id that no other picture of the page has; the ids within the picture begin with it.
        title: What the picture shows.
        description: Its axes and extremes, in one or two sentences.
    """
    # Two pictures of one page could have the same ids, such as those of clip paths.
    unlabelled = TAG.sub(lambda match: ROLES.sub("", match[0]), svg)
    unique = IDS.sub(lambda match: f"{match[1]}{name}-", unlabelled)
    words = joined(
        [element("title", title, id=f"{name}-title"), element("desc", description, id=f"{name}-desc")]
    )
    labels = f'aria-labelledby="{name}-title" aria-describedby="{name}-desc"'
    start = f'<svg xmlns="http://www.w3.org/2000/svg" \\1 role="img" {labels}>'
    return SVG_START.sub(lambda match: match.expand(start) + words, unique, count=1)


def _name(data: PlotData, panel: str) -> str:
    return f"{data.title}: {panel}" if panel else data.title


def _description(data: PlotData, panel: str) -> str:
    """Return what the picture shows, with its least and greatest value."""
    points = [point for point in data.points if point.panel == panel]
    least, most = min(points, key=_value), max(points, key=_value)
    across = data.labels["x"]
    up = data.labels["y"] if data.plot.kind in ("heatmap", "scatter") else data.labels["value"]
    kind = {
        "rose": "Rose",
        "heatmap": "Heat map",
        "scatter": "Scatter plot",
        "bar": "Bar chart",
        "line": "Line chart",
    }
    return (
        f"{kind[data.plot.kind]} of {len(points):,} values. Across: {across}. Up: {up}. {data.labels['value']}: "
        f"least {_at(least)}, greatest {_at(most)}."
    )


def _value(point: Point) -> float:
    return point.value


def _at(point: Point) -> str:
    place = ", ".join(str(part) for part in (point.x, point.y, point.series) if part not in (None, ""))
    return f"{number_text(point.value, 4)} at {place}"


def _notes(data: PlotData) -> Iterator[str]:
    yield from data.notes
    if data.plot.kind == "rose" and (calm := off_the_circle(data.points)):
        yield (
            "Without a direction: "
            + ", ".join(f"{name} {number_text(value)}" for name, value in calm.items())
            + "."
        )


def _numbers(data: PlotData, spell: Spell) -> Markup:
    """Return the plotted numbers as a table that opens on demand."""
    named_columns = [name for name in ("panels", "series", "x", "y") if name in data.plot.columns]
    # What is measured is in the last column.
    names = [n for n in named_columns if n != "y" or data.plot.kind in ("heatmap", "scatter")]
    columns = [data.plot.columns[name] for name in names] + [
        "rows" if data.plot.kind == "scatter" else data.plot.measured
    ]

    def row(point: Point) -> list[object]:
        values = {"panels": point.panel, "series": point.series, "x": point.x, "y": point.y}
        return [*(values[name] for name in names), point.value]

    query = spell(command("athena", "query", f"select * from {TableName.parse(data.plot.table).name}"))
    inner = table(f"{data.title}: the numbers", columns, map(row, data.points), more=f"All rows: {query}")
    return element("details", element("summary", "Numbers"), inner)
