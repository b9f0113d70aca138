"""The lake of these tests."""

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
    with endpoints(settings, {}) as found:
        with found.lead(os.environ):
            made = Lake(settings, Services(settings))
            made.publish("gold.days", COLUMNS)
            made.publish("gold.parted", {"n": COLUMNS["n"]}, year="2024", region="north")
            made.publish("gold.nested", {"city": COLUMNS["city"], "tags": pa.array([["a"]] * ROWS),
                                         "raw": pa.array([b"x"] * ROWS)})  # fmt: skip
        yield made, found


@pytest.fixture
def lake(_published: tuple[Lake, Endpoints]) -> Iterator[Lake]:
    """A lake with three tables; the environment leads to it as long as the test runs."""
    made, found = _published
    with found.lead(os.environ):
        yield made
