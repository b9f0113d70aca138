"""Real events of a run, results of commands and errors, each checked against its published JSON Schema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from support.quick import QuickLake
from support.spoilt import PROJECT
from support.workplace import Workplace

SCHEMAS = PROJECT / "docs" / "reference" / "schemas"
COMMANDS = (
    ("runs", "list"), ("runs", "show"), ("runs", "logs"), ("cost",), ("cost", "--by", "step"), ("cost", "--by", "day"),
    ("runs", "cancel", "--yes"), ("runs", "rebuild"), ("athena", "tables"), ("athena", "refresh"),
    ("athena", "describe", "gold.f1_driver_championship"), ("athena", "query", "select 1 as n, 'a' as t"),
    ("contract", "diff"), ("config", "show"), ("config", "validate"), ("local", "status"), ("local", "env"),
    ("local", "env", "--dbt"), ("govern", "who", "gold.f1_driver_championship"), ("govern", "audit"),
    ("doctor", "settings"), ("why", "first"), ("why", "--code", "G117"), ("runs", "report"),
    ("connections", "plan"), ("init", "other"),
)  # fmt: skip


def errors_in(name: str, document: Any) -> list[str]:
    schema = json.loads((SCHEMAS / f"{name}.json").read_text("utf-8"))
    validator = jsonschema.Draft202012Validator(schema)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workplace]:
    place = QuickLake.make(tmp_path_factory.mktemp("schemas"))
    place.run("local", "up")
    place.run("run", "api", "--run-id", "first", "-o", "json")
    yield place
    place.run("local", "down")


def test_every_event_of_a_run_is_as_published(lake: Workplace) -> None:
    lines = (lake.folder / ".etltctl" / "runs" / "first.ndjson").read_text().splitlines()
    events = [json.loads(line) for line in lines]
    assert {
        "version",
        "run.started",
        "remote.started",
        "publish.switched",
        "step.finished",
        "run.finished",
    } <= {event["type"] for event in events}
    assert [wrong for event in events for wrong in errors_in("events", event)] == []
    shown = lake.run("runs", "show", "first", "-o", "ndjson").stdout.splitlines()
    assert [wrong for line in shown for wrong in errors_in("events", json.loads(line))] == []


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_result_is_as_published(lake: Workplace, command: tuple[str, ...]) -> None:
    assert errors_in("results", lake.json(*command)) == []


def test_the_result_of_a_run_and_of_its_failure_is_as_published(lake: Workplace) -> None:
    results = {words: done for words, done in lake.first_results.items() if words.startswith("run api")}
    assert [errors_in("results", json.loads(done.stdout)) for done in results.values()] == [[]]
    failed = lake.run("athena", "query", "select nothing from f1_driver_championship", "-o", "json", code=1)
    assert errors_in("error", json.loads(failed.stderr.splitlines()[-1])) == []


def test_the_settings_of_a_project_are_as_published(lake: Workplace) -> None:
    import tomllib

    schema = lake.json("config", "schema")
    assert schema == json.loads((SCHEMAS / "settings.json").read_text("utf-8"))
    files = (PROJECT / "etltctl.toml", PROJECT / "src" / "etltctl" / "scaffold" / "files" / "etltctl.toml")
    for file in (*files, lake.folder / "etltctl.toml"):
        assert errors_in("settings", tomllib.loads(Path(file).read_text("utf-8"))) == []
