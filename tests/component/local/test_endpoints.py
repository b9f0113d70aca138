"""Endpoints: all threads of a process use the embedded server as long as any of them needs it."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from etltctl.local.client.endpoints import Endpoints
from etltctl.local.client.live_server import Server

MINE = {"AWS_ACCESS_KEY_ID": "mine", "AWS_PROFILE": "mine", "HOME": "/home"}


def endpoints(port: int) -> Endpoints:
    url = f"http://127.0.0.1:{port}"
    return Endpoints(
        Server(url, port, 1, True, Path()), {"AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "etltctl"}
    )


def test_overlapping_blocks_restore_the_environment() -> None:
    environ, first, second = dict(MINE), ExitStack(), ExitStack()
    first.enter_context(endpoints(1).lead(environ))
    second.enter_context(endpoints(1).lead(environ))
    first.close()
    assert environ == {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
        "AWS_ACCESS_KEY_ID": "etltctl",
        "HOME": "/home",
    }
    second.close()
    assert environ == MINE


def test_a_nested_block_leads_to_another_server_and_back() -> None:
    environ = dict(MINE)
    with endpoints(1).lead(environ):
        with endpoints(2).lead(environ):
            assert environ["AWS_ENDPOINT_URL"] == "http://127.0.0.1:2"
        assert environ["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1"
    assert environ == MINE
