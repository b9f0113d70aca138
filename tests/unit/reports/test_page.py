"""The page: one file that loads nothing, holds no markup of its data, and stays below a megabyte."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from etltctl.reports.html import Markup, element
from etltctl.reports.page import MOST_BYTES
from etltctl.reports.plot_data import Point, undrawn
from etltctl.reports.tables import MOST_ROWS, seconds_text, shown, table
from etltctl.settings import Settings, load_settings
from support.reported import HOSTILE, Elements, event, every_kind, plot_data, report_page, succeeded


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(env="local", environ={"ETLTCTL_STATE_DIR": str(tmp_path)})


def test_a_page_of_every_kind_of_plot_is_well_formed_and_loads_nothing(settings: Settings) -> None:
    elements = Elements(report_page(succeeded(), settings, every_kind()))
    assert list(elements.every("script")) == list(elements.every("link")) == list(elements.every("img")) == []
    addresses = {
        value
        for _, attributes in elements.elements
        for name, value in attributes.items()
        if name in ("src", "href")
    }
    assert all(str(address).startswith("#") for address in addresses)
    (policy,) = [
        m["content"] for m in elements.every("meta") if m.get("http-equiv") == "Content-Security-Policy"
    ]
    assert str(policy).startswith("default-src 'none'; style-src 'unsafe-inline'; img-src data:")


def test_plots_without_a_picture_stand_behind_those_with_one(settings: Settings) -> None:
    first, *others = every_kind()
    plots = [replace(first, title="Sun", reason="it is null in every row"), *others]
    text = Elements(report_page(succeeded(), settings, plots)).text
    assert text.index("No plot: it is null in every row.") > text.index(others[-1].title)


def test_ids_are_unique_and_every_link_has_its_target(settings: Settings) -> None:
    elements = Elements(report_page(succeeded(), settings, every_kind()))
    ids = [attributes["id"] for _, attributes in elements.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = {str(link["href"])[1:] for link in elements.every("a")}
    labels = {
        attributes["aria-labelledby"]
        for _, attributes in elements.elements
        if "aria-labelledby" in attributes
    }
    assert targets | labels <= set(ids)


def test_the_page_says_what_the_run_did(settings: Settings) -> None:
    text = Elements(report_page(succeeded(), settings)).text
    for sentence in (
        "Run run-1 succeeded",
        "glue:silver_to_gold, try 2 (started)",
        "Glue jr_1 started",
        "12 rows landed of 12 that the service reported: proven",
        "WIND_RANGE gold.weather_monthly 2 25.00 %",
        "year is null passed with a warning 3",
        "silver.weather_observation",
        "gold.weather_monthly run-1.2 this run's",
        "new column x",
        "0.25",
    ):
        assert sentence in text, sentence


def test_no_text_of_the_ledger_becomes_markup(settings: Settings) -> None:
    step = f"glue:{HOSTILE}"
    tables = {
        f"gold.{HOSTILE}": {
            "change": HOSTILE,
            "rows": 1,
            "audit": {"flags": {HOSTILE: 1}, "rows_in": 1},
            "warnings": [HOSTILE],
        }
    }
    events = [
        event(1, "run.started", pipeline=HOSTILE, steps=[step], run_id=HOSTILE),
        event(2, "step.planned", step),
        event(3, "remote.started", step, service=HOSTILE, remote_id=HOSTILE, state=HOSTILE),
        event(4, "warning.degraded", step, message=HOSTILE),
        event(5, "check.result", step, table=HOSTILE, rule=HOSTILE, count=1, reaction=HOSTILE),
        event(6, "publish.switched", step, tables=tables),
        event(7, "step.finished", step, outcome=HOSTILE, error=HOSTILE, verb=HOSTILE),
        event(8, "run.finished", outcome=HOSTILE),
    ]
    page = report_page(events, settings, undrawn(settings.plots, HOSTILE))
    elements = Elements(page)
    assert list(elements.every("script")) == []
    assert HOSTILE in "".join(elements.texts)
    assert page.count("<script>") == 0


@pytest.mark.parametrize("count", range(1, len(succeeded())))
def test_a_run_that_stopped_anywhere_has_a_page(settings: Settings, count: int) -> None:
    text = Elements(report_page(succeeded()[:count], settings)).text
    assert "Run run-1 unfinished" in text
    assert "as of its last event. etltctl runs watch run-1 follows it." in text


@pytest.mark.parametrize("left_out", range(len(succeeded())))
def test_a_ledger_with_a_gap_has_a_page(settings: Settings, left_out: int) -> None:
    events = [one for number, one in enumerate(succeeded()) if number != left_out]
    assert "Run run-1" in Elements(report_page(events, settings)).text


def test_a_failed_run_shows_its_error_and_the_next_commands(settings: Settings) -> None:
    events = [*succeeded()[:10], event(22, "run.finished", outcome="failed", seconds=21.0)]
    text = Elements(report_page(events, settings, spell=lambda command: f"{command} --env aws")).text
    assert "The error of glue:silver_to_gold (failed) jr_1 ended FAILED: no memory" in text
    assert "etltctl why run-1 --env aws" in text
    assert "etltctl retry run-1 --env aws" in text


def test_a_run_of_a_step_that_the_settings_no_longer_have_has_a_page(settings: Settings) -> None:
    events = [
        event(1, "run.started", steps=["spark:old", "glue:gone", "sync"]),
        event(2, "step.planned", "spark:old"),
    ]
    assert (
        "No step of this run reads or writes a table that the settings know"
        in Elements(report_page(events, settings)).text
    )


def test_a_page_never_grows_beyond_a_megabyte(settings: Settings) -> None:
    dots = [Point(n, 1.0, y=n * 7 % 1999) for n in range(2000)]
    plots = [replace(plot_data("scatter", dots), name=f"p{n}") for n in range(8)]
    page = report_page(succeeded(), settings, plots)
    assert len(page.encode()) <= MOST_BYTES
    assert "the picture is left out, since the page would be larger than 1 MB with it" in page
    assert "<svg" in page


def test_a_long_table_is_cut_with_a_note_and_scrolls_by_keyboard() -> None:
    rows = Elements(
        table("Many", ("name", "n"), [(f"r{n}", n) for n in range(MOST_ROWS + 7)], more="Ask Athena.")
    )
    assert len(list(rows.every("tr"))) == MOST_ROWS + 1
    assert "7 more rows are left out. Ask Athena." in rows.text
    (region,) = rows.every("div")
    assert (region["tabindex"], region["role"], region["aria-label"]) == ("0", "group", "Many")


def test_text_is_escaped_and_markup_is_not() -> None:
    assert (
        element("p", "a<b", Markup("<br>"), None, False, 0, title='"') == '<p title="&quot;">a&lt;b<br>0</p>'
    )
    assert element("p", "a\x00\x1b[31mb\n") == "<p>a[31mb\n</p>"
    assert element("meta", charset="utf-8", hidden=True, class_=None) == '<meta charset="utf-8" hidden>'


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, "–"), (1.24, "1.2 s"), (75, "1 min 15 s"), (3700, "1 h 1 min")]
)
def test_a_duration_reads_as_people_say_it(seconds: float | None, text: str) -> None:
    assert seconds_text(seconds) == text


def test_numbers_have_separators_and_null_is_a_dash() -> None:
    assert [shown(value) for value in (1234567, 0.1234567, None, True, "x")] == [
        "1,234,567",
        "0.123457",
        "–",
        True,
        "x",
    ]


def test_the_style_names_every_variable_that_a_picture_uses(settings: Settings) -> None:
    page = report_page(succeeded(), settings, every_kind())
    used = set(re.findall(r"var\((--[\w-]+)\)", page))
    assert used <= set(re.findall(r"(--[\w-]+):", page))
