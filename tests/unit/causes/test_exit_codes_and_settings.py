"""The catalogue names exit codes with which a run ends, and settings that exist."""

from __future__ import annotations

from typing import Any

import pytest

from etltctl.causes import Cause, catalogue
from etltctl.pipeline.failures import failure_class
from etltctl.settings.schema import settings_schema

REMOTE = {"Glue", "Airbyte", "Athena"}
NAMES = {"JOB", "SOURCE", "NAME", "TABLE"}
OF_REMOTE_RUNS = [
    cause
    for cause in catalogue().values()
    if cause.statuses or not cause.rules or any(rule.services & REMOTE for rule in cause.rules)
]
SETTINGS = sorted({setting for cause in catalogue().values() for setting in cause.settings})
SCHEMA = settings_schema()


@pytest.mark.parametrize("cause", OF_REMOTE_RUNS, ids=lambda cause: cause.code)
def test_a_remote_run_ends_with_the_exit_code_of_its_cause(cause: Cause) -> None:
    assert failure_class("", cause.code).exit_code is cause.exit_code


def alternatives(node: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the schemas that a node refers to."""
    if "$ref" in node:
        return alternatives(SCHEMA["$defs"][node["$ref"].rpartition("/")[2]])
    either = node.get("anyOf") or node.get("oneOf")
    return [each for one in either for each in alternatives(one)] if either else [node]


def below(node: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """Return the schemas of a key; a name in capitals stands for any key of a table of things."""
    if key in NAMES:
        tables = [one.get("additionalProperties") for one in alternatives(node)]
        return [table for table in tables if isinstance(table, dict)]
    return [one["properties"][key] for one in alternatives(node) if key in one.get("properties", {})]


@pytest.mark.parametrize("setting", SETTINGS)
def test_every_setting_of_a_cause_exists(setting: str) -> None:
    if setting.startswith("--"):
        return
    nodes = [SCHEMA]
    for key in setting.split("."):
        nodes = [each for node in nodes for each in below(node, key)]
    assert nodes, setting
