"""What a person says of a new source, by options or as answers to questions."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from etltctl.errors import Command, NextStep, UsageError, command
from etltctl.scaffold.config_options import ConfigOption, config_options
from etltctl.settings.toml_tables import key_text
from etltctl.values import SourceKind

Ask = Callable[[str], str]  # returns the answer at a terminal; empty without a terminal
NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


@dataclass(frozen=True)
class Answers:
    """What is known of a new source.

    Attributes:
        name: Its name.
        kind: Its kind.
        streams: The streams or collections to read.
        manifest: The manifest of a low-code connector.
        package: The Python package of a connector, with its version.
        configured: Values of the connector's config, each `KEY=VALUE`.
        uri: The reference to MongoDB's address.
        database: MongoDB's database.
        keys: The columns that name a record.
    """

    name: str
    kind: SourceKind
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
        needed = ["streams"] if self.kind is SourceKind.AIRBYTE else ["streams", "database", "uri"]
        missing = next((name for name in needed if not getattr(self, name)), None)
        return (missing, *questions[missing]) if missing else None


@dataclass(frozen=True)
class NewSource:
    """A source that a project does not have yet.

    Attributes:
        name: The source's name, which begins the names of its bronze and silver tables.
        values: The source's settings, in the order in which they are written.
        streams: The streams or collections that it reads. Each becomes a bronze and a silver table.
        keys: The columns whose values name a record; none if the source has no such columns.
    """

    name: str
    values: Mapping[str, Any]
    streams: Sequence[str]
    keys: Sequence[str] = field(default_factory=tuple)

    @property
    def job(self) -> str:
        """The name of the Glue job."""
        return f"bronze_to_silver_{self.name}"

    @property
    def tables(self) -> Mapping[str, str]:
        """The silver table of each bronze table."""
        from etltctl.settings.stream_names import table_of_collection, table_of_stream

        table_of = table_of_collection if self.values["kind"] == SourceKind.MONGODB else table_of_stream
        names = [f"{self.name}_{table_of(each)}" for each in self.streams]
        return {f"bronze.{name}": f"silver.{name}" for name in names}


def new_source(answers: Answers, ask: Ask) -> NewSource:
    """Return the source that the answers describe; ask for each value that is missing.

    Args:
        answers: What the options say.
        ask: Asks one question.

    Raises:
        UsageError: A value is missing and there is no answer, a value has another form, or the kind has no such option.
    """
    # First, so that no error repeats a secret with the options.
    options = config_options(answers.configured)
    _require_references(answers, options)
    _require_values(answers, options)
    _require_name(answers)
    _require_options_of_kind(answers)
    while question := answers.question_of_missing:
        name, option, text = question
        answer = ask(text).strip()
        if not answer:
            raise UsageError(
                f"{option} is missing: a source of kind {answers.kind} needs it",
                hint=source_command(answers, option, "VALUE"),
            )
        value: dict[str, Any] = {name: tuple(answer.split()) if name == "streams" else answer}
        answers = replace(answers, **value)
    values = dict(_airbyte(answers, options) if answers.kind is SourceKind.AIRBYTE else _mongodb(answers))
    return NewSource(answers.name, values, answers.streams, answers.keys)


def source_command(answers: Answers, *more: str) -> Command:
    """Return the command that adds a source by these answers.

    Args:
        answers: The answers.
        more: Words at its end, such as an option that is missing.
    """
    return command("source", "add", *answers.words(), *more)


def _require_references(answers: Answers, options: Sequence[ConfigOption]) -> None:
    """Raise UsageError for a secret that stands in an option itself; the error does not repeat it."""
    from etltctl.settings.connector_config import is_literal_secret
    from etltctl.settings.secrets import REFERENCES, is_reference, reference_fault

    # A JSON object may hold the secret further down, and a later value of the same key hides none.
    values = [(f"--set {key_text(path)}", path, value) for option in options for path, value in option.values]
    texts = [(name, value) for name, _, value in values if isinstance(value, str)]
    for name, text in [*texts, ("--uri", answers.uri)]:
        if fault := reference_fault(text):
            raise UsageError(
                f"{name} {fault}", hint="put the value into a variable of the environment and name it"
            )
    literal = [name for name, path, value in values if is_literal_secret(path, value)]
    if answers.uri and not is_reference(answers.uri):
        literal.append("--uri")
    if literal:
        raise UsageError(
            f"{', '.join(literal)} takes a reference and not the secret itself: {', '.join(REFERENCES)}",
            hint="put the value into a variable of the environment and name it, such as env:SHIPS_KEY",
        )


def _require_name(answers: Answers) -> None:
    if not NAME.fullmatch(answers.name):
        raise UsageError(
            f"a source cannot be called {answers.name!r}: use small letters, digits and _, a letter first, at most 40",
            hint=NextStep("choose another name: ", source_command(replace(answers, name="NAME"))),
        )


def _require_values(answers: Answers, options: Sequence[ConfigOption]) -> None:
    """Raise UsageError for a value of the config that no settings file can hold; the error does not repeat it."""
    right = tuple(option.text for option in options if option.key and not option.faults)
    nameless = [str(number) for number, option in enumerate(options, 1) if not option.key]
    if nameless:
        raise UsageError(
            f"--set takes KEY=VALUE, and number {', '.join(nameless)} of them has no key or no =",
            hint=source_command(replace(answers, configured=right), "--set", "KEY=VALUE"),
        )
    if faults := [fault for option in options for fault in option.faults]:
        raise UsageError(
            f"{'; '.join(faults)}. Nothing was written",
            hint=NextStep("leave it out or correct it: ", source_command(replace(answers, configured=right))),
        )


def _require_options_of_kind(answers: Answers) -> None:
    """Raise UsageError for options that the kind does not take."""
    if answers.kind is SourceKind.AIRBYTE:
        others = {"uri": "--uri", "database": "--database"}
    else:
        others = {"manifest": "--manifest", "package": "--package", "configured": "--set"}
    wrong = {name: option for name, option in others.items() if getattr(answers, name)}
    if wrong:
        verb = "are not options" if len(wrong) > 1 else "is not an option"
        empty: dict[str, Any] = {name: () if name == "configured" else "" for name in wrong}
        raise UsageError(
            f"{' and '.join(wrong.values())} {verb} of a source of kind {answers.kind}",
            hint=NextStep("leave out what it does not take: ", source_command(replace(answers, **empty))),
        )


def _mongodb(answers: Answers) -> Iterator[tuple[str, Any]]:
    yield "kind", answers.kind.value
    yield "uri", answers.uri
    yield "database", answers.database
    yield "collections", list(answers.streams)
    yield "connection_id", _connection_id(answers)


def _airbyte(answers: Answers, options: Sequence[ConfigOption]) -> Iterator[tuple[str, Any]]:
    yield "kind", answers.kind.value
    if answers.manifest:
        yield "manifest", answers.manifest
    if answers.package:
        yield "package", answers.package
    if options:
        yield "config", {option.key: option.value for option in options}
    yield "streams", list(answers.streams)
    yield "connection_id", _connection_id(answers)


def _connection_id(answers: Answers) -> str:
    return f"env:AIRBYTE_{answers.name.upper()}_CONNECTION_ID"
