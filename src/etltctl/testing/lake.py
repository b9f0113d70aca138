"""A lake on embedded endpoints for tests: real services in a separate folder, whose answers can be scripted."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etltctl.testing.scripts import Rule

if TYPE_CHECKING:
    from etltctl.local.client import Endpoints
    from etltctl.settings import Settings


@dataclass(frozen=True)
class EmbeddedLake:
    """Settings whose services are embedded ones; while it is open this process's environment leads to them."""

    settings: Settings
    folder: Path
    _endpoints: Endpoints = field(repr=False)

    @property
    def environ(self) -> Mapping[str, str]:
        """The variables that lead another process, such as Airflow's, to the same services."""
        return self._endpoints.environ

    def leading(self) -> AbstractContextManager[None]:
        """Lead this process's environment to the services within the block, as it is while the lake is open."""
        return self._endpoints.lead(os.environ)

    def script(self, *rules: Sequence[Rule]) -> None:
        """Apply these rules to calls from now on, in place of earlier ones; without rules nothing is scripted."""
        self._endpoints.server.request(
            "POST", "/_etltctl/faults", [dict(rule) for some in rules for rule in some]
        )

    def met(self) -> dict[str, int]:
        """Return how often each scripted call was met so far."""
        counts: dict[str, int] = {}
        for rule in self._endpoints.server.request("GET", "/_etltctl/faults"):
            counts[rule["call"]] = counts.get(rule["call"], 0) + rule["met"]
        return counts

    def query(self, sql: str) -> list[dict[str, Any]]:
        """Return the rows that Athena answers, by column name."""
        from etltctl.api import query

        return query(sql, self.settings).dicts()


@contextmanager
def open_lake(
    folder: Path, *, project: Path | None = None, flags: Mapping[str, Any] | None = None
) -> Iterator[EmbeddedLake]:
    """Open a lake that keeps everything in `folder` and ends with the block: no server lingers after a test.

    Its settings are those of the environment `local` of the project (the nearest `etltctl.toml` at or above
    `project`, else the sample lake); `flags` sets single values by dotted key. Raises ConfigurationError.
    """
    with serve_lake(folder, project=project, flags=flags) as lake, lake.leading():
        yield lake


@contextmanager
def serve_lake(
    folder: Path, *, project: Path | None = None, flags: Mapping[str, Any] | None = None
) -> Iterator[EmbeddedLake]:
    """Open the lake and lead nothing to it: only `EmbeddedLake.leading` does."""
    from etltctl.local.client import endpoints
    from etltctl.settings import load_settings

    # The lake's own folder wins over a flag: a test must not write to the project's contracts.
    all_flags = {**(flags or {}), "state": str(folder), "contracts.folder": str(folder / "contracts")}

    # Loaded twice: the first time finds the project's contracts, the second leads away from them.
    _copy_contracts(load_settings(env="local", directory=project, flags=flags).contracts_folder, folder)
    settings = load_settings(env="local", directory=project, flags=all_flags)
    with endpoints(settings, os.environ) as reached:
        # Without an endpoint: a test may lead a client of one service elsewhere by its variable.
        yield EmbeddedLake(settings.overlaid(reached.values), folder, reached)


def _copy_contracts(theirs: Path, folder: Path) -> None:
    """Copy the project's contracts into the lake, so that what a test changes of them stays there."""
    (folder / "contracts").mkdir(parents=True, exist_ok=True)
    for contract in theirs.glob("*.toml"):
        shutil.copy(contract, folder / "contracts")
