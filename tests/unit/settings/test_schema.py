"""The JSON Schema of the settings file, as an editor uses it."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from etltctl.settings.schema import settings_schema


def problems(settings: dict[str, Any]) -> list[str]:
    return [
        error.json_path for error in jsonschema.Draft202012Validator(settings_schema()).iter_errors(settings)
    ]


@pytest.mark.parametrize(
    ("settings", "places"),
    [
        ({"version": 1, "project": "p"}, []),
        ({"env": {"aws": {"sources": {"api": {"connection_id": "abc"}}, "protected": True}}}, []),
        ({"sources": {"api": {"kind": "http", "base_url": "https://x", "seasons": [2024]}}}, []),
        ({"lake": {"bronz": "s3://b"}}, ["$.lake"]),
        ({"env": {"aws": {"lake": {"keep_versions": "three"}}}}, ["$.env.aws.lake.keep_versions"]),
        ({"env": {"aws": {"default_env": "local"}}}, ["$.env.aws"]),
        ({"version": 2}, ["$.version"]),
    ],
)
def test_each_layer_of_the_settings_is_checked_alone(settings: dict[str, Any], places: list[str]) -> None:
    assert problems(settings) == places


def test_every_section_and_default_is_described() -> None:
    schema = settings_schema()
    assert schema["properties"]["protected"]["default"] is False
    assert "description" in schema["properties"]["project"]
    assert [name for name, section in schema["$defs"].items() if not section.get("description")] == []


def test_the_names_of_settings_stay_whatever_they_are() -> None:
    names = {name for section in settings_schema()["$defs"].values() for name in section["properties"]}
    assert {"project", "timeout_minutes", "kind"} <= names
