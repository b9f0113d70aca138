"""The data of the plots: one bounded query each, and a sentence in place of a plot that cannot be drawn."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from etltctl.aws import Aws
from etltctl.catalog import Catalog
from etltctl.errors import EtltctlError
from etltctl.querying import run_query
from etltctl.reports.labels import label_of, unit_of
from etltctl.reports.plot_query import MOST, MOST_ROWS, Column, grouped_by, plot_sql
from etltctl.reports.tables import is_number
from etltctl.settings.declared import lacking, plot_place
from etltctl.values import TableName, quoted_name

if TYPE_CHECKING:
    from etltctl.settings import Settings
    from etltctl.settings.plots import Plot

AT_ONCE = 4  # queries; Athena's default for an account is far above it


@dataclass(frozen=True)
class Point:
    """One mark of a plot: its place, and the value measured there. The value of a scatter plot is a number of rows."""

    x: Any
    value: float
    y: Any = None
    series: str = ""
    panel: str = ""


@dataclass(frozen=True)
class PlotData:
    """What is drawn of a table, or the reason why nothing is.

    Attributes:
        name: The plot's name in the settings.
        labels: The titles of what the plot names, by setting; `value` is what is measured.
        notes: What a reader must know of the plot, such as which places are left out.
        reason: Why there is no plot; empty if there is one.
        usd: What the query cost at Athena's price.
    """

    name: str
    plot: Plot
    title: str
    labels: Mapping[str, str] = field(default_factory=dict)
    points: Sequence[Point] = ()
    kinds: Mapping[str, Column] = field(default_factory=dict)
    notes: Sequence[str] = ()
    reason: str = ""
    usd: float = 0.0


def plots_of(tables: Sequence[str], settings: Settings) -> dict[str, Plot]:
    """Return the plots of these tables by name, in the order of the settings."""
    return {name: plot for name, plot in settings.plots.items() if plot.table in tables}


def read_plots(plots: Mapping[str, Plot], settings: Settings, aws: Aws | None = None) -> list[PlotData]:
    """Return the data of the plots. A plot that cannot be read has a reason in place of points.

    Args:
        plots: The plots by name.
        settings: The settings.
        aws: The clients of the account, for a caller that has some already.
    """
    # One set of clients for all queries: the SDK takes longer to make a client than to answer a query with it.
    catalog = Catalog(aws or Aws.from_settings(settings))
    with ThreadPoolExecutor(AT_ONCE) as workers:
        read = partial(_read, catalog, settings)
        return list(workers.map(read, plots.keys(), plots.values()))


def undrawn(plots: Mapping[str, Plot], reason: str) -> list[PlotData]:
    """Return plots that are not read, for one reason."""
    return [PlotData(name, plot, _title(name, plot), reason=reason) for name, plot in plots.items()]


def _read(catalog: Catalog, settings: Settings, name: str, plot: Plot) -> PlotData:
    cannot = partial(PlotData, name, plot, _title(name, plot))
    table = TableName.parse(plot.table)
    database = settings.athena.databases[table.layer]
    try:
        described = catalog.table(database, table.name)
        if described is None:
            return cannot(reason=f"{plot.table} is not in the catalog")
        every = _columns(described)
        if problems := list(column_problems(name, plot, every, settings)):
            return cannot(reason="; ".join(problems))
        columns = {column: every[column.lower()] for column in plot.columns.values()}
        sql = plot_sql(plot, columns, f"{quoted_name(database)}.{quoted_name(table.name)}")
        answer = run_query(
            sql, settings, database=database, max_scan=settings.athena.max_scan or "", aws=catalog.aws
        )
        rows = [dict(zip(answer.names, row, strict=True)) for row in answer.rows()]
    except EtltctlError as error:
        return cannot(reason=f"{plot.table} could not be queried: {error.message}")
    return _plotted(name, plot, columns, rows, answer.cost_usd)


def _plotted(
    name: str, plot: Plot, columns: Mapping[str, Column], rows: Sequence[Mapping[str, Any]], usd: float
) -> PlotData:
    kinds = {setting: columns[column] for setting, column in plot.columns.items()}
    points = [point for row in rows[:MOST_ROWS] if (point := _point(row)) is not None]
    title, reason = _title(name, plot), ""
    if not rows:
        reason = f"{plot.table} has no rows"
    elif not points:
        is_null = all(row["measured"] is None for row in rows)
        why = f"{plot.measured} is null in every row" if is_null else "every row has a null, NaN or infinity"
        reason = f"{plot.table} has no values to draw: {why}"
    if rows and (latest := rows[0].get("latest")) is not None:
        title = f"{title}, {plot.latest} {latest}"
    return PlotData(
        name,
        plot,
        title,
        labels={**{s: label_of(c) for s, c in kinds.items()}, "value": _value_label(plot, kinds)},
        points=points,
        kinds=kinds,
        notes=list(_notes(plot, rows, len(points))),
        reason=reason,
        usd=usd,
    )


def column_problems(
    name: str, plot: Plot, columns: Mapping[str, Column], settings: Settings
) -> Iterator[str]:
    """Yield a problem, with its place, for each column of the plot that the table lacks or that is of no use there.

    Args:
        name: The plot's name in the settings.
        plot: The plot.
        columns: The table's columns, by lower-case name.
        settings: The settings, which know where the plot stands.
    """
    for setting, named in plot.columns.items():
        place = plot_place(settings, name, setting)
        if lacks := lacking(named, columns, plot.table):
            yield f"{place}: {lacks}"
            continue
        column = columns[named.lower()]
        if named == plot.measured and plot.kind != "scatter" and not column.is_number:
            yield f"{place}: {plot.table}.{named} is {column.type}, and a {plot.kind} needs numbers there"
        elif plot.kind == "scatter" and setting in ("x", "y") and not (column.is_number or column.is_time):
            yield f"{place}: {plot.table}.{named} is {column.type}, and a scatter plot needs numbers or times there"


def _columns(described: Mapping[str, Any]) -> dict[str, Column]:
    """Return the table's columns and partition columns, as the catalog has them."""
    raw = [*described.get("StorageDescriptor", {}).get("Columns", []), *described.get("PartitionKeys", [])]
    return {
        one["Name"].lower(): Column(one["Name"], one.get("Type", ""), one.get("Comment", "")) for one in raw
    }


