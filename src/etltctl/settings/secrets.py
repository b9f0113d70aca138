"""Secrets: references whose values are read late and kept nowhere."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from etltctl.errors import ConfigurationError
from etltctl.settings.files import state_place
from etltctl.settings.layers import KeyPath
from etltctl.settings.toml_tables import leaves, with_leaves
from etltctl.values import sounds_secret

if TYPE_CHECKING:
    from pydantic import BaseModel

FETCHED = ("ssm:", "secretsmanager:")
REFERENCES = ("env:", "file:", *FETCHED)
# Named here and not by the type of their fields: what is shown or logged has only the keys.
SECRET_KEYS = (
    r"airbyte\.client_(id|secret)",
    r"airbyte\.destination\.(access_key_id|secret_access_key)",
    r"lineage\.api_key",
    r"notify\.[^.]+\.url",
    r"sources\.[^.]+\.uri",
    r"tableau\.token_(name|secret)",
)
# The configuration of a connector: the names of its keys are the connector's.
CONFIG_KEY = re.compile(r"sources\.[^.]+\.config\.")
ID_KEY = re.compile(r"sources\.[^.]+\.connection_id")  # no secret, and may be a reference all the same
# What follows the kind in each reference, and how the reference is written.
PLACES = {
    "env": (re.compile(r"[A-Za-z_]\w*", re.ASCII), "env:NAME, and NAME has letters, digits and _ alone"),
    "file": (re.compile(r"\S(.*\S)?"), "file:PATH, without blanks around PATH"),
    "ssm": (re.compile(r"\S+"), "ssm:/path, without blanks"),
    "secretsmanager": (re.compile(r"[^\s#]+(#\S(.*\S)?)?"), "secretsmanager:id or secretsmanager:id#key"),
}
# What is meant as a reference: one of the kinds, perhaps in another spelling.
MEANT = re.compile(rf"\s*({'|'.join(PLACES)})\s*:\s*(\S*)\s*", re.IGNORECASE)
STARS = "***"
SHORTEST_SECRET = (
    4  # characters: a shorter value is a part of many words, and stars for it would hide the text
)
# A password may hold an @, a port is none: `host:80/me@example.com`, and the list of hosts `h1:27017,h2:27017/?x=a@b`.
ADDRESS = re.compile(
    r"[a-z][\w+.-]*://[^\s/@:\[]*:(?!\d+(?:[/?\s]|,[^@]*[/?]))(?P<password>.*)@", re.IGNORECASE
)
# What has the shape of a credential. Group 1 stands before it and group 2 after it.
SHAPES = tuple(
    re.compile(shape, re.IGNORECASE)
    for shape in (
        # user:password@ of a URI. A port with a path is not a password, and a password may hold an @.
        r"(\b[a-z][\w+.-]*://)[^\s'\"/@:]*:(?!\d+[/?])[^\s'\"@]*(?:@[^\s'\"/@]*)*(@)",
        r"\b()(?-i:A(?:KIA|SIA)[A-Z0-9]{16})\b()",
        r"(\bauthorization[\"']?\s*[:=]\s*[\"']?(?:(?:bearer|basic)\s+)?)[^\s\"',]+()",
        r"(\bbearer\s+)(?=\S*\d)[\w.~+/=-]{8,}()",
        # A value in quotes may hold blanks.
        r"((?:password|passwd|pwd|secret|access_?key|api_?key|token|signature)[\"']?\s*[:=]\s*\")[^\"\n]+(\")",
        r"((?:password|passwd|pwd|secret|access_?key|api_?key|token|signature)[\"']?\s*[:=]\s*')[^'\n]+(')",
        r"((?:password|passwd|pwd|secret|access_?key|api_?key|token|signature)\s*=\s*)[^\s\"'&,;)}\]]+()",
        r"((?:password|passwd|secret|access_?key|api_?key):\s*)[^\s\"'&,;)}\]]+()",
        r"(--[\w-]*(?:password|secret|token|access-key)\s+)[^\s\"'-][^\s\"']*()",
    )
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
        ConfigurationError: There is no value, or the reference has another form.
    """
    if fault := reference_fault(reference):
        raise ConfigurationError(f"{setting} {fault}")
    kind, _, place = reference.partition(":")
    if kind == "env":
        value = (os.environ if environ is None else environ).get(place, "")
        if not value.strip():
            raise ConfigurationError(
                f"{setting} is {reference}, but {place} is not set", hint=f"export {place}=…"
            )
        return value
    if kind == "file":
        return _text_of(place, f"{setting} is {reference}")
    if reference.startswith(FETCHED):
        # On this machine nothing is sent to AWS, not even to read a secret.
        if fetch is None:
            raise ConfigurationError(f"{setting} is {reference}, which needs an environment on AWS")
        fetched = fetch(reference)
        if not fetched.strip():
            raise ConfigurationError(
                f"{setting} is {reference}, but it is empty", hint="write the secret into it"
            )
        return fetched
    return reference


