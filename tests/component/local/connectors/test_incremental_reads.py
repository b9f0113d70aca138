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
from etltctl.local.services.airbyte.records import ALL_STREAMS, Checkpoint, SyncError
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
        ports, ships = reader.streams()
        assert [*reader.read(ports)] == []
        assert [*reader.read(ships)] == [{"id": 1}, Checkpoint({"at": 1}), {"id": 2}]


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


def shared(at: int, **streams: int) -> dict[str, Any]:
    parts = [
        {"stream_descriptor": {"name": name}, "stream_state": {"at": each}} for name, each in streams.items()
    ]
    return {
        "type": "STATE",
        "state": {"type": "GLOBAL", "global": {"shared_state": {"lsn": at}, "stream_states": parts}},
    }


def test_a_state_of_all_streams_comes_with_the_last_one_at_its_place(tmp_path: Path, installed: Path) -> None:
    script = [
        record("ships", id=1), record("ports", id=1), shared(1, ships=1, ports=1),
        record("ports", id=2), record("ships", id=2), shared(2, ships=2, ports=2), record("ports", id=3),
    ]  # fmt: skip
    with source(tmp_path, installed, script, {"ships", "ports"}, {}) as reader:
        ships, ports = reader.streams()
        assert [*reader.read(ships)] == [{"id": 1}, {"id": 2}]
        first, second = (
            Checkpoint(each["state"]["global"], is_global=True) for each in (script[2], script[5])
        )
        assert [*reader.read(ports)] == [{"id": 1}, first, {"id": 2}, second, {"id": 3}]


def test_a_failure_waits_until_what_the_last_state_covers_is_read(tmp_path: Path, installed: Path) -> None:
    script = [record("ships", id=1), record("ports", id=1), shared(1), record("ports", id=2), {"exit": 3}]
    with source(tmp_path, installed, script, {"ships", "ports"}, {}) as reader:
        ships, ports = reader.streams()
        assert [*reader.read(ships)] == [{"id": 1}]
        coming = reader.read(ports)
        assert [next(coming), next(coming).is_global, next(coming)] == [{"id": 1}, True, {"id": 2}]
        with pytest.raises(SyncError, match=r"stream ships, after 1 records: .*exit code 3"):
            next(coming)


def test_a_failure_without_a_state_of_all_streams_ends_the_stream_at_once(
    tmp_path: Path, installed: Path
) -> None:
    script = [record("ships", id=1), record("ports", id=1), {"exit": 3}]
    with source(tmp_path, installed, script, {"ships", "ports"}, {}) as reader:
        ships, _ = reader.streams()
        coming = reader.read(ships)
        assert next(coming) == {"id": 1}
        with pytest.raises(SyncError, match="exit code 3"):
            next(coming)


def test_incremental_streams_are_read_after_the_others(tmp_path: Path, installed: Path) -> None:
    script = [record("ships", id=1), shared(1), record("ports", id=1)]
    with source(tmp_path, installed, script, {"ships"}, {}) as reader:
        ports, ships = reader.streams()
        assert (ports.name, ships.name) == ("ports", "ships")
        assert [*reader.read(ports)] == [{"id": 1}]
        assert [*reader.read(ships)] == [
            {"id": 1},
            Checkpoint({"shared_state": {"lsn": 1}, "stream_states": []}, is_global=True),
        ]


def test_the_connector_gets_the_state_of_all_streams_whole(tmp_path: Path, installed: Path) -> None:
    kept = shared(7, ships=7, gone=1)["state"]["global"]
    states = {"ships": {}, "ports": {}, ALL_STREAMS: kept}
    with source(tmp_path, installed, [{"show_state": True}], {"ships", "ports"}, states) as reader:
        for each in reader.streams():
            assert [*reader.read(each)] == []
    line = next(line for line in (tmp_path / "log").read_text().splitlines() if "GLOBAL" in line)
    assert json.loads(line.partition("INFO  ")[2]) == [{"type": "GLOBAL", "global": kept}]


def test_a_state_in_the_old_form_is_refused(tmp_path: Path, installed: Path) -> None:
    script = [{"type": "STATE", "state": {"data": {"at": 1}}}]
    with source(tmp_path, installed, script, {"ships"}, {}) as reader:
        _, ships = reader.streams()
        with pytest.raises(SyncError, match="the protocol's old form"):
            next(reader.read(ships))
