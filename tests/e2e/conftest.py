"""The installed `etltctl` on the embedded endpoints, in folders of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ETLTCTL = Path(sys.executable).with_name("etltctl")
TIMEOUT_S = 240


@dataclass(frozen=True)
class Workplace:
    """A folder in which the command is run, as a user would."""

    folder: Path
    environ: Mapping[str, str] = field(default_factory=dict)

    @property
    def full_environ(self) -> dict[str, str]:
        """This process's environment without what would lead elsewhere, with this workplace's own."""
        kept = {
            k: v
            for k, v in os.environ.items()
            if not k.startswith(("AWS_", "ETLTCTL", "AIRBYTE_", "MONGODB_"))
        }
        return {**kept, **self.environ}

    def run(self, *arguments: str, code: int = 0, **environ: str) -> subprocess.CompletedProcess[str]:
        """Runs the command and checks its exit code; no traceback may ever show."""
        done = subprocess.run(
            [ETLTCTL, *arguments],
            cwd=self.folder,
            env=self.full_environ | environ,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done

    def json(self, *arguments: str) -> Any:
        """The command's result as JSON."""
        return json.loads(self.run(*arguments, "-o", "json").stdout)

    def query(self, sql: str) -> list[dict[str, Any]]:
        """The rows Athena answers."""
        return list(self.json("athena", "query", sql)["rows"])


@pytest.fixture(scope="session")
def sample_lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workplace]:
    """A lake in which both pipelines ran once on the sample sources, with no settings file."""
    place = Workplace(tmp_path_factory.mktemp("sample"))
    yield from _kept_lake(place)


@pytest.fixture(scope="session")
def pack_lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workplace]:
    """A lake in which both pipelines ran once on the data pack."""
    pack = os.environ.get("ETLTCTL_DATA_PACK")
    if not pack:
        pytest.skip("ETLTCTL_DATA_PACK is not set: the real Formula 1 records and weather are not here")
    place = Workplace(tmp_path_factory.mktemp("pack"), {"ETLTCTL_DATA_PACK": pack})
    yield from _kept_lake(place)


def _kept_lake(place: Workplace) -> Iterator[Workplace]:
    place.run("local", "up")
    try:
        place.run("run", "mongodb", "--run-id", "first-mongodb")
        place.run("run", "api", "--run-id", "first-api")
        yield place
    finally:
        place.run("local", "down")


@pytest.fixture
def workplace(tmp_path: Path) -> Iterator[Workplace]:
    """An empty folder; whatever server a test leaves there is stopped."""
    place = Workplace(tmp_path)
    yield place
    place.run("local", "down")
