"""The one query of a plot: it summarises the table's rows, ranks places and series, and is bounded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from etltctl.values import quoted_name

if TYPE_CHECKING:
    from etltctl.settings.plots import Plot

MOST_ROWS = 2000  # of a plot: a reader cannot distinguish more marks than these
# The most values of each column that are drawn; the largest ones, by the sum of what is measured.
MOST = {"series": 12, "panels": 4, "x": 24, "y": 24}
NUMBERS = ("tinyint", "smallint", "int", "bigint", "float", "double", "decimal")


@dataclass(frozen=True)
class Column:
    """A column of a plotted table, as the catalog describes it."""

    name: str
    type: str
    comment: str = ""

    @property
    def is_number(self) -> bool:
        """Whether the values are numbers."""
        return self.type.startswith(NUMBERS)

    @property
    def is_time(self) -> bool:
        """Whether the values are dates or timestamps."""
        return self.type.startswith(("date", "timestamp"))


def grouped_by(plot: Plot) -> dict[str, str]:
    """Return the columns whose values tell the marks of the plot apart, by the setting that names them."""
    names = {"x", "series", "panels"} | ({"y"} if plot.kind in ("heatmap", "scatter") else set())
    return {setting: column for setting, column in plot.columns.items() if setting in names}


def ranked(plot: Plot, columns: Mapping[str, Column]) -> dict[str, int]:
    """Return how many values of a column are drawn at most, by the setting that names it.

    An axis of numbers or times has an order and room; an axis of names has not, so only the largest are drawn.
    """
    return {
        setting: MOST[setting]
        for setting, column in grouped_by(plot).items()
        if setting in ("series", "panels") or (plot.kind != "rose" and not _is_ordered(columns[column]))
    }


def _is_ordered(column: Column) -> bool:
    return column.is_number or column.is_time


def plot_sql(plot: Plot, columns: Mapping[str, Column], table: str) -> str:
    """Return the query of a plot.

    Its columns are the settings of `grouped_by`, then `measured`, then `latest` if the plot names it, and for each
    setting of `ranked` its number of values in all, as `all_SETTING`.

    Args:
        plot: The plot.
        columns: The table's columns by the name that the plot uses.
        table: The table as a query names it.
    """
    groups = grouped_by(plot)
    named = [f"{_sql(columns[column])} as {setting}" for setting, column in groups.items()]
    # Marks of a scatter plot that lie on each other would hide how many they are.
    measured = "count(*)" if plot.kind == "scatter" else f"{plot.measure}({_sql(columns[plot.measured])})"
    newest = _sql(columns[plot.latest]) if plot.latest else ""
    named += [f"{measured} as measured", *([f"max({newest}) as latest"] if newest else [])]
    only = f" where {newest} = (select max({newest}) from {table})" if newest else ""
    places = ", ".join(map(str, range(1, len(groups) + 1)))
    parts = [f"chosen as (select {', '.join(named)} from {table}{only} group by {places})"]
    ranks, joins, conditions = ranked(plot, columns), [], []
    for setting in ranks:
        # A null ranks last; it is a value like any other for the join.
        parts.append(
            f"rank_{setting} as (select {setting}, row_number() over"
            f" (order by sum(measured) desc nulls last, {setting}) as place, count(*) over () as many"
            f" from chosen group by {setting})"
        )
        joins.append(
            f" join rank_{setting} on chosen.{setting} is not distinct from rank_{setting}.{setting}"
        )
        conditions.append(f"rank_{setting}.place <= {ranks[setting]}")
    result = [*(f"chosen.{setting}" for setting in groups), "chosen.measured"]
    result += ["chosen.latest"] if newest else []
    result += [f"rank_{setting}.many as all_{setting}" for setting in ranks]
    where = f" where {' and '.join(conditions)}" if conditions else ""
    first = [f"rank_{setting}.place" for setting in ranks if setting in ("panels", "series")]
    order = ", ".join([*first, *(f"chosen.{setting}" for setting in groups)])
    return (
        f"with {', '.join(parts)} select {', '.join(result)} from chosen{''.join(joins)}{where}"
        f" order by {order} limit {MOST_ROWS + 1}"
    )


def _sql(column: Column) -> str:
    return quoted_name(column.name)
