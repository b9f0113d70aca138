"""Events and plot data of hand-made runs, for tests of the report on a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from typing import Any

from etltctl.explanation import Explanation
from etltctl.ledger import Event
from etltctl.reports.facts import facts_of
from etltctl.reports.page import page
from etltctl.reports.plot_data import PlotData, Point
from etltctl.reports.plot_query import Column
from etltctl.reports.plot_sections import drawn
from etltctl.reports.tables import Spell
from etltctl.settings import Settings
from etltctl.settings.plots import Plot

HOSTILE = "<script>alert(1)</script>\"'&"
VOID = {"meta", "br", "link", "col"}
DIRECTIONS = ("N", "NE", "E", "SE", "S", "SW", "W", "NW")


def event(seq: int, type_: str, step: str = "", *, run_id: str = "run-1", **facts: Any) -> Event:
    """Return an event as the ledger has it, `seq` seconds after midnight."""
    at = f"2026-01-01T00:{seq // 60:02}:{seq % 60:02}+00:00"
    return {"ts": at, "seq": seq, "run_id": run_id, "step": step, "env": "prod", "type": type_, **facts}


def succeeded() -> list[Event]:
    """Return the events of a run whose job published gold.weather_monthly at its second try."""
    sync, job = "sync:mongodb", "glue:silver_to_gold"
    audit = {"rows_in": 10, "rows_out": 8, "merged": 1, "rejected": 1, "flags": {"WIND_RANGE": 2, "NONE": 0}}
    published = {"change": "updated", "rows": 8, "audit": audit, "warnings": ["new column x"]}
    rules = ["min_rows", "year is null", "conserve_rows"]
    tables = {"gold.weather_monthly": {**published, "version": "run-1.2", "rules": rules}}
    return [
        event(
            1,
            "run.started",
            pipeline="mongodb",
            steps=[sync, job, "athena:refresh"],
            options={"max_usd": 3.0},
        ),
        event(2, "step.planned", sync),
        event(3, "remote.started", sync, service="Airbyte", remote_id="7", state="pending"),
        event(9, "step.progress", sync, remote_id="7", state="succeeded"),
        event(10, "verify.result", sync, job="7", proven=True, landed=12, reported=12),
        event(11, "step.finished", sync, outcome="succeeded", verb="started", seconds=9.0, rows=12),
        event(12, "step.planned", job),
        event(13, "remote.started", job, service="Glue", remote_id="jr_1", state="STARTING"),
        event(20, "step.progress", job, remote_id="jr_1", state="FAILED"),
        event(21, "step.finished", job, outcome="failed", seconds=9.0, error="jr_1 ended FAILED: no memory"),
        event(22, "step.planned", job),
        event(23, "remote.started", job, service="Glue", remote_id="jr_2", state="STARTING"),
        event(30, "step.progress", job, remote_id="jr_2", state="SUCCEEDED"),
        event(31, "cost.actual", job, usd=0.25, remote_id="jr_2"),
        event(
            32,
            "check.result",
            job,
            table="gold.weather_monthly",
            name="year is null",
            rule="year is null",
            count=3,
            reaction="evolve",
        ),
        event(33, "publish.switched", job, rows=8, tables=tables),
        event(
            34, "step.finished", job, outcome="succeeded", verb="started", seconds=12.0, rows=8, tables=tables
        ),
        event(35, "run.finished", outcome="succeeded", seconds=34.0),
    ]


def plot_data(kind: str, points: Sequence[Point], **settings: Any) -> PlotData:
    """Return the data of a plot of gold.weather_monthly, with columns of the types that its kind needs."""
    plot = Plot.model_validate(
        {"table": "gold.weather_monthly", "kind": kind, "x": "x", "y": "y", **settings}
    )
    is_text = kind == "rose" or (points and isinstance(points[0].x, str))
    kinds = {setting: Column(column, "double") for setting, column in plot.columns.items()}
    kinds["x"] = Column("x", "string" if is_text else "bigint")
    labels = {**{setting: f"the {setting}" for setting in kinds}, "value": "the value (W/m²)"}
    return PlotData(kind, plot, f"A {kind}", labels, points, kinds)


def every_kind(name: str = HOSTILE) -> list[PlotData]:
    """Return a plot of each kind, whose series and panels have a hostile name."""
    months = [Point(month, 10.0 * month, series=series) for series in (name, "b") for month in range(1, 13)]
    rose = [
        Point(d, 5.0 + n, series=s, panel=p)
        for n, d in enumerate(DIRECTIONS)
        for s in ("0.5-2", "2-4")
        for p in (name, "b")
    ]
    return [
        plot_data("line", months, series="s"),
        plot_data("bar", months, series="s"),
        plot_data("bar", [Point(name, 3.0), Point("b", 2.0)]),
        plot_data("scatter", [Point(n, 1.0 + n % 3, y=n * n) for n in range(20)]),
        plot_data(
            "heatmap",
            [Point(h, float(h * m), y=m, panel=name) for h in range(24) for m in range(12)],
            value="v",
            panels="p",
        ),
        plot_data("rose", [*rose, Point("calm", 4.0, series="calm", panel=name)], series="s", panels="p"),
    ]


def report_page(
    events: Sequence[Event],
    settings: Settings,
    plots: Sequence[PlotData] = (),
    spell: Spell = str,
    version: str = "run-1.2",
    explanation: Explanation | None = None,
) -> str:
    """Return the page of these events and plots; `version` is the current one of gold.weather_monthly."""
    current = {"gold.weather_monthly": (version, "2026-01-01")}
    return page(facts_of(events), [drawn(plot) for plot in plots], settings, current, "", spell, explanation)


class Elements(HTMLParser):
    """The elements of a page, each with its attributes; raises if a start tag is not closed by its end tag."""

    def __init__(self, text: str) -> None:
        """Read the page."""
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element of SVG that ends at once."""
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """Check that the innermost element ends."""
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Note a text."""
        self.texts.append(data)

    @property
    def text(self) -> str:
        """The text of the page in one line."""
        return " ".join(" ".join(self.texts).split())

    def every(self, tag: str) -> Iterator[dict[str, str | None]]:
        """Yield the attributes of each element of this name."""
        return (attributes for name, attributes in self.elements if name == tag)
