"""Secrets: references whose values are read late and kept nowhere."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from etltctl.errors import ConfigurationError

FETCHED = ("ssm:", "secretsmanager:")
REFERENCES = ("env:", "file:", *FETCHED)
# Named here and not by the type of their fields: what is shown or logged has only the keys.
SECRET_KEYS = (
    r"airbyte\.client_(id|secret)",
    r"airbyte\.destination\.(access_key_id|secret_access_key)",
    r"sources\.[^.]+\.uri",
    r"tableau\.token_(name|secret)",
)


def resolve_secret(
    reference: str,
    environ: Mapping[str, str] | None = None,
    *,
    setting: str,
    fetch: Callable[[str], str] | None = None,
) -> str:
    """Return the value behind `env:NAME`, `file:PATH`, `ssm:/path` or `secretsmanager:id#key`.

    Args:
        reference: The reference. Any other text is the value itself.
        environ: The variables; those of the process if None.
        setting: The name of the setting, for the error.
        fetch: Reads `ssm:` and `secretsmanager:` references from AWS.

    Raises:
        ConfigurationError: There is no value.
    """
    kind, _, place = reference.partition(":")
    if kind == "env":
        value = (os.environ if environ is None else environ).get(place, "")
        if not value:
            raise ConfigurationError(
                f"{setting} is {reference}, but {place} is not set", hint=f"export {place}=…"
            )
        return value
    if kind == "file":
        try:
            return Path(place).expanduser().read_text().strip()
        except (
            OSError,
            UnicodeDecodeError,
            RuntimeError,
        ) as error:  # RuntimeError: ~ of a user without a home
            raise ConfigurationError(
                f"{setting} is {reference}, but the file cannot be read: {error}"
            ) from error
    if reference.startswith(FETCHED):
        # On this machine nothing is sent to AWS, not even to read a secret.
        if fetch is None:
            raise ConfigurationError(f"{setting} is {reference}, which needs an environment on AWS")
        return fetch(reference)
    return reference


def is_secret(key: str) -> bool:
    """Return whether the value of a setting may hold a secret."""
    return any(re.fullmatch(pattern, key) for pattern in SECRET_KEYS)


def is_reference(text: str) -> bool:
    """Return whether a text refers to a secret instead of being one."""
    return text.startswith(REFERENCES) or text in ("", "sample:")


def masked(text: str, environ: Mapping[str, str]) -> str:
    """Return a secret as it may be shown: its reference and whether that has a value, or stars."""
    if text.startswith("env:"):
        return f"{text} ({'set' if environ.get(text[4:]) else 'not set'})"
    return text if is_reference(text) else "***"
