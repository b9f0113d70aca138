"""The choice of the environment: which one applies, which there are, and the error for one that there is not.

Importing this loads no pydantic: completion and DAG files choose as the loader does.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from etltctl.errors import ConfigurationError, guess_text
from etltctl.settings.files import FILE
from etltctl.values import AWS, LOCAL

PREFIX = "ETLTCTL__"  # of the variables that set a value by its dotted key


def chosen_env(data: Mapping[str, Any], env: str | None, environ: Mapping[str, str]) -> str:
    """Return the name of the environment that applies, whether or not there is one of that name.

    Args:
        data: The tables of the settings file. A `default_env` that is not a text counts as missing.
        env: The environment that the caller names, if it names one.
        environ: The variables. ETLTCTL_ENV names the environment if the caller does not.
    """
    default = data.get("default_env")
    return env or environ.get("ETLTCTL_ENV") or (default if isinstance(default, str) else "") or LOCAL


def known_envs(data: Mapping[str, Any]) -> list[str]:
    """Return the names of the environments: the two that always exist, and those of the file's `[env.NAME]`."""
    named = data.get("env")
    return list(dict.fromkeys([LOCAL, AWS, *(named if isinstance(named, Mapping) else ())]))


def unknown_env(name: str, known: Collection[str], file: Path | None) -> ConfigurationError:
    """Return the error for an environment that does not exist. It suggests the nearest name.

    Args:
        name: The name that no environment has.
        known: The names of the environments.
        file: The settings file; None if there is none.
    """
    hint = f"known: {', '.join(sorted(known))}; add [env.{name}] to {file or FILE}"
    return ConfigurationError(f"no environment is called {name}{guess_text(name, sorted(known))}", hint=hint)
