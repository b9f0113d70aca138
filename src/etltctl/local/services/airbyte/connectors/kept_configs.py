"""Configurations that connectors changed themselves, such as a refresh token that can be used once.

As in Airbyte, the changed one takes the place of the configured one for every later start of the connector. It holds
for as long as the source is configured as it was then. If the settings get another token, that one counts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from etltctl.local.kernel.state_files import MISSHAPEN, write_atomically
from etltctl.local.services.airbyte.records import FailureKind, SyncError

Config = Mapping[str, Any]
IDENTITY = ("package", "manifest", "manifest_content")  # what makes a connector another one


class KeptConfigs:
    """The changed configurations below one folder, a file each, which only its owner can read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def file(self, name: str, source: Config) -> Path:
        """Return the file of a source.

        Args:
            name: The name of the source.
            source: The source as the stack describes it.
        """
        # A source that was made over the API may have any name, also that of one of the settings.
        return self._folder / f"{_digest([name, *(source.get(part) for part in IDENTITY)])[:20]}.json"

    def current(self, name: str, source: Config) -> Config:
        """Return the configuration to start with: the changed one, or the configured one if that is newer.

        Args:
            name: The name of the source.
            source: The source as the stack describes it.

        Raises:
            SyncError: The file is damaged. It stays as it is: a token in it may be the only one that still works.
        """
        file = self.file(name, source)
        try:
            kept = json.loads(file.read_bytes())
            if kept["configured"] != _digest(source["config"]):
                return dict(source["config"])
            return {**kept["config"]}
        except FileNotFoundError:
            return dict(source["config"])
        except MISSHAPEN as error:
            raise SyncError(
                f"the configuration that the connector of {name} changed itself, {file}, is damaged "
                f"({type(error).__name__}); delete the file, and the next start takes the one of the settings",
                FailureKind.CONFIG,
            ) from error

    def keep(self, name: str, source: Config, config: Config) -> None:
        """Keep a configuration that the connector changed. It survives a loss of power.

        Args:
            name: The name of the source.
            source: The source as the stack describes it.
            config: The changed configuration, whole.

        Raises:
            OSError: The file cannot be written.
        """
        content = {"configured": _digest(source["config"]), "config": dict(config)}
        write_atomically(self.file(name, source), json.dumps(content).encode())


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
