"""The cursor of a MongoDB source: one for all collections, or one for each."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from etltctl.errors import ConfigurationError
from etltctl.settings import Settings, load_settings


def settings(folder: Path, cursor: Any) -> Settings:
    flags = {"sources.mongodb.cursor": cursor, "sources.mongodb.collections": ["observations", "places"]}
    return load_settings(flags=flags, env="local", environ={}, directory=folder)


@pytest.mark.parametrize(
    ("cursor", "cursors"),
    [
        ("dt", {"observations": "dt", "places": "dt"}),
        ({"observations": "dt"}, {"observations": "dt"}),
        ({}, {}),
    ],
)
def test_a_cursor_is_for_all_collections_or_for_one(
    tmp_path: Path, cursor: Any, cursors: dict[str, str]
) -> None:
    assert settings(tmp_path, cursor).sources["mongodb"].cursors == cursors


@pytest.mark.parametrize(
    "cursor", ["main.dt", "", "$dt", 3, {"observations": "a.b"}, {"observations": 1}, ["dt"]]
)
def test_a_cursor_that_is_not_a_field_is_one_problem(tmp_path: Path, cursor: Any) -> None:
    with pytest.raises(ConfigurationError) as raised:
        settings(tmp_path, cursor)
    (problem,) = raised.value.problems
    assert "sources.mongodb.cursor must be a field at the top of the documents, like dt or _id" in problem


def test_a_cursor_of_a_collection_that_is_not_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as raised:
        settings(tmp_path, {"observation": "dt"})
    (problem,) = raised.value.problems
    assert "has a cursor for 'observation', which is not among its collections" in problem
