"""`etltctl runs report` on runs of both pipelines: plots of their gold tables, in one file that loads nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from support.reported import Elements
from support.workplace import Workplace

pytestmark = pytest.mark.e2e
# The sample has no clouds, and so no sun.
DRAWN = {
    "first-mongodb": [
        "Wind rose: hours by direction and speed",
        "Monthly wind potential",
        "Wind potential by hour and month",
    ],
    "first-api": ["Drivers' championship, round by round", "Constructors' points", "Qualifying against race"],
}


@pytest.mark.parametrize("run_id", DRAWN)
def test_the_report_of_a_run_has_a_picture_of_each_gold_table(sample_lake: Workplace, run_id: str) -> None:
    done = sample_lake.run("runs", "report", run_id)
    path, size = re.fullmatch(r"(\S+)  (\d+) kB\n", done.stdout).groups()  # type: ignore[union-attr]
    text = (sample_lake.folder / path).read_text("utf-8")
    assert len(text.encode()) == pytest.approx(int(size) * 1000, abs=1000)
    assert len(text.encode()) <= 1_000_000
    elements = Elements(text)
    titles = [title.partition(", season")[0].partition(": la_guardia")[0] for title in titles_of(text)]
    assert set(DRAWN[run_id]) <= set(titles)
    assert f"Run {run_id} succeeded" in elements.text
    assert "passed" in elements.text
    assert not re.search(r"(src|href)=\"(?!#)", text)


def test_a_plot_without_values_is_a_sentence_on_both_the_page_and_the_terminal(
    sample_lake: Workplace,
) -> None:
    done = sample_lake.run("runs", "report", "first-mongodb")
    said = "gold.weather_monthly has no values to draw: ghi_proxy_kwh_m2 is null in every row"
    assert f"no plot monthly_sun: {said}" in " ".join(done.stderr.split())
    text = (sample_lake.folder / done.stdout.split("  ")[0]).read_text("utf-8")
    assert f"No plot: {said}." in text


def test_json_names_the_file_and_no_plots_makes_a_small_page(sample_lake: Workplace, tmp_path: Path) -> None:
    file = tmp_path / "r.html"
    done = sample_lake.run("runs", "report", "first-api", "--no-plots", "--to", str(file), "-o", "json")
    document = json.loads(done.stdout)
    assert document == {
        "schema": "etltctl.runs-report/1",
        "run": "first-api",
        "path": str(file),
        "bytes": file.stat().st_size,
        "plots": 0,
        "usd": 0,
    }
    assert "<svg" not in file.read_text("utf-8")


def test_a_run_that_does_not_exist_is_refused(sample_lake: Workplace) -> None:
    done = sample_lake.run("runs", "report", "no-such-run", code=2)
    assert "no run is called no-such-run" in done.stderr


def titles_of(page: str) -> list[str]:
    """Return the titles of the pictures."""
    return [
        title.replace("&#x27;", "'") for title in re.findall(r"<svg [^>]*><title[^>]*>([^<]*)</title>", page)
    ]
