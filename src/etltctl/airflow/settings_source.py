"""Where the settings of a step come from: a file, an environment, and connections of Airflow. Names, and no secrets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from etltctl.settings import Settings


@dataclass(frozen=True)
class SettingsSource:
    """Where the settings of a step come from. It passes from the worker to the triggerer and back.

    Attributes:
        config: The settings file; empty for that of ETLTCTL_CONFIG, or the nearest one.
        env: The environment; empty for that of ETLTCTL_ENV, or the file's default.
        aws_conn_id: The connection with the credentials of AWS; empty for those that the SDK finds.
        airbyte_conn_id: The connection with Airbyte's address, client id and client secret; empty for the settings.
    """

    config: str = ""
    env: str = ""
    aws_conn_id: str = ""
    airbyte_conn_id: str = ""

    @classmethod
    def of_task(cls, task: object) -> SettingsSource:
        """Return the source of a task: the names that its operator holds; the usual ones for any other task."""
        named = {
            name: getattr(task, name, None) for name in ("config", "env", "aws_conn_id", "airbyte_conn_id")
        }
        return cls(**{name: text for name, text in named.items() if isinstance(text, str)})

    def as_dict(self) -> dict[str, str]:
        """Return the names that are set, as plain data; `SettingsSource(**source.as_dict())` equals the source."""
        return {name: text for name, text in vars(self).items() if text}

    def load(self, lineage: str = "") -> Settings:
        """Return the settings of the file and the environment, without any connection.

        Args:
            lineage: The OpenLineage run above the step's, as `lineage_root` returns it; empty for none.

        Raises:
            ConfigurationError: The settings have problems, or the file is not there.
        """
        from pathlib import Path

        from etltctl.settings import load_settings

        # The whole run and not the task: an etltctl run has one parent, and its steps are in several tasks.
        flags = {"lineage.parent": lineage, "lineage.root": lineage} if lineage else {}
        return load_settings(
            config=Path(self.config) if self.config else None, env=self.env or None, flags=flags
        )

    def connected(self, lineage: str = "") -> Settings:
        """Return the settings with the values and credentials of the connections.

        Args:
            lineage: As for `load`.

        Raises:
            ConfigurationError: As for `load`; or a connection is unknown or lacks a value.
        """
        from etltctl.airflow.credentials import with_connections

        return with_connections(self.load(lineage), self.aws_conn_id, self.airbyte_conn_id)
