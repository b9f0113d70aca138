"""A governed lake that the tests of this folder share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from support.governed import GovernedLake, governed_lake


@pytest.fixture(scope="package")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GovernedLake]:
    with governed_lake(tmp_path_factory.mktemp("governed"), os.environ) as lake:
        yield lake