def _point(row: Mapping[str, Any]) -> Point | None:
    """Return the mark of a row; None if a place or the value is null, NaN or infinite, which no axis has."""
    value, x, y = row["measured"], row["x"], row.get("y", 0)
    if any(part is None or (is_number(part) and not math.isfinite(part)) for part in (value, x, y)):
        return None
    return Point(x, float(value), row.get("y"), _name(row, "series"), _name(row, "panels"))


def _name(row: Mapping[str, Any], setting: str) -> str:
    """Return the name of a series or panel; a null is shown as such, since the rows belong to something."""
    return "" if setting not in row else "null" if row[setting] is None else str(row[setting])


def _notes(plot: Plot, rows: Sequence[Mapping[str, Any]], drawn: int) -> Iterator[str]:
    for setting, column in grouped_by(plot).items():
        many = rows[0].get(f"all_{setting}") if rows else None
        if many is not None and many > MOST[setting]:
            left = f"the others are in {plot.table}"
            yield f"The {MOST[setting]} largest of {many:,} values of {column} are drawn; {left}."
    if len(rows) > MOST_ROWS:
        yield f"Only the first {MOST_ROWS:,} values are drawn; the others are in {plot.table}."
    if drawn and (left_out := min(len(rows), MOST_ROWS) - drawn):
        yield f"{left_out:,} {'value is' if left_out == 1 else 'values are'} null, NaN or infinite and not drawn."


def _value_label(plot: Plot, kinds: Mapping[str, Column]) -> str:
    if plot.kind == "scatter":
        return "Number of rows"
    column = kinds["value" if plot.value else "y"]
    return label_of(column, plot.unit or unit_of(column))


def _title(name: str, plot: Plot) -> str:
    return plot.title or f"{name.replace('_', ' ').capitalize()}: {plot.measured} by {plot.x}"
