"""Settings from `etltctl.toml`, the environment and the flags, checked and with the origin of every value.

Importing this loads nothing heavy; the first `load_settings` does.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etltctl.errors import ConfigurationError
from etltctl.settings.secrets import resolve_secret

if TYPE_CHECKING:
    from etltctl.settings.model import Settings

__all__ = ["Settings", "load_settings", "resolve_secret"]


def load_settings(
    *,
    config: Path | None = None,
    env: str | None = None,
    flags: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    directory: Path | None = None,
) -> Settings:
    """Return the settings of one environment.

    A value is the first of: flag, environment variable (`ETLTCTL__SECTION__KEY`), `[env.NAME]`, the file's base, and
    the same two of the settings that etltctl ships.

    Args:
        config: The settings file. If None, that of ETLTCTL_CONFIG, or the nearest `etltctl.toml` at or above
            `directory`.
        env: The environment's name. If None, that of ETLTCTL_ENV, or the file's `default_env`.
        flags: Values on top of all others, by dotted key.
        environ: The variables; those of the process if None.
        directory: The folder to search from; the working folder if None.

    Raises:
        ConfigurationError: The settings have problems. Each is listed with its place.
    """
    # The loader imports pydantic, which takes as long as all the rest of the start of a command.
    from etltctl.settings.loader import Loader

    variables = dict(os.environ if environ is None else environ)  # as they are now, whenever a value is shown
    return Loader(variables, directory or _here()).load(config, env, flags or {})


def _here() -> Path:
    try:
        # A shell may stand in a folder that was deleted and made again.
        return Path.cwd()
    except FileNotFoundError as error:
        raise ConfigurationError("the working folder is gone", hint="cd to one that is there") from error


# The type is public, but to import it here would import pydantic as well.
def __getattr__(name: str) -> Any:
    if name == "Settings":
        from etltctl.settings.model import Settings

        return Settings
    raise AttributeError(name)
