"""The text of a settings file that has the sample lake's settings, and a test's own ones in their place."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

SHIPPED = Path(__file__).parents[2] / "etltctl.toml"
PROJECT = "pi-m3"  # as the shipped file calls it
HEADER = re.compile(r"^\[(?!\[)(.+?)\]\s*(#.*)?$")
Tables = Mapping[str, Any]
KeyPath = tuple[str, ...]


def on_sample(text: str = "", project: str = PROJECT) -> str:
    """Return a test's settings followed by those of the sample lake that they leave open.

    The test's lines come first. A table that both have gets the sample's keys after the test's, so that the lines of
    the file are those of the text up to the end of the first such table.

    Args:
        text: The test's settings. Text that is not valid TOML is returned as it is.
        project: The name of the sample's project and the beginning of its buckets.
    """
    try:
        own = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return text
    # The first of the two places that a test sets wins, also over what the sample says of one environment.
    blocks = list(_blocks(text))
    sample = _left_open(own, project)
    lines = [line for path, block in blocks for line in (*block, *_keys(_at(sample, path)))]
    headers = [path for path, _ in blocks]
    for path, table in _tables(sample):
        is_open = path in headers or _is_inline(own, path, headers)
        if not is_open and (keys := _keys(table)):
            lines += [f"[{'.'.join(map(json.dumps, path))}]", *keys]
    return "\n".join(lines) + "\n"


def _is_inline(own: Tables, path: KeyPath, headers: Collection[KeyPath]) -> bool:
    """Return whether a key made a table of this path or above it: no header may open such a table again."""
    above = [path[:length] for length in range(1, len(path) + 1)]
    return any(
        _at(own, each) is not None and not any(header[: len(each)] == each for header in headers)
        for each in above
    )


def _left_open(own: Tables, project: str) -> Tables:
    """Return the sample's tables without each key that the test's set, be it for one environment or for all."""
    shipped = tomllib.loads(SHIPPED.read_text("utf-8").replace(PROJECT, project))
    # A key at the top would move the lines of the text: each environment gets the project instead.
    for name in ("version", "default_env", "project"):
        del shipped[name]
    named = own.get("env", {})
    for env in {*shipped["env"], *(named if isinstance(named, dict) else ())}:
        shipped["env"].setdefault(env, {})["project"] = project
    sample = _without(shipped, own)
    # A test that sets a value for all environments means it for the one that it loads.
    base = {name: value for name, value in own.items() if name != "env"}
    if "env" in sample:
        sample["env"] = {env: _without(table, base) for env, table in sample["env"].items()}
    return sample


def _blocks(text: str) -> Iterator[tuple[KeyPath, list[str]]]:
    """Yield each table of the text by its path, with its lines; that of the keys at the top first."""
    path: KeyPath = ()
    block: list[str] = []
    # A header inside a long string is none, and no test has one there.
    for line in text.splitlines():
        if line.startswith("["):
            yield path, block
            header = HEADER.match(line)
            path, block = (_path(header[1]) if header else ("", line)), []
        block.append(line)
    yield path, block


def _path(dotted: str) -> KeyPath:
    table, path = tomllib.loads(f"[{dotted}]"), []
    while table:
        ((name, table),) = table.items()
        path.append(name)
    return tuple(path)


def _without(sample: Tables, own: Tables) -> dict[str, Any]:
    """Return the sample's tables without each key that the test's have."""
    return {
        name: _without(value, own[name])
        if isinstance(value, dict) and isinstance(own.get(name), dict)
        else value
        for name, value in sample.items()
        if (isinstance(value, dict) and isinstance(own.get(name, {}), dict)) or name not in own
    }


def _at(tables: Any, path: KeyPath) -> Any:
    for name in path:
        tables = tables.get(name) if isinstance(tables, dict) else None
    return tables


def _tables(tables: Tables, path: KeyPath = ()) -> Iterator[tuple[KeyPath, Tables]]:
    yield path, tables
    for name, value in tables.items():
        if isinstance(value, dict):
            yield from _tables(value, (*path, name))


def _keys(table: Tables | None) -> list[str]:
    return [
        f"{json.dumps(name)} = {json.dumps(value)}"
        for name, value in (table or {}).items()
        if not isinstance(value, dict)
    ]
