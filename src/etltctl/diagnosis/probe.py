"""The probe: one environment's settings and its services, each reached when it is first asked."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from etltctl.aws import Aws, Identity
from etltctl.errors import Command, command
from etltctl.inspection import Inspection
from etltctl.retrying import RetryPolicy

if TYPE_CHECKING:
    from etltctl.airbyte import Airbyte
    from etltctl.settings import Settings

ASK_ONCE = RetryPolicy(attempts=1)  # the user waits for the result


@dataclass(frozen=True)
class Probe:
    """One environment's settings and its services."""

    settings: Settings
    now: Callable[[], float] = field(default=time.time, repr=False)

    @property
    def provision_command(self) -> Command:
        """The command that creates or updates everything the settings describe, in this environment."""
        return command("infra", "deploy") if self.settings.environment.has_stack else command("local", "up")

    @cached_property
    def aws(self) -> Aws:
        """The account and region that the settings name."""
        return Aws.from_settings(self.settings, ASK_ONCE)

    @cached_property
    def inspection(self) -> Inspection:
        """Definitions in that account."""
        return Inspection(self.aws)

    @cached_property
    def caller(self) -> Identity:
        """The caller; raises AccessError if AWS does not know it."""
        return self.inspection.caller()

    @cached_property
    def airbyte(self) -> Airbyte:
        """Airbyte, as the settings' application."""
        from etltctl.airbyte import Airbyte

        return Airbyte.from_settings(self.settings, self.aws.reveal, ASK_ONCE)

    def reveal(self, reference: str, setting: str) -> str:
        """Return the value behind a secret's reference, never to be shown; raise ConfigurationError without one."""
        return self.aws.reveal(reference, setting)
