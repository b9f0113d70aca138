"""The variables of OpenLineage's own client, and whether they or the settings name a receiver of lineage events."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from etltctl.errors import ConfigurationError

URL = "OPENLINEAGE_URL"
ENDPOINT = "OPENLINEAGE_ENDPOINT"
CONFIG = "OPENLINEAGE_CONFIG"
DISABLED = "OPENLINEAGE_DISABLED"
# The beginning of the names of the variables that configure a transport key by key.
TRANSPORT = "OPENLINEAGE__TRANSPORT"


def url_problem(url: str) -> str:
    """Return why a URL cannot be the receiver of events; empty for a good one. The text never quotes the URL.

    Args:
        url: The URL.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return "must be an HTTP address like https://lineage.example.com"
    if "@" in parts.netloc:
        return "must not have a user or a password in it: name the key of the receiver in `api_key`"
    if parts.query or parts.fragment:
        return "must not have a query in it: name the key of the receiver in `api_key`"
    if parts.scheme not in ("http", "https") or not host:
        return "must be an HTTP address like https://lineage.example.com"
    return ""


@dataclass(frozen=True)
class ClientVariables:
    """What the variables of OpenLineage's client ask for.

    Attributes:
        is_disabled: Whether nothing is sent at all.
        url: The receiver; empty without one.
        endpoint: The path below it; empty for the client's own.
        config: The client's own configuration file; empty without one.
        has_transport: Whether variables configure a transport key by key.
    """

    is_disabled: bool = False
    url: str = ""
    endpoint: str = ""
    config: str = ""
    has_transport: bool = False

    @classmethod
    def of(cls, environ: Mapping[str, str] | None = None) -> ClientVariables:
        """Return what the variables ask for.

        Args:
            environ: The variables; those of the process if None.
        """
        variables = os.environ if environ is None else environ
        return cls(
            variables.get(DISABLED, "").strip().lower() == "true",
            variables.get(URL, ""),
            variables.get(ENDPOINT, ""),
            variables.get(CONFIG, ""),
            any(name.startswith(TRANSPORT) for name in variables),
        )

    @property
    def name_a_receiver(self) -> bool:
        """Whether events go where the client's variables lead."""
        return bool(self.url or self.config or self.has_transport)

    def require_usable(self) -> None:
        """Check the receiver before the client is made.

        Raises:
            ConfigurationError: The URL has a password, or the file is missing. With a missing file the client would
                write the events to the log instead.
        """
        if self.url and (problem := url_problem(self.url)):
            raise ConfigurationError(f"{URL} {problem}")
        if "?" in self.endpoint:
            raise ConfigurationError(
                f"{ENDPOINT} must not have a query in it; the key is OPENLINEAGE_API_KEY"
            )
        if self.config and not Path(self.config).is_file():
            raise ConfigurationError(f"{CONFIG} is {self.config}, and there is no such file")


class Receivers(Protocol):
    """The receivers that `[lineage]` names."""

    @property
    def file(self) -> str:
        """The file; empty for none."""

    @property
    def url(self) -> str:
        """The server; empty for none."""


def is_lineage_asked_for(own: Receivers, variables: ClientVariables | None = None) -> bool:
    """Return whether the settings or the client's variables name a receiver, and no variable turns lineage off.

    Args:
        own: The settings `[lineage]`.
        variables: The client's variables; those of the process if None.
    """
    variables = variables or ClientVariables.of()
    return not variables.is_disabled and bool(own.file or own.url or variables.name_a_receiver)
