"""The low-code Formula 1 connector: it gives the same records as the embedded extractor, stream by stream."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from werkzeug.serving import WSGIRequestHandler, make_server

from etltctl.local.samples import Throttle, sample_app
from etltctl.local.services.airbyte.endpoints import ENDPOINTS
from etltctl.local.services.airbyte.http_pages import HttpPages
from etltctl.local.services.airbyte.pacing import Pace
from etltctl.local.services.airbyte.records import Kind
from etltctl.local.services.airbyte.source_http import HttpSource

PROJECT = Path(__file__).parents[3]
MANIFEST = PROJECT / "connectors" / "source-f1" / "manifest.yaml"
CONNECTOR = PROJECT / ".venv-cdk" / "bin" / "source-declarative-manifest"
PACK = Path(os.environ.get("ETLTCTL_DATA_PACK", "/nonexistent"))
# The project's connector cannot keep to a limit that the replay server does not have.
FAST = {"requests_per_second": 10_000, "requests_per_hour": 1_000_000}

needs_cdk = pytest.mark.skipif(
    not CONNECTOR.is_file(), reason="airbyte-cdk is not here: `make connector-test` brings it"
)
Records = dict[str, list[dict[str, Any]]]


class Quiet(WSGIRequestHandler):
    """A request handler that logs nothing."""

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002
        """Log nothing."""


@contextmanager
def replay(pack: Path | None, throttle: Throttle | None = None) -> Iterator[tuple[str, list[int]]]:
    """Yield the replay server's address, and the status of every answer that it gave."""
    answered: list[int] = []
    app = sample_app(lambda: pack, throttle)

    def counting(environ: Any, start_response: Any) -> Any:
        def start(status: str, headers: Any, *rest: Any) -> Any:
            answered.append(int(status[:3]))
            return start_response(status, headers, *rest)

        return app(environ, start)

    server = make_server("127.0.0.1", 0, counting, threaded=True, request_handler=Quiet)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    yield f"http://127.0.0.1:{server.port}/ergast/f1", answered
    server.shutdown()
    server.server_close()


def connector(folder: Path, command: str, config: dict[str, Any], **files: Any) -> Iterator[dict[str, Any]]:
    """Return the messages of one connector command, run as Airbyte runs it."""
    arguments = [str(CONNECTOR), command, "--manifest-path", str(MANIFEST)]
    for name, content in {"config": config, **files}.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
        arguments += [f"--{name}", str(folder / f"{name}.json")]
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "NO_PROXY": "127.0.0.1"}
    done = subprocess.run(
        arguments, capture_output=True, text=True, cwd=folder, env=environ, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    for line in done.stdout.splitlines():
        yield json.loads(line)


def discovered(folder: Path, config: dict[str, Any]) -> list[dict[str, Any]]:
    messages = connector(folder, "discover", config)
    streams: list[dict[str, Any]] = next(m["catalog"]["streams"] for m in messages if m["type"] == "CATALOG")
    return streams


def read_by_connector(folder: Path, config: dict[str, Any], names: list[str]) -> Records:
    chosen = [
        {"stream": stream, "sync_mode": "full_refresh", "destination_sync_mode": "overwrite"}
        for stream in discovered(folder, config)
        if stream["name"] in names
    ]
    records: Records = defaultdict(list)
    for message in connector(folder, "read", config, catalog={"streams": chosen}):
        if message["type"] == "RECORD":
            records[message["record"]["stream"]].append(message["record"]["data"])
    return records


def read_by_extractor(base_url: str, seasons: list[int] | str, names: list[str]) -> Records:
    source = HttpSource(HttpPages(f"{base_url}/", Pace(None), lambda _: None), seasons, names, lambda _: None)
    return {stream.name: [dict(record) for record in source.read(stream)] for stream in source.streams()}


def in_any_order(records: list[dict[str, Any]]) -> list[str]:
    return sorted(json.dumps(record, sort_keys=True) for record in records)


def assert_equal(ours: Records, theirs: Records) -> None:
    assert {name: len(records) for name, records in theirs.items()} == {
        name: len(records) for name, records in ours.items() if records
    }
    for name, records in theirs.items():
        assert in_any_order(records) == in_any_order(ours[name]), name


def test_the_manifest_declares_the_streams_and_columns_of_the_extractor() -> None:
    manifest = yaml.safe_load(MANIFEST.read_text())
    kinds = {"string": Kind.STRING, "object": Kind.JSON, "array": Kind.JSON}
    declared = {
        stream["name"]: {
            column: kinds[schema["type"][0]]
            for column, schema in stream["schema_loader"]["schema"]["properties"].items()
        }
        for stream in manifest["streams"]
        if "name" in stream
    }
    assert declared == {name: dict(endpoint.columns) for name, endpoint in ENDPOINTS.items()}


@needs_cdk
@pytest.mark.cdk
@pytest.mark.pack
@pytest.mark.skipif(not PACK.is_dir(), reason="ETLTCTL_DATA_PACK names no folder")
def test_manifest_and_extractor_give_equal_records_on_the_pack(tmp_path: Path) -> None:
    names = [name for name in ENDPOINTS if name != "laps"]
    with replay(PACK) as (base_url, answered):
        theirs = read_by_connector(tmp_path, {"base_url": base_url, **FAST}, names)
        ours = read_by_extractor(base_url, "all", names)
    assert set(theirs) == set(names)
    assert sum(len(records) for records in ours.values()) > 1000
    assert_equal(ours, theirs)
    assert set(answered) == {200}


@needs_cdk
@pytest.mark.cdk
@pytest.mark.pack
@pytest.mark.skipif(not PACK.is_dir(), reason="ETLTCTL_DATA_PACK names no folder")
def test_only_the_chosen_seasons_are_read_and_the_budget_holds(tmp_path: Path) -> None:
    names = ["results", "pit_stops"]
    with replay(PACK) as (base_url, answered):
        config = {"base_url": f"{base_url}/", "seasons": [2020, 2023], **FAST}
        theirs = read_by_connector(tmp_path, config, names)
        ours = read_by_extractor(base_url, [2020, 2023], names)
    assert {race["season"] for race in theirs["results"]} == {"2020", "2023"}
    assert_equal(ours, theirs)
    assert set(answered) == {200}


@needs_cdk
@pytest.mark.cdk
def test_a_throttled_crawl_waits_and_loses_no_record(tmp_path: Path) -> None:
    names = ["races", "results", "drivers", "circuits", "constructors"]
    with replay(None, Throttle(4)) as (base_url, answered):
        theirs = read_by_connector(tmp_path, {"base_url": base_url, **FAST}, names)
    assert 429 in answered
    with replay(None) as (base_url, _):
        assert_equal(read_by_extractor(base_url, "all", names), theirs)


@needs_cdk
@pytest.mark.cdk
def test_at_its_default_pace_the_connector_is_never_throttled(tmp_path: Path) -> None:
    with replay(None, Throttle(4)) as (base_url, answered):
        read_by_connector(tmp_path, {"base_url": base_url}, ["races", "results", "drivers", "circuits"])
    assert set(answered) == {200}
