"""The lake of these tests."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pyarrow as pa
import pytest
from extract_lake import COLUMNS, ROWS, Lake

from etltctl.local import endpoints
from etltctl.pipeline.services import Services
from etltctl.settings import load_settings


@pytest.fixture(scope="session")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    folder = tmp_path_factory.mktemp("lake")
    flags = {"state": str(folder)}
    settings = load_settings(flags=flags, env="local", environ={}, directory=folder)
    with endpoints(settings, {}) as found, pytest.MonkeyPatch.context() as patch:
        for name in set(os.environ) - set(found.apply_to(os.environ)):
            patch.delenv(name)
        for name, value in found.environ.items():
            patch.setenv(name, value)
        made = Lake(settings, Services(settings))
        made.publish("gold.days", COLUMNS)
        made.publish("gold.parted", {"n": COLUMNS["n"]}, year="2024", region="north")
        made.publish("gold.nested", {"city": COLUMNS["city"], "tags": pa.array([["a"]] * ROWS),
                                     "raw": pa.array([b"x"] * ROWS)})  # fmt: skip
        yield made
