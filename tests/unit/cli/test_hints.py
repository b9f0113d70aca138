"""Hints: a command that resumes or shows a run names it and keeps the flags. Only a similar name is suggested."""

from __future__ import annotations

import ast
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

import etltctl
from etltctl.cli.app import app
from etltctl.cli.hints import Hints, flag_of
from etltctl.cli.progress import RunProgress
from etltctl.cli.run_state import RunState
from etltctl.console import Console
from etltctl.errors import (
    RETRY,
    AlreadyRunningError,
    Command,
    NextStep,
    Parameter,
    UsageError,
    command,
    unknown,
)
from etltctl.extracting import published_table
from etltctl.querying import read_sql
from etltctl.settings import load_settings

SOURCES = sorted(Path(etltctl.__file__).parent.rglob("*.py"))
OF_A_RUN = ({"retry"}, {"runs", "show"}, {"runs", "watch"}, {"runs", "logs"}, {"runs", "cancel"})
# The server of a state folder is another process, so its warnings are text; the command line reads the commands in it.
IN_ANOTHER_PROCESS = {"state_files.py", "refusal_reasons.py"}


def texts(tree: ast.Module) -> Iterator[str]:
    """Yield the texts of a module that are not docstrings."""
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


def calls(tree: ast.Module) -> Iterator[list[ast.expr]]:
    """Yield the arguments of every call of `command`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "command":
            yield node.args


def test_no_text_spells_a_command_that_would_lack_the_flags() -> None:
    names = "|".join(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    spelled = [
        f"{file.name}: {text}"
        for file in SOURCES
        if file.name not in IN_ANOTHER_PROCESS
        for text in texts(ast.parse(file.read_text("utf-8")))
        if re.search(rf"\betltctl (?:{names})(?![\w-])", text) and not text.startswith("it was stopped, as")
    ]
    assert spelled == []


def test_every_argument_in_a_hint_is_an_option_of_a_command() -> None:
    options = {option for params in every_command(typer.main.get_command(app)) for option in params}
    names = {
        ast.literal_eval(node.args[0])
        for file in SOURCES
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Parameter"
        if all(isinstance(argument, ast.Constant) for argument in node.args) and len(node.args) == 1
    }
    assert {"last", "principal", "max_usd"} <= names
    assert {flag_of(Parameter(name)) for name in names} - options == set()


def every_command(top: Any) -> Iterator[list[str]]:
    """Yield the options of a command and of the commands below it."""
    yield [option for param in top.params for option in param.opts]
    for below in getattr(top, "commands", {}).values():
        yield from every_command(below)


def test_no_hint_resumes_or_shows_whichever_run_is_the_newest() -> None:
    nameless = [
        f"{file.name}: {' '.join(map(ast.unparse, words))}"
        for file in SOURCES
        for words in calls(ast.parse(file.read_text("utf-8")))
        if {word.value for word in words if isinstance(word, ast.Constant)} in OF_A_RUN
        and all(isinstance(word, ast.Constant) for word in words)
    ]
    assert nameless == []


def test_the_commands_in_a_text_of_another_process_keep_the_flags() -> None:
    step = NextStep.read(
        "the grants are gone until `etltctl govern apply` makes them; `rm x` and etltctl are text"
    )
    assert step == NextStep(
        "the grants are gone until `", command("govern", "apply"), "` makes them; `rm x` and etltctl are text"
    )
    assert (
        Hints(("--config", "c.toml"))
        .spell(step)
        .startswith("the grants are gone until `etltctl --config c.toml govern apply` makes")
    )
    assert NextStep.read("the disk is full") == NextStep("the disk is full")


@pytest.mark.parametrize(
    "place", [("-c", "my.toml"), ("--config=my.toml",), ("-e", "aws", "--config", "my.toml")]
)
def test_an_invocation_that_is_repeated_gets_its_flags_once(place: tuple[str, ...]) -> None:
    """The refusal of a question repeats the words of the invocation, with the run that it chose."""
    words = (*place, "runs", "cancel", "r-1")
    assert Hints(("--config", "my.toml")).spell(Command(words)) == str(Command(words))


def test_a_warning_of_a_run_names_the_command_that_resumes_it_with_the_flags() -> None:
    err = io.StringIO()
    console = Console(plain=True, stderr=err, spell=Hints(("--env", "aws")).spell)
    event = {
        "type": "warning.degraded",
        "step": "",
        "run_id": "r-1",
        "message": "stopped: etltctl retry r-1 goes on",
    }
    RunProgress(console, RunState("p")).draw(event)
    assert err.getvalue() == "warning: stopped: etltctl --env aws retry r-1 goes on\n"


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
