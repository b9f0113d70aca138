"""A server lingers after the last command, so that the next one does not have to start it. It always ends."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from etltctl.local.client import endpoints, ends_at, find_server, stop_server
from etltctl.local.server.lifetime import Lifetime
from etltctl.settings import Settings, load_settings
from support.served import Served, serve, wait_until

LONG = {"linger_s": 3600}


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A server that no command has used yet and that lingers for an hour."""
    with serve(tmp_path / "state") as server:
        assert server.request("POST", "stack", LONG)[0] == 200
        yield server


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    """A separate project, whose server is stopped at the end."""
    loaded = load_settings(
        directory=tmp_path, flags={"state": str(tmp_path / "state"), "local.linger_minutes": 60}
    )
    yield loaded
    stop_server(loaded)


def end_of(server: Served) -> str | None:
    return server.request("GET", "health")[1]["ends_at"]  # type: ignore[no-any-return]


def test_a_server_lingers_after_its_last_lease_and_says_until_when(served: Served) -> None:
    lease = served.lease()
    assert end_of(served) is None
    lease.close()
    wait_until(lambda: end_of(served) is not None)
    time.sleep(1.0)  # a server that does not linger would end in this time
    assert served.process.poll() is None
    assert end_of(served) is not None


def test_a_new_lease_cancels_the_end(served: Served) -> None:
    served.lease().close()
    wait_until(lambda: end_of(served) is not None)
    with served.lease():
        assert end_of(served) is None


def test_the_last_command_says_how_long_it_lingers(served: Served) -> None:
    lease = served.lease()
    assert served.request("POST", "stack", {"linger_s": 0})[0] == 200
    lease.close()
    assert served.process.wait(60) == 0


def test_the_time_to_linger_is_counted_from_the_last_lease() -> None:
    now = [0.0]
    life = Lifetime(kept=False, clock=lambda: now[0])
    life.linger(100.0)
    lease = life.hold(None)  # type: ignore[arg-type]  # nothing is read from it
    next(lease)
    now[0] = 200.0
    life.end_if_due()
    assert (life.left_s, life.ending.is_set()) == (None, False)
    lease.close()
    now[0] = 299.0
    life.end_if_due()
    assert (life.left_s, life.ending.is_set()) == (1.0, False)
    now[0] = 300.0
    life.end_if_due()
    assert life.ending.is_set()


def test_a_call_without_a_lease_postpones_the_end() -> None:
    now = [0.0]
    life = Lifetime(kept=False, clock=lambda: now[0])
    life.linger(100.0)
    lease = life.hold(None)  # type: ignore[arg-type]  # nothing is read from it
    next(lease)
    lease.close()
    now[0] = 60.0
    life.touch()
    now[0] = 120.0
    life.end_if_due()
    assert (life.left_s, life.ending.is_set()) == (40.0, False)


def test_a_client_of_the_lake_postpones_the_end_of_its_server(served: Served) -> None:
    served.lease().close()
    wait_until(lambda: end_of(served) is not None)
    first = end_of(served)
    time.sleep(1.1)  # the end is reported in whole seconds
    served.client("s3").list_buckets()
    assert str(first) < str(end_of(served))


def test_a_server_that_has_decided_to_end_gives_no_lease() -> None:
    life = Lifetime(kept=False)
    assert life.retire()
    assert list(life.hold(None)) == []  # type: ignore[arg-type]


def test_only_an_unused_server_is_replaced(served: Served) -> None:
    with served.lease():
        assert served.request("POST", "retire")[1] == {"ending": False}
        assert served.request("POST", "keep", {"keep": True})[0] == 200
    assert served.request("POST", "retire")[1] == {"ending": False}
    assert served.request("POST", "keep", {"keep": False})[0] == 200
    assert served.request("POST", "retire")[1] == {"ending": True}
    assert served.process.wait(60) == 0


def test_a_server_ends_without_a_trace_when_its_folder_is_deleted(served: Served) -> None:
    served.lease().close()
    shutil.rmtree(served.state)
    assert served.process.wait(60) == 0
    assert not served.state.exists()


def test_a_program_leaves_no_server_behind_and_a_command_does(settings: Settings) -> None:
    with endpoints(settings, os.environ):
        pass
    wait_until(lambda: find_server(settings) is None)
    with endpoints(settings, os.environ, lingers=True) as first:
        pass
    wait_until(lambda: ends_at(first.server) is not None)
    with endpoints(settings, os.environ) as second:
        assert (second.server.pid, second.started) == (first.server.pid, False)


@pytest.mark.parametrize("change", [{"HTTPS_PROXY": "http://127.0.0.1:9"}, {"TMPDIR": "/tmp"}])
def test_a_server_that_cannot_follow_a_change_is_replaced_on_its_port(
    settings: Settings, change: dict[str, str]
) -> None:
    with endpoints(settings, os.environ, lingers=True) as first:
        pass
    wait_until(lambda: ends_at(first.server) is not None)
    with endpoints(settings, {**os.environ, **change}) as second:
        assert second.server.pid != first.server.pid
        assert second.server.port == first.server.port


def test_a_server_on_another_port_than_in_the_settings_is_replaced(
    settings: Settings, unused_port: int
) -> None:
    with endpoints(settings, os.environ, lingers=True) as first:
        pass
    wait_until(lambda: ends_at(first.server) is not None)
    moved = settings.model_copy(update={"local": settings.local.model_copy(update={"port": unused_port})})
    with endpoints(moved, os.environ) as second:
        assert second.server.port == unused_port


@pytest.fixture
def unused_port() -> int:
    """A port that was free a moment ago."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
