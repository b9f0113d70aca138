"""The application's credentials, made once, and the access tokens got with them."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from etltctl.local.kernel.state_files import read_json, write_atomically

# Airbyte's own tokens live this long, so a client that renews too late fails here too.
LIFETIME_S = 900


@dataclass(frozen=True)
class Credentials:
    """Client id and secret of the one application."""

    client_id: str
    client_secret: str = field(repr=False)


def keep_credentials(file: Path) -> Credentials:
    """Return the credentials in the file, which only its owner can read; made at the first call."""
    kept = read_json(file, _parse)
    if kept is not None:
        return kept
    credentials = {"client_id": secrets.token_hex(16), "client_secret": secrets.token_urlsafe(32)}
    write_atomically(file, json.dumps(credentials).encode())
    return Credentials(**credentials)


def _parse(content: Any) -> Credentials:
    kept = Credentials(**content)
    if not all(isinstance(part, str) and part for part in (kept.client_id, kept.client_secret)):
        raise ValueError("client_id and client_secret are not both there")
    return kept


class Tokens:
    """Issues and checks signed tokens (JWT, RFC 7519, HS256) that run out; a restart voids them all."""

    def __init__(self, credentials: Credentials, clock: Callable[[], float]) -> None:
        self._credentials = credentials
        self._clock = clock
        # In memory only: a token never outlives the server that issued it.
        self._key = secrets.token_bytes(32)

    def issue(self, client_id: str, client_secret: str) -> str | None:
        """Return a token good for LIFETIME_S seconds; None for wrong credentials."""
        presented = f"{client_id}\n{client_secret}".encode()
        expected = f"{self._credentials.client_id}\n{self._credentials.client_secret}".encode()
        # In constant time, both parts at once: the time that an answer takes gives neither away.
        if not hmac.compare_digest(presented, expected):
            return None
        claims = {"sub": client_id, "exp": int(self._clock()) + LIFETIME_S, "jti": secrets.token_hex(8)}
        content = f"{_encoded({'alg': 'HS256', 'typ': 'JWT'})}.{_encoded(claims)}"
        return f"{content}.{self._signature(content)}"

    def is_good(self, token: str) -> bool:
        """Return whether the token is one of these and has not run out."""
        content, _, signature = token.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(content).encode()):
            return False
        claims = content.split(".")[1]
        expiry: float = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["exp"]
        return self._clock() < expiry

    def _signature(self, content: str) -> str:
        return _base64(hmac.digest(self._key, content.encode(), hashlib.sha256))


def _encoded(part: dict[str, Any]) -> str:
    return _base64(json.dumps(part, separators=(",", ":")).encode())


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
