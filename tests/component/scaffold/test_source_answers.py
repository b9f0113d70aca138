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
            "--set day: TOML has no null; --set of.x.0: TOML has no null. Nothing was written",
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
    with pytest.raises(UsageError, match="--set takes KEY=VALUE, and number 2 of them") as refused:
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


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('at={"a": 77, "a": 78}', "--set at.a: the key is given twice"),
        ("at=NaN", "--set at: JSON has no NaN; a text of it stands in double quotes"),
        ('at={"b": [77, {"c": -Infinity}]}', "--set at.b.1.c: JSON has no -Infinity"),
        ('at={"a": {"b": null}}', "--set at.a.b: TOML has no null"),
        ("at=77999999999999999999", "--set at: the number does not fit into 64 bits"),
        (f"at=-{'7' * 5000}", "--set at: the number does not fit into 64 bits"),
        ("at=77e999", "--set at: the number is too large"),
        ('at={"77', "--set at: is not valid JSON at character 2"),
        (f"at={'[' * 100_000}", "--set at: too many tables or lists lie within each other"),
        ('at="77\\ud800"', "--set at: half a character"),
        ('at={"x.y": null}', '--set at."x.y": TOML has no null'),
    ],
)
def test_a_value_that_toml_cannot_hold_is_named_by_its_place_and_not_repeated(text: str, says: str) -> None:
    answers = Answers("ships", SourceKind.AIRBYTE, ("s",), configured=("pages=5", text))
    with pytest.raises(UsageError) as refused:
        new_source(answers, no_terminal)
    assert says in refused.value.message
    assert "77" not in f"{refused.value.message} {refused.value.next_step}"
    assert str(refused.value.next_step).endswith("--stream s --set pages=5")


def test_a_key_is_set_once() -> None:
    answers = Answers("ships", SourceKind.AIRBYTE, ("s",), configured=("day=1", "day=2"))
    with pytest.raises(UsageError, match="--set day: the key is given twice"):
        new_source(answers, no_terminal)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("at=9223372036854775807", 2**63 - 1),
        ("at=-9223372036854775808", -(2**63)),
        ('at="NaN"', "NaN"),
        ('at="[a-z]"', "[a-z]"),
        ("at=bare text", "bare text"),
        ("at=a=b", "a=b"),
        ("at=", ""),
        ("at=+5", "+5"),
        ('at={"a": []}', {"a": []}),
    ],
)
def test_a_value_is_json_or_else_text(text: str, value: object) -> None:
    answers = Answers("ships", SourceKind.AIRBYTE, ("s",), configured=(text,))
    assert new_source(answers, no_terminal).values["config"] == {"at": value}


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"uri": "env:"}, "--uri must be written as env:NAME"),
        ({"uri": "ENV:SHIPS"}, "--uri must be written as env:NAME"),
        (
            {"configured": ("host=env:A-B",), "kind": SourceKind.AIRBYTE},
            "--set host must be written as env:NAME",
        ),
    ],
)
def test_a_reference_of_another_form_is_refused(changed: dict[str, object], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        new_source(replace(SHIPS, **changed), no_terminal)  # type: ignore[arg-type]
