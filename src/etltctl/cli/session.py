"""What a command works with: the console, the settings, and in the local environment the embedded endpoints."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from etltctl.console import Console

if TYPE_CHECKING:
    from etltctl.settings import Settings

LOCAL = "local"


@dataclass
class Session:
    """One invocation of etltctl: its global flags and its console."""

    console: Console = field(default_factory=Console)
    config: Path | None = None
    env: str | None = None

    def load(self) -> Settings:
        """The settings, as the flags, the environment and the files say."""
        from etltctl.settings import load_settings

        return load_settings(config=self.config, env=self.env)

    @contextmanager
    def connected(
        self, check: Callable[[Settings], object] | None = None, *, outlives: bool = False
    ) -> Iterator[Settings]:
        """The settings with their services within reach; `check` looks at the settings before anything starts.

        What the command starts may go on after it (`outlives`): then the embedded server is kept as well.
        In the local environment the embedded server is found or started and this process's environment leads to it;
        from here on nothing knows the difference.
        """
        settings = self.load()
        if check is not None:
            check(settings)
        if settings.env != LOCAL:
            yield settings
            return
        from etltctl.local import endpoints

        with endpoints(settings, os.environ) as found:
            if outlives and found.started:
                found.keep()
                self.console.say("the embedded server stays up for it; etltctl local down ends it")
            os.environ.update(found.environ)
            for name in set(os.environ) - set(found.apply_to(os.environ)):
                del os.environ[name]
            yield self.load()
