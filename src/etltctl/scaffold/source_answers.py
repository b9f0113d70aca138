"""What a person says of a new source, by options or as answers to questions."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from etltctl.errors import NextStep, UsageError, command
from etltctl.scaffold.source import MONGODB, NewSource

Ask = Callable[[str], str]  # returns the answer at a terminal; empty without a terminal
AIRBYTE = "airbyte"


@dataclass(frozen=True)
class Answers:
    """What is known of a new source.

    Attributes:
        name: Its name.
        kind: `mongodb` or `airbyte`.
        streams: The streams or collections to read.
        manifest: The manifest of a low-code connector.
        package: The Python package of a connector, with its version.
        configured: Values of the connector's config, each `KEY=VALUE`.
        uri: The reference to MongoDB's address.
        database: MongoDB's database.
        keys: The columns that name a record.
    """

    name: str
    kind: str
    streams: Sequence[str] = ()
    manifest: str = ""
    package: str = ""
    configured: Sequence[str] = ()
    uri: str = ""
    database: str = ""
    keys: Sequence[str] = ()

    def words(self) -> Iterator[str]:
        """Yield the name and the options of the command that gives these answers."""
        yield from (self.name, "--kind", self.kind)
        for option, value in (
            ("--manifest", self.manifest), ("--package", self.package), ("--uri", self.uri),
            ("--database", self.database),
        ):  # fmt: skip
            yield from (option, value) if value else ()
        for option, values in (("--stream", self.streams), ("--set", self.configured), ("--key", self.keys)):
            for value in values:
                yield from (option, value)

    @property
    def question_of_missing(self) -> tuple[str, str, str] | None:
        """The first value that is missing: its field, its option and the question for it; None if all are there."""
        questions = {
            "streams": ("--stream", "Which streams, separated by blanks?"),
            "database": ("--database", "Which database?"),
            "uri": ("--uri", "Where is the address kept, such as env:SHIPS_URI?"),
        }
        needed = ["streams"] if self.kind == AIRBYTE else ["streams", "database", "uri"]
        missing = next((name for name in needed if not getattr(self, name)), None)
        return (missing, *questions[missing]) if missing else None


def new_source(answers: Answers, ask: Ask) -> NewSource:
    """Return the source that the answers describe; ask for each value that is missing.

    Args:
        answers: What the options say.
        ask: Asks one question.

    Raises:
        UsageError: A value is missing and there is no answer, or a value has another form.
    """
    # Before any error could repeat the options.
    _require_references(answers)
    while question := answers.question_of_missing:
        name, option, text = question
        answer = ask(text).strip()
        if not answer:
            raise UsageError(
                f"{option} is missing: a source of kind {answers.kind} needs it",
                hint=NextStep(command("source", "add", *answers.words(), option, "VALUE")),
            )
        value: dict[str, Any] = {name: tuple(answer.split()) if name == "streams" else answer}
        answers = replace(answers, **value)
    values = dict(_mongodb(answers) if answers.kind != AIRBYTE else _airbyte(answers))
    return NewSource(answers.name, values, answers.streams, answers.keys)


def _require_references(answers: Answers) -> None:
    """Raise UsageError for a secret that stands in an option itself; the error does not repeat it."""
    from etltctl.settings.connector_config import is_literal_secret
    from etltctl.settings.secrets import REFERENCES, is_reference

    named = dict(map(_configured, answers.configured))
    literal = [
        f"--set {name}" for name, value in named.items() if is_literal_secret(tuple(name.split(".")), value)
    ]
    if answers.uri and not is_reference(answers.uri):
        literal.append("--uri")
    if literal:
        raise UsageError(
            f"{', '.join(literal)} takes a reference and not the secret itself: {', '.join(REFERENCES)}",
            hint="put the value into a variable of the environment and name it, such as env:SHIPS_KEY",
        )


def _mongodb(answers: Answers) -> Iterator[tuple[str, Any]]:
    _refuse(answers, manifest="--manifest", package="--package", configured="--set")
    yield "kind", MONGODB
    yield "uri", answers.uri
    yield "database", answers.database
    yield "collections", list(answers.streams)
    yield "connection_id", _connection_id(answers)


def _airbyte(answers: Answers) -> Iterator[tuple[str, Any]]:
    _refuse(answers, uri="--uri", database="--database")
    yield "kind", AIRBYTE
    if answers.manifest:
        yield "manifest", answers.manifest
    if answers.package:
        yield "package", answers.package
    if answers.configured:
        yield "config", dict(map(_configured, answers.configured))
    yield "streams", list(answers.streams)
    yield "connection_id", _connection_id(answers)


def _refuse(answers: Answers, **options: str) -> None:
    """Raise UsageError for an option that the kind does not take."""
    for name, option in options.items():
        if getattr(answers, name):
            raise UsageError(f"{option} is not an option of a source of kind {answers.kind}")


def _configured(text: str) -> tuple[str, Any]:
    """Return a key and a value of the connector's config: a JSON value such as 5, true or "5", or else text."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise UsageError(f"--set takes KEY=VALUE, got {name!r} without a value")
    try:
        return name.strip(), json.loads(value)
    except ValueError:
        return name.strip(), value


def _connection_id(answers: Answers) -> str:
    return f"env:AIRBYTE_{answers.name.upper()}_CONNECTION_ID"
