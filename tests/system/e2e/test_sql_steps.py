"""The page about tables from SQL, followed to the letter with the installed command."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from support.sample_settings import on_sample
from support.workplace import Workplace

pytestmark = pytest.mark.e2e
PAGE = (Path(__file__).parents[3] / "docs" / "how-to" / "make-a-table-with-sql.md").read_text("utf-8")


def block(language: str) -> str:
    """Return the page's block in that language."""
    (text,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(text)


def test_the_example_of_the_page_makes_the_table(workplace: Workplace) -> None:
    (workplace.folder / "sql").mkdir()
    (workplace.folder / "sql" / "windiest_month.sql").write_text(block("text"))
    (workplace.folder / "etltctl.toml").write_text(on_sample(block("toml")))
    workplace.run_installed("local", "up")
    outputs = [workplace.run_installed(*shlex.split(line)[1:]).stdout for line in block("bash").splitlines()]
    assert "The settings are valid" in outputs[0]
    rows = workplace.query(
        "select w.city_key, count(*) as months, count(distinct w.rank) as ranks, max(w.rank) as last, "
        "max(w.wind_speed_mean_ms) = (select max(wind_speed_mean_ms) from pi_m3_gold.weather_monthly m "
        "where m.city_key = w.city_key) as is_top from pi_m3_gold.windiest_month w group by w.city_key"
    )
    assert len(rows) == 2
    assert all(row["months"] == row["ranks"] == row["last"] <= 10 and row["is_top"] for row in rows)
    described = workplace.json("athena", "describe", "gold.windiest_month")["rows"]
    assert {row["name"] for row in described} >= {"city_key", "rank", "year", "month", "wind_speed_mean_ms"}
    # The windiest month of each of the two airports, and the line with the names of the columns.
    assert len([line for line in outputs[2].splitlines() if re.search(r"20\d\d", line)]) == 2
