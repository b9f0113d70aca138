"""One process and several embedded servers: each settings lead to their own, and the environment stays as it is."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import pytest

import etltctl
from etltctl import Settings
from etltctl.aws import Aws

# What a shell may hold that leads AWS calls elsewhere, or that no file of the SDK has.
SHELL = {
    "AWS_PROFILE": "not-there",
    "AWS_DEFAULT_PROFILE": "not-there",
    "AWS_SESSION_TOKEN": "mine",
    "AWS_ACCESS_KEY_ID": "mine",
    "AWS_ENDPOINT_URL_ATHENA": "http://127.0.0.1:9",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
    "HTTP_PROXY": "http://127.0.0.1:9",
}


@pytest.fixture(scope="module")
def lakes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Settings]]:
    """Yield the settings of two lakes, made in a shell that leads elsewhere."""
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        for name, value in SHELL.items():
            patch.setenv(name, value)
        before = dict(os.environ)
        folders = [tmp_path_factory.mktemp(name) for name in ("first", "second")]
        reached = [stack.enter_context(connected(folder)) for folder in folders]
        assert dict(os.environ) == before
        yield reached


def connected(folder: Path) -> AbstractContextManager[Settings]:
    return etltctl.connect(env="local", flags={"state": str(folder)})


def test_a_query_of_each_lake_is_answered_whatever_the_shell_leads_to(lakes: list[Settings]) -> None:
    with ThreadPoolExecutor() as threads:
        answers = threads.map(lambda lake: etltctl.query("select 1 as one", lake).rows, lakes)
    assert list(answers) == [[(1,)], [(1,)]]


def test_what_is_written_to_one_lake_is_not_in_the_other(lakes: list[Settings]) -> None:
    first, second = (Aws.from_settings(lake).client("s3") for lake in lakes)
    first.put_object(Bucket="pi-m3-bronze", Key="mine", Body=b"1")
    assert first.list_objects_v2(Bucket="pi-m3-bronze", Prefix="mine")["KeyCount"] == 1
    assert second.list_objects_v2(Bucket="pi-m3-bronze", Prefix="mine")["KeyCount"] == 0


def test_a_role_is_assumed_in_the_lake_that_the_settings_lead_to(lakes: list[Settings]) -> None:
    aws = Aws.from_settings(lakes[0])
    role = aws.identity().arn_of("role:pi-m3-glue")
    assert aws.assuming(role).identity().principal == role


def test_airbyte_is_that_of_the_same_server(lakes: list[Settings]) -> None:
    for lake in lakes:
        assert lake.route is not None
        assert lake.airbyte.url == f"{lake.route.url}/airbyte/v1"
        assert lake.sources["api"].connection_id
    assert lakes[0].airbyte.url != lakes[1].airbyte.url
