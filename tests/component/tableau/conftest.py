"""The lake of the tests of Tableau."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pyarrow as pa
import pytest

from etltctl.local.client import Endpoints, endpoints
from etltctl.pipeline.services import Services
from etltctl.settings import load_settings
from support.extract_lake import COLUMNS, ROWS, Lake


@pytest.fixture(scope="session")
def _published(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Lake, Endpoints]]:
    folder = tmp_path_factory.mktemp("lake")
    flags = {"state": str(folder)}
    settings = load_settings(flags=flags, env="local", environ={}, directory=folder)
    with endpoints(settings, {}) as environment:
        with environment.lead(os.environ):
            lake = Lake(settings, Services(settings))
            lake.publish("gold.days", COLUMNS)
            lake.publish("gold.parted", {"n": COLUMNS["n"]}, year="2024", region="north")
            lake.publish("gold.nested", {"city": COLUMNS["city"], "tags": pa.array([["a"]] * ROWS),
                                         "raw": pa.array([b"x"] * ROWS)})  # fmt: skip
        yield lake, environment


@pytest.fixture
def lake(_published: tuple[Lake, Endpoints]) -> Iterator[Lake]:
    """A lake with three tables; the environment points to it during the test."""
    lake, environment = _published
    with environment.lead(os.environ):
        yield lake
