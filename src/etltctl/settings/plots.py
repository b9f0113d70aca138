"""The plots of the report on a run: which columns of a table are drawn, and how."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from etltctl.settings.section import Section, TableName, Text

PlotKind = Literal["line", "bar", "scatter", "heatmap", "rose"]


class Plot(Section):
    """One plot of the report on a run, `[plots.NAME]`: which columns of a table are drawn, and how.

    Rows with the same `x`, `series` and `panels` are summarised by `measure`. The largest twelve `series` and four
    `panels` are drawn; the others stay in the table. Units come from the descriptions of the columns.
    """

    table: TableName = Field(description="the table, as `layer.table`")
    kind: PlotKind = Field(
        default="line",
        description="how the values are drawn; `rose` is a circle of compass directions",
    )
    x: Text = Field(description="the column along the horizontal axis; of a rose, the direction")
    y: Text = Field(description="the column along the vertical axis; of a rose, the length of a sector")
    value: Text | None = Field(
        default=None, description="the column that the colour of a heatmap's cell stands for"
    )
    series: Text | None = Field(default=None, description="the column whose values get a colour each")
    panels: Text | None = Field(default=None, description="the column whose values get a picture each")
    latest: Text | None = Field(
        default=None, description="a column: only the rows with its greatest value are drawn"
    )
    measure: Literal["avg", "sum", "min", "max"] = Field(
        default="avg", description="how rows of one place in the plot become one value"
    )
    title: Text | None = Field(default=None, description="the heading; made from the columns unless set")
    unit: Text | None = Field(
        default=None, description="the unit of the values; that of the column's description unless set"
    )

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Plot:
        if self.kind == "heatmap" and self.value is None:
            raise ValueError("must name value, the column that the colours of a heatmap stand for")
        if self.kind == "heatmap" and self.series is not None:
            raise ValueError("must not name series: in a heatmap the colour stands for value")
        if self.kind != "heatmap" and self.value is not None:
            raise ValueError(f"must not name value: in a {self.kind} the values are those of y")
        return self

    @property
    def columns(self) -> dict[str, str]:
        """The columns that the plot names, by the setting that names them."""
        named = {name: getattr(self, name) for name in ("x", "y", "value", "series", "panels", "latest")}
        return {name: column for name, column in named.items() if column is not None}

    @property
    def measured(self) -> str:
        """The column whose values are summarised."""
        return self.value or self.y
