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

__all__ = ["Settings", "load_for_record", "load_settings", "resolve_secret"]


def load_settings(
    *,
    config: Path | None = None,
    env: str | None = None,
    flags: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
    directory: Path | None = None,
    text: str | None = None,
) -> Settings:
    """Return the settings of one environment.

    A value is the first of: flag, environment variable (`ETLTCTL__SECTION__KEY`), `[env.NAME]`, the file's base, and
    the default. Without a file, the sample lake takes its place.

    Args:
        config: The settings file. If None, that of ETLTCTL_CONFIG, or the nearest `etltctl.toml` at or above
            `directory`.
        env: The environment's name. If None, that of ETLTCTL_ENV, or the file's `default_env`.
        flags: Values on top of all others, by dotted key.
        environ: The variables; those of the process if None.
        directory: The folder to search from; the working folder if None.
        text: What the settings file is to hold, to check it before it is written; what it holds if None.

    Raises:
        ConfigurationError: The settings have problems. Each is listed with its place.
    """
    # The loader imports pydantic, which takes as long as all the rest of the start of a command.
    from etltctl.settings.loader import Loader

    variables = dict(os.environ if environ is None else environ)  # as they are now, whenever a value is shown
    return Loader(variables, directory or _here()).load(config, env, flags or {}, text)


def load_for_record(
    *,
    config: Path | None = None,
    env: str | None = None,
    environ: Mapping[str, str] | None = None,
    directory: Path | None = None,
) -> tuple[Settings, str]:
    """Return the settings for a command that only reads the record of the runs, even if they have problems.

    A mistake in the settings must not hide why a run failed.

    Args:
        config: As for `load_settings`.
        env: As for `load_settings`.
        environ: As for `load_settings`.
        directory: As for `load_settings`.

    Returns:
        The settings, and their problem in one line. If there is a problem, only the place of the record is the
        user's, and the rest has its default.

    Raises:
        ConfigurationError: The file that is named is not there, or it has no such environment.
    """
    variables = dict(os.environ if environ is None else environ)
    try:
        return load_settings(config=config, env=env, environ=variables, directory=directory), ""
    except ConfigurationError as error:
        from etltctl.settings.readable import readable_settings

        try:
            settings = readable_settings(variables, directory or _here(), config, env)
        except ConfigurationError:
            raise error from None  # it names more than what the second attempt met
        more = f" and {len(error.problems) - 1} more" if len(error.problems) > 1 else ""
        return settings, " ".join(": ".join([error.message, *error.problems[:1]]).split()) + more


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
