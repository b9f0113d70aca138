"""Low-code manifests: what is read of them, and files that would eat the memory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from etltctl.errors import ConfigurationError
from etltctl.settings.manifests import can_be_incremental, cursor_field, read_manifest, specification_of

HEAD = "type: DeclarativeSource\n"
LEVELS = list(zip("abcdefghi", "bcdefghij", strict=True))


def written(folder: Path, text: str) -> Path:
    file = folder / "manifest.yaml"
    file.write_text(HEAD + text)
    return file


def lists() -> str:
    return "a: &a [x]\n" + "".join(f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n" for old, new in LEVELS)


def merges() -> str:
    return "a: &a {x: 1}\n" + "".join(
        f"{new}: &{new} {{<<: [{', '.join([f'*{old}'] * 10)}]}}\n" for old, new in LEVELS
    )


@pytest.mark.parametrize("bomb", [lists(), merges()])
def test_aliases_that_multiply_a_file_of_one_kilobyte_are_refused(tmp_path: Path, bomb: str) -> None:
    assert len(bomb) < 1000
    with pytest.raises(ConfigurationError, match="its aliases make it larger than 20,000,000 characters"):
        read_manifest(written(tmp_path, bomb), "sources.ships.manifest")


@pytest.mark.parametrize(
    "text", ["a: &a [*a]\n", "a: &a {b: *a}\n", f"a: {'[' * 900}{']' * 900}\n", "a: [\n"]
)
def test_a_file_that_has_no_end_or_is_not_yaml_is_refused(tmp_path: Path, text: str) -> None:
    file = written(tmp_path, text)
    with pytest.raises(ConfigurationError, match=f"^sources.ships.manifest: cannot read {file}: "):
        read_manifest(file, "sources.ships.manifest")


def test_aliases_of_an_honest_manifest_are_read(tmp_path: Path) -> None:
    text = "definitions: {base: &base {url: u}}\nstreams:\n  - {name: ships, <<: *base}\n  - &p {name: ports}\n  - *p\n"
    manifest = read_manifest(written(tmp_path, text))
    assert manifest["streams"] == [{"name": "ships", "url": "u"}, {"name": "ports"}, {"name": "ports"}]
    assert json.loads(json.dumps(manifest)) == manifest


CURSOR = {"type": "DatetimeBasedCursor", "cursor_field": "updated"}


@pytest.mark.parametrize(
    ("stream", "cursor"),
    [
        ({"incremental_sync": CURSOR}, "updated"),
        ({"incremental_sync": {"$ref": "#/definitions/by_time"}}, "updated"),
        ({"incremental_sync": "#/definitions/by_time"}, "updated"),
        ({"$ref": "#/definitions/base"}, "updated"),
        ({"incremental_sync": {"type": "DatetimeBasedCursor"}, "$parameters": {"cursor_field": "at"}}, "at"),
        ({"$parameters": {"cursor_field": "at"}}, ""),
        ({"name": "ships"}, ""),
        ("#/definitions/none", ""),
    ],
)
def test_a_stream_with_incremental_sync_can_be_incremental(stream: Any, cursor: str) -> None:
    manifest = {"definitions": {"by_time": CURSOR, "base": {"incremental_sync": CURSOR}}}
    assert can_be_incremental(stream, manifest) is bool(cursor)
    assert cursor_field(stream, manifest) == cursor


@pytest.mark.parametrize("spec", [None, "text", [], {"connection_specification": "text"}])
def test_a_manifest_without_a_specification_has_an_empty_one(spec: Any) -> None:
    assert specification_of({"spec": spec}) == {}
