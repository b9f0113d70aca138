"""A governed lake that the tests of this folder share."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from support.governed import GovernedLake, governed_lake


@pytest.fixture(scope="package")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GovernedLake]:
    before = dict(os.environ)
    try:
        with governed_lake(tmp_path_factory.mktemp("governed"), os.environ) as lake:  # type: ignore[arg-type]
            yield lake
    finally:
        os.environ.clear()
        os.environ.update(before)
