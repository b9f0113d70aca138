"""Reads of a connector from a state on: what it is given, and the checkpoints that it gives back."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from etltctl.local.services.airbyte.connectors.connector import Connector, Workshop
from etltctl.local.services.airbyte.connectors.logs import ConnectorLog
from etltctl.local.services.airbyte.connectors.masks import Mask
from etltctl.local.services.airbyte.connectors.recipe import PackageRecipe
from etltctl.local.services.airbyte.connectors.source import ConnectorSource
from etltctl.local.services.airbyte.records import Checkpoint, SyncError
from support.tiny_connector import PACKAGE, record, stream


def state(name: str, **content: Any) -> dict[str, Any]:
    content = {"stream_descriptor": {"name": name}, "stream_state": content}
    return {"type": "STATE", "state": {"type": "STREAM", "stream": content}}


@contextmanager
def source(
    folder: Path, installed: Path, script: list[Any], incremental: set[str], states: Mapping[str, Any]
) -> Iterator[ConnectorSource]:
    (folder / "environments").symlink_to(installed)
    workshop, mask = Workshop(folder, os.environ), Mask()
    log = ConnectorLog(folder / "log", "tiny", mask, lambda _: None)
    config = {"script": script, "streams": [stream("ships"), stream("ports")]}
    connector = Connector(PackageRecipe(PACKAGE), config, workshop, mask, log, lambda _: None, 60.0)
    reader = ConnectorSource(
        connector, ["ships", "ports"], lambda _: None, incremental=frozenset(incremental), states=states
    )
    yield reader
    reader.close()


def test_only_incremental_streams_yield_checkpoints_at_their_place(tmp_path: Path, installed: Path) -> None:
    script = [record("ships", id=1), state("ports", at=5), state("ships", at=1), record("ships", id=2)]
    with source(tmp_path, installed, script, {"ships"}, {}) as reader:
        ships, ports = reader.streams()
        assert [*reader.read(ships)] == [{"id": 1}, Checkpoint({"at": 1}), {"id": 2}]
        assert [*reader.read(ports)] == []


def test_checkpoints_of_a_stream_that_waited_keep_their_place(tmp_path: Path, installed: Path) -> None:
    script = [record("ports", id=1), state("ports", at=1), record("ports", id=2), record("ships", id=3)]
    with source(tmp_path, installed, script, {"ports"}, {}) as reader:
        ships, ports = reader.streams()
        assert [*reader.read(ships)] == [{"id": 3}]
        assert [*reader.read(ports)] == [{"id": 1}, Checkpoint({"at": 1}), {"id": 2}]


def test_the_connector_gets_the_states_of_incremental_streams(tmp_path: Path, installed: Path) -> None:
    states = {"ships": {"at": 7}, "ports": {"at": 8}}
    with source(tmp_path, installed, [{"show_state": True}], {"ships"}, states) as reader:
        for each in reader.streams():
            assert [*reader.read(each)] == []
    line = next(line for line in (tmp_path / "log").read_text().splitlines() if "stream_state" in line)
    (message,) = json.loads(line.partition("INFO  ")[2])
    assert message["stream"] == {"stream_descriptor": {"name": "ships"}, "stream_state": {"at": 7}}


def test_one_state_for_all_streams_is_refused(tmp_path: Path, installed: Path) -> None:
    script = [{"type": "STATE", "state": {"type": "GLOBAL", "global": {"shared_state": {}}}}]
    with source(tmp_path, installed, script, {"ships"}, {}) as reader:
        ships, _ = reader.streams()
        with pytest.raises(SyncError, match="one state for all streams together"):
            next(reader.read(ships))
