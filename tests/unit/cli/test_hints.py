"""Hints: a command that resumes or shows a run names it and keeps the flags. Only a similar name is suggested."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest

import etltctl
from etltctl.cli.hints import Hints
from etltctl.console import Console
from etltctl.errors import RETRY, AlreadyRunningError, NextStep, UsageError, command, unknown
from etltctl.extracting import published_table
from etltctl.querying import read_sql
from etltctl.settings import load_settings

SOURCES = sorted(Path(etltctl.__file__).parent.rglob("*.py"))
PROSE = re.compile(  # after the command; an explanation is a shell comment or comes first
    r"(?:hint=|HINT|hint = ).*\"etltctl [^#\"`]* (?:lists|names|shows|reports|makes|resumes|deletes|carries)\b"
)
OF_A_RUN = re.compile(r"etltctl (?:retry|runs (?:show|watch|logs|cancel))\b(?! (?:\{|RUN))[^`]")


def test_no_hint_resumes_or_shows_a_run_without_its_id() -> None:
    offending_lines = [
        f"{file.name}: {line.strip()}"
        for file in SOURCES
        for line in file.read_text("utf-8").splitlines()
        if OF_A_RUN.search(line) and ('"' in line or "'" in line) and not line.strip().startswith("#")
    ]
    assert offending_lines == []


def test_a_hint_that_begins_with_a_command_can_be_pasted() -> None:
    offending_lines = [
        f"{file.name}: {line.strip()}"
        for file in SOURCES
        for line in file.read_text("utf-8").splitlines()
        if PROSE.search(line)
    ]
    assert offending_lines == []


def test_a_hint_that_lacks_its_run_is_completed() -> None:
    error = AlreadyRunningError("x", hint=f"let it finish, then: {RETRY}")
    error.name_retry("etltctl retry 20260102-0304-api-ydzy")
    assert error.hint == "let it finish, then: etltctl retry 20260102-0304-api-ydzy"


def test_a_command_in_a_result_keeps_the_flags_too() -> None:
    out = io.StringIO()
    text = NextStep("started; come back: ", command("run-glue", "j", "--wait", "--run-id", "r"))
    Console(stdout=out, spell=Hints(("--env", "aws")).spell).result({}, text)
    assert "come back: etltctl --env aws run-glue j --wait --run-id r" in out.getvalue()


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("gold.wether_daily", "did you mean gold.weather_daily?"),
        ("weather_daily", "did you mean gold.weather_daily?"),
        ("gold.nothing", "known: gold.day_ranking, gold.weather_daily"),
    ],
)
def test_only_a_similar_name_is_suggested(name: str, hint: str) -> None:
    assert unknown("table", name, ["gold.weather_daily", "gold.day_ranking"]).hint == hint


class EmptyCatalog:
    """A catalog without published tables."""

    def table(self, database: str, name: str) -> None:
        return None


def test_a_misspelt_table_is_not_reported_as_never_published(tmp_path: Path) -> None:
    settings = load_settings(environ={}, directory=tmp_path)
    with pytest.raises(UsageError, match=r"no table is called gold\.weather_dayly") as raised:
        published_table("gold.weather_dayly", settings, EmptyCatalog())  # type: ignore[arg-type]
    assert raised.value.hint == "did you mean gold.weather_daily?"


def test_a_leading_byte_order_mark_is_not_part_of_the_sql(tmp_path: Path) -> None:
    file = tmp_path / "q.sql"
    file.write_text("\ufeffselect 1", "utf-8")
    assert read_sql("", file, io.StringIO()) == "select 1"
    assert read_sql("-", None, io.StringIO("\ufeffselect 1")) == "select 1"
