"""The addresses of receivers, in which a secret may be."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlsplit

from etltctl.errors import ConfigurationError
from etltctl.settings.secrets import without_secrets

LEAST_SECRET = 8  # characters of a part of an address that is hidden in the words of a receiver


@dataclass(frozen=True)
class Address:
    """The address of a receiver, which every holder may post to.

    Attributes:
        setting: The name of the setting, for errors.
        url: The address.
        kind: The kind of the receiver, which knows its own answers; empty if all receivers of it answer alike.
    """

    setting: str
    url: str = field(repr=False)
    kind: str = ""

    @property
    def host(self) -> str:
        """The host; a path or a query may be a secret."""
        return urlsplit(self.url).hostname or "?"

    @property
    def place(self) -> str:
        """The host with its port, without a user and a password."""
        return urlsplit(self.url).netloc.rpartition("@")[2] or "?"

    def require_valid(self) -> None:
        """Check that the address can be called.

        Raises:
            ConfigurationError: It is not a valid address.
        """
        try:
            parts = urlsplit(self.url)
            is_valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            is_valid = False
        if not is_valid or not self.url.isprintable() or " " in self.url:
            raise ConfigurationError(
                f"{self.setting} does not hold an address that begins with https:// or http://",
                hint="write the whole address of the receiver into the secret",
            )

    def hidden(self, text: str) -> str:
        """Return a text with stars in place of the address and of its parts."""
        parts = urlsplit(self.url)
        pieces = [self.url, f"{parts.path}?{parts.query}", parts.path, parts.query, *parts.path.split("/")]
        secrets = sorted({piece for piece in pieces if len(piece) >= LEAST_SECRET}, key=len, reverse=True)
        return without_secrets(text, secrets)