def _text_of(place: str, subject: str) -> str:
    """Return the secret in a file; the subject begins the error if there is none."""
    try:
        text = Path(place).expanduser().read_text().strip()
    except (OSError, UnicodeDecodeError, RuntimeError) as error:  # RuntimeError: ~ of a user without a home
        raise ConfigurationError(f"{subject}, but the file cannot be read: {error}") from error
    if not text:
        raise ConfigurationError(f"{subject}, but the file is empty", hint=f"write the secret into {place}")
    return text


def reference_fault(text: str) -> str:
    """Return how a text that is meant as a reference must be written.

    Args:
        text: The text, which the answer does not repeat: it may be a secret that only begins like a reference.

    Returns:
        Nothing for a right reference, and for a text that is not a reference.
    """
    kind = next((kind for kind in PLACES if text.startswith(f"{kind}:")), "")
    if kind and PLACES[kind][0].fullmatch(text.removeprefix(f"{kind}:")):
        return ""
    meant = MEANT.fullmatch(text)
    kind = kind or (meant[1].lower() if meant else "")
    return f"must be written as {PLACES[kind][1]}" if kind else ""


def may_refer(key: str) -> bool:
    """Return whether a setting of this key may be a reference to a value that is kept elsewhere."""
    return bool(CONFIG_KEY.match(key) or ID_KEY.fullmatch(key)) or is_secret(key)


def with_whole_paths(data: Mapping[str, Any], file: Path | None) -> dict[str, Any]:
    """Return settings of a file with whole paths in their `file:` references, which count from the file.

    Args:
        data: The tables of the file, or of one environment.
        file: The settings file; None if there is none. Then a path counts from the working folder.
    """

    def placed(path: KeyPath, value: Any) -> Any:
        if not isinstance(value, str) or not value.startswith("file:") or not may_refer(".".join(path)):
            return value
        place = value.removeprefix("file:")
        # Blanks at an end are a fault, which a folder in front would hide.
        return (
            value if reference_fault(value) or place.startswith("~") else f"file:{state_place(place, file)}"
        )

    return dict(with_leaves(data, placed))


def is_secret(key: str) -> bool:
    """Return whether the value of a setting may hold a secret."""
    if CONFIG_KEY.match(key):
        return sounds_secret(key.rpartition(".")[2])
    return any(re.fullmatch(pattern, key) for pattern in SECRET_KEYS)


def is_reference(text: str) -> bool:
    """Return whether a text refers to a secret instead of being one."""
    return text.startswith(REFERENCES) or text in ("", "sample:")


def has_password(text: str) -> bool:
    """Return whether a text is or holds an address with a password, such as `postgres://me:secret@host/db`."""
    return bool(_password(text))


def masked(text: str, environ: Mapping[str, str]) -> str:
    """Return a secret as it may be shown: its reference and whether that has a value, or stars.

    Args:
        text: The secret or its reference.
        environ: The variables.
    """
    if reference_fault(text):
        return STARS  # it may be a secret that only begins like a reference
    if text.startswith("env:"):
        return f"{text} ({'set' if environ.get(text[4:], '').strip() else 'not set'})"
    return text if is_reference(text) else STARS


def known_secrets(settings: BaseModel, environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Return the values of the secrets that this machine has, and the passwords within them, the longest first.

    Secrets that AWS keeps are not fetched: only their shape can be recognized.

    Args:
        settings: The settings.
        environ: The variables; those of the process if None.
    """
    values: set[str] = set()
    for path, text in leaves(settings.model_dump(), in_lists=True):
        if not isinstance(text, str):
            continue
        key = ".".join(path[:-1] if path[-1].isdigit() else path)  # an item of a list is the list's
        # A value that the user keeps elsewhere is a secret, whatever the connector calls it.
        is_kept = bool(CONFIG_KEY.match(key)) and text.startswith(REFERENCES)
        if (is_kept or is_secret(key)) and text not in ("", "sample:") and not text.startswith(FETCHED):
            with suppress(ConfigurationError):  # a secret without a value is in no text
                values |= _parts(resolve_secret(text, environ, setting=key))
    return tuple(sorted((value for value in values if len(value) >= SHORTEST_SECRET), key=len, reverse=True))


def without_secrets(text: str, secrets: Iterable[str] = ()) -> str:
    """Return a text with stars for the secrets in it: the known ones, and what has the shape of a credential.

    Args:
        text: The text.
        secrets: The known values, the longest first.
    """
    for secret in secrets:
        text = text.replace(secret, STARS)
    for shape in SHAPES:
        text = shape.sub(rf"\g<1>{STARS}\g<2>", text)
    return text


def _parts(value: str) -> set[str]:
    """Return a secret and the password within it: a driver's error may quote the password alone, decoded or not."""
    password = _password(value)
    return {value, password, unquote(password)}


def _password(text: str) -> str:
    match = ADDRESS.search(text)
    return match["password"] if match else ""
