"""The answers that describe a new source: what is refused, with the command that is right, and what is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from etltctl.errors import UsageError, command
from etltctl.scaffold.source import settings_of
from etltctl.scaffold.source_answers import Answers, NewSource, new_source
from etltctl.values import SourceKind

SHIPS = Answers(
    "ships",
    SourceKind.MONGODB,
    streams=("ships", "ports"),
    uri="env:SHIPS_URI",
    database="harbour",
    keys=("_id",),
)


def no_terminal(question: str) -> str:
    return ""


@pytest.mark.parametrize(
    "answers",
    [
        replace(SHIPS, uri="mongodb://user:hidden-word@host/", database=""),
        replace(SHIPS, uri="hidden-word"),
        Answers("ships", SourceKind.AIRBYTE, configured=("api_key=hidden-word",)),
        Answers("ships", SourceKind.AIRBYTE, streams=("s",), configured=("token=hidden-word",)),
        Answers("ships", SourceKind.AIRBYTE, streams=("s",), configured=("clientSecret=hidden-word",)),
        Answers("ships", SourceKind.AIRBYTE, streams=("s",), configured=("refresh_token=hidden-word",)),
        Answers("ships", SourceKind.AIRBYTE, streams=("s",), configured=("credentials=hidden-word",)),
        Answers(
            "ships", SourceKind.AIRBYTE, streams=("s",), configured=("url=https://me:hidden-word@host/",)
        ),
        Answers(
            "ships", SourceKind.AIRBYTE, streams=("s",), configured=('auth={"client_secret": "hidden-word"}',)
        ),
        Answers(
            "ships", SourceKind.AIRBYTE, streams=("s",), configured=("token=hidden-word", "token=env:TOKEN")
        ),
    ],
)
def test_a_secret_itself_is_refused_and_not_repeated(answers: Answers) -> None:
    with pytest.raises(UsageError, match="takes a reference") as refused:
        new_source(answers, no_terminal)
    assert "hidden-word" not in f"{refused.value.message} {refused.value.next_step}"


@pytest.mark.parametrize(
    ("missing", "option"), [("streams", "--stream"), ("database", "--database"), ("uri", "--uri")]
)
def test_without_a_terminal_a_missing_value_is_named_with_the_whole_command(
    missing: str, option: str
) -> None:
    answers = replace(SHIPS, **{missing: () if missing == "streams" else ""})
    with pytest.raises(UsageError, match=f"{option} is missing") as refused:
        new_source(answers, no_terminal)
    (step,) = refused.value.next_step.parts
    assert step.words == ("source", "add", *answers.words(), option, "VALUE")
    assert {*answers.words()} >= {"ships", "--kind", "mongodb", "--key", "_id"}


def test_on_a_terminal_each_missing_value_is_asked_for() -> None:
    answers: Iterator[str] = iter(["ships ports", "harbour", "env:SHIPS_URI"])
    questions: list[str] = []

    def ask(question: str) -> str:
        questions.append(question)
        return next(answers)

    source = new_source(Answers("ships", SourceKind.MONGODB, keys=("_id",)), ask)
    assert source == new_source(SHIPS, no_terminal)
    assert len(questions) == 3


@pytest.mark.parametrize(
    ("answers", "words", "right"),
    [
        (
            Answers("ships", SourceKind.AIRBYTE, ("a",), uri="env:X", configured=("pages=5",)),
            "--uri is not an option of a source of kind airbyte",
            Answers("ships", SourceKind.AIRBYTE, ("a",), configured=("pages=5",)),
        ),
        (
            replace(SHIPS, manifest="m.yaml", configured=("pages=5",)),
            "--manifest and --set are not options of a source of kind mongodb",
            SHIPS,
        ),
        (
            Answers(
                "ships", SourceKind.AIRBYTE, ("a",), configured=("pages=5", "day=null", 'of={"x": [null]}')
            ),
            "TOML has no null: --set day, --set of cannot be written",
            Answers("ships", SourceKind.AIRBYTE, ("a",), configured=("pages=5",)),
        ),
    ],
)
def test_a_wrong_option_is_refused_with_the_command_without_it(
    answers: Answers, words: str, right: Answers
) -> None:
    with pytest.raises(UsageError, match=words) as refused:
        new_source(answers, no_terminal)
    assert refused.value.next_step.parts[-1] == command("source", "add", *right.words())


@pytest.mark.parametrize("text", ["hidden-word", "token:hidden-word", "=hidden-word", " =hidden-word"])
def test_a_value_without_its_key_is_refused_and_not_repeated(text: str) -> None:
    answers = Answers("Ships", SourceKind.AIRBYTE, ("a",), configured=("pages=5", text))
    with pytest.raises(UsageError, match="--set takes KEY=VALUE") as refused:
        new_source(answers, no_terminal)
    assert "hidden-word" not in f"{refused.value.message} {refused.value.next_step}"
    assert str(refused.value.next_step).endswith("--stream a --set pages=5 --set KEY=VALUE")


def test_the_config_of_a_connector_keeps_numbers_and_texts() -> None:
    source = NewSource(
        "x", {"kind": "airbyte", "config": {"start": "2024-01-01", "pages": 5, "all of": [True]}}, ("s",)
    )
    assert 'config = { start = "2024-01-01", pages = 5, "all of" = [true] }' in settings_of(source)
    answers = Answers(
        "x", SourceKind.AIRBYTE, streams=("s",), configured=("pages=5", "day=2024-01-01", "key=env:K")
    )
    assert new_source(answers, no_terminal).values["config"] == {
        "pages": 5,
        "day": "2024-01-01",
        "key": "env:K",
    }
