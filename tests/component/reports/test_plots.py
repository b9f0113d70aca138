"""The data of plots from a real catalog and real queries: bounded, and with a sentence where nothing can be drawn."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pytest
from botocore.session import Session

from etltctl.aws import Aws
from etltctl.reports.plot_data import PlotData, plots_of, read_plots, undrawn
from etltctl.reports.plot_sections import drawn
from support.lakes import SmallLake
from support.served import Served

PLACES = 5_000
PLOTS = """
[plots.places]
table = "gold.one"
x = "month"
y = "wind"
series = "place"
[plots.names]
table = "gold.one"
kind = "bar"
x = "place"
y = "wind"
measure = "sum"
[plots.panels]
table = "gold.one"
kind = "heatmap"
x = "month"
y = "place"
value = "wind"
panels = "place"
[plots.newest]
table = "gold.one"
kind = "bar"
x = "day"
y = "price"
latest = "year"
[plots.dots]
table = "gold.one"
kind = "scatter"
x = "month"
y = "year"
[plots.nothing]
table = "gold.one"
x = "month"
y = "unknown"
[plots.mistyped]
table = "gold.one"
x = "month"
y = "winde"
[plots.words]
table = "gold.one"
x = "month"
y = "place"
[plots.word_dots]
table = "gold.one"
kind = "scatter"
x = "place"
y = "month"
[plots.empty]
table = "gold.two"
x = "month"
y = "wind"
[plots.unpublished]
table = "gold.weather_daily"
x = "local_date"
y = "rain_mm"
"""


@pytest.fixture(scope="module")
def plots(server: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, PlotData]]:
    """The data of every plot: of gold.one with 5,000 places in 2 months of 2 years, and of gold.two without a row."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**server.environ, "AWS_DEFAULT_REGION": "us-east-1"}.items():
            patch.setenv(name, value)
        name = f"t{uuid4().hex[:10]}"
        own = f'[lake]\ngold = "s3://pi-m3-gold/{name}"\n[athena.databases]\ngold = "{name}"\n{PLOTS}'
        small = SmallLake(server, Aws(region="us-east-1"), tmp_path_factory.mktemp("plots"), own)
        count = 4 * PLACES
        columns = {
            "place": pa.array(
                [f"place {n % PLACES:04}" if n % PLACES else None for n in range(count)], pa.string()
            ),
            "month": pa.array([n // PLACES % 2 + 1 for n in range(count)], pa.int32()),
            "year": pa.array([2025 + n // PLACES // 2 for n in range(count)], pa.int32()),
            "day": pa.array([date(2026, 1, 1 + n % 3) for n in range(count)], pa.date32()),
            "price": pa.array([Decimal("1.50")] * count, pa.decimal128(6, 2)),
            "wind": pa.array([float(n % PLACES) if n % PLACES else None for n in range(count)], pa.float64()),
            "unknown": pa.array([None] * count, pa.float64()),
        }
        rows = pa.table(columns)
        locations = {
            "gold.one": small.write("gold.one", "v1", rows),
            "gold.two": small.write("gold.two", "v1", rows[:0]),
        }
        small.lake.publish(locations, "v1")
        named = {key: plot for key, plot in small.settings.plots.items() if f"[plots.{key}]" in PLOTS}
        yield {data.name: data for data in read_plots(named, small.settings)}


def test_of_5000_series_the_twelve_largest_are_drawn_and_the_page_says_so(plots: dict[str, PlotData]) -> None:
    data = plots["places"]
    assert {point.series for point in data.points} == {f"place {PLACES - n:04}" for n in range(1, 13)}
    assert len(data.points) == 24
    assert data.notes == ["The 12 largest of 5,000 values of place are drawn; the others are in gold.one."]


def test_of_5000_names_along_an_axis_the_24_largest_are_drawn(plots: dict[str, PlotData]) -> None:
    points = plots["names"].points
    assert len(points) == 24
    assert max(point.value for point in points) == 4 * (PLACES - 1)


def test_of_5000_panels_four_are_drawn_on_a_small_page(plots: dict[str, PlotData]) -> None:
    figure = drawn(plots["panels"])
    assert [name for name, _ in figure.pictures] == [f"place {PLACES - n:04}" for n in range(1, 5)]
    assert figure.size < 100_000


def test_only_the_newest_value_of_a_column_is_drawn_and_named_in_the_heading(
    plots: dict[str, PlotData],
) -> None:
    data = plots["newest"]
    assert data.title.endswith("year 2026")
    assert [(point.x, point.value) for point in data.points] == [(f"2026-01-0{n}", 1.5) for n in (1, 2, 3)]


def test_a_dot_counts_the_rows_that_lie_on_it(plots: dict[str, PlotData]) -> None:
    assert [(p.x, p.y, p.value) for p in plots["dots"].points] == [
        (month, year, PLACES) for month in (1, 2) for year in (2025, 2026)
    ]


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("empty", "gold.two has no rows"),
        ("nothing", "gold.one has no values to draw: unknown is null in every row"),
        ("mistyped", "etltctl.toml:50:1: plots.mistyped.y: gold.one has no column winde, did you mean wind?"),
        ("words", "gold.one.place is string, and a line needs numbers there"),
        ("word_dots", "gold.one.place is string, and a scatter plot needs numbers or times there"),
        ("unpublished", "gold.weather_daily is not in the catalog"),
    ],
)
def test_a_plot_that_cannot_be_drawn_says_why(plots: dict[str, PlotData], name: str, reason: str) -> None:
    assert reason in plots[name].reason
    assert drawn(plots[name]).pictures == ()


def test_all_queries_of_plots_share_one_session_of_the_sdk(
    server: Served, aws: Aws, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = SmallLake(server, aws, tmp_path_factory.mktemp("shared"), PLOTS)
    small.publish("v1")
    dots = small.settings.plots["dots"].model_copy(update={"x": "n", "y": "n"})
    sessions: list[Session] = []
    opened = Session.__init__

    def counted(session: Session, *arguments: Any, **named: Any) -> None:
        sessions.append(session)
        opened(session, *arguments, **named)

    monkeypatch.setattr(Session, "__init__", counted)
    drawn_plots = read_plots({"first": dots, "second": dots, "third": dots}, small.settings)
    assert [bool(data.points) for data in drawn_plots] == [True, True, True]
    assert len(sessions) == 1


def test_the_queries_of_plots_cost_nothing_on_this_machine(plots: dict[str, PlotData]) -> None:
    assert sum(data.usd for data in plots.values()) == 0


def test_a_query_that_fails_is_a_reason(
    server: Served, aws: Aws, tmp_path_factory: pytest.TempPathFactory
) -> None:
    small = SmallLake(server, aws, tmp_path_factory.mktemp("broken"), PLOTS)
    small.publish("v1")
    chosen = {"dots": small.settings.plots["dots"].model_copy(update={"x": "n", "y": "n"})}
    refusal = {"status": 400, "body": {"__type": "InvalidRequestException", "Message": "no <workgroup>"}}
    small.spoil({"call": "StartQueryExecution", "refuse": refusal, "times": 99})
    (data,) = read_plots(chosen, small.settings)
    small.spoil()
    assert data.reason.startswith("gold.one could not be queried:")


def test_plots_are_those_of_the_run_s_tables(
    server: Served, aws: Aws, tmp_path_factory: pytest.TempPathFactory
) -> None:
    settings = SmallLake(server, aws, tmp_path_factory.mktemp("chosen"), PLOTS).settings
    assert list(plots_of(["gold.two"], settings)) == ["empty"]
    (data,) = undrawn(plots_of(["gold.two"], settings), "no service")
    assert (data.title, data.reason) == ("Empty: wind by month", "no service")
