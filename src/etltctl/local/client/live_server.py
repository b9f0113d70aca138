"""A running embedded server: how a command finds it, checks that it is the right one, and keeps it running."""

from __future__ import annotations

import hmac
import http.client
import json
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from etltctl.errors import ConfigurationError, NextStep, UnreachableError, command
from etltctl.local.kernel.keys import CHALLENGE, HELD, LAST_CHUNK, Keys, read_keys
from etltctl.local.kernel.state_folder import file_identity

REQUEST_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Server:
    """A live embedded server, as it describes itself in `server/endpoint.json`."""

    url: str
    port: int
    pid: int
    kept: bool
    state: Path
    keys: Keys | None = field(default=None, repr=False)
    build: str = ""

    def require_keys(self) -> Keys:
        """Return the state folder's keys.

        Raises:
            ConfigurationError: The folder has lost them.
        """
        if self.keys is None:
            raise ConfigurationError(
                f"the state folder {self.state} has no keys of its embedded server",
                hint=NextStep(command("local", "down"), ", then run the command again"),
            )
        return self.keys

    def request(self, method: str, path: str, body: Any = None, timeout: float = REQUEST_TIMEOUT_S) -> Any:
        """Return the server's own answer as JSON.

        Raises:
            UnreachableError: There is no answer.
            ConfigurationError: The server refuses the call.
        """
        return self._exchange(method, path, body, timeout, self.keys.headers if self.keys else {})

    def is_genuine(self) -> bool:
        """Return whether the process at the port has the state folder's keys.

        A server that was killed leaves its description behind, and its port may be another user's by now: no key is
        sent before this is known.
        """
        if self.keys is None:
            return False
        challenge = secrets.token_hex(16)
        try:
            answer = self._exchange("GET", "/_etltctl/health", None, 5.0, {CHALLENGE: challenge})
            proof = str(answer["proof"])
        except (UnreachableError, ConfigurationError, ValueError, LookupError, TypeError):
            return False
        return hmac.compare_digest(proof.encode(), self.keys.proof(challenge, self.port).encode())

    def _exchange(self, method: str, path: str, body: Any, timeout: float, headers: Mapping[str, str]) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, None if body is None else json.dumps(body), dict(headers))
            response = connection.getresponse()
            # Read within the block, because a server that dies ends the answer in its middle.
            text = response.read().decode()
        except (OSError, http.client.HTTPException) as error:
            raise UnreachableError(
                f"the embedded server at {self.url} did not answer {path}",
                hint=NextStep(
                    f"read {self.state / 'server' / 'server.log'}; ",
                    command("local", "down"),
                    ", then try again",
                ),
            ) from error
        finally:
            connection.close()
        answer = json.loads(text) if text.startswith(("{", "[")) else {"message": text}
        if response.status >= 400:
            raise ConfigurationError(
                f"the embedded server refused {path}: {answer.get('message', text)}",
                hint=f"read {self.state / 'server' / 'server.log'}",
            )
        return answer


def find_live(state: Path) -> Server | None:
    """Return the server that really serves the folder now, or None."""
    server = described(state)
    if server is None or not server.is_genuine():
        return None
    try:
        health = server.request("GET", "/_etltctl/health", timeout=5.0)
    except (UnreachableError, ConfigurationError):
        return None
    # Another server may have taken the port of the one described, with the same keys in a copied folder.
    return server if health.get("pid") == server.pid else None


def described(state: Path) -> Server | None:
    """Return the server that the folder describes, alive or not; None if it describes none.

    A copy of a folder describes the server of the original, which is not the copy's.
    """
    try:
        description = json.loads((state / "server" / "endpoint.json").read_text())
        identity = file_identity(state)
        if description.get("folder", identity) != identity:
            return None
        return Server(
            description["url"],
            description["port"],
            description["pid"],
            description["kept"],
            state,
            read_keys(state),
            description.get("build", ""),
        )
    except (OSError, ValueError, KeyError):
        return None


def take_lease(server: Server) -> socket.socket | None:
    """Open a connection that keeps the server running; None if the server is about to end."""
    try:
        holder = socket.create_connection(("127.0.0.1", server.port), timeout=10.0)
        keys = server.keys.headers if server.keys else {}
        headers = {"Host": f"127.0.0.1:{server.port}", **keys}
        lines = ["GET /_etltctl/lease HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        holder.sendall("\r\n".join([*lines, "", ""]).encode())
        answer = b""
        while HELD not in answer:
            more = holder.recv(1024)
            answer += more
            # A server that is ending accepts the connection and says at once that it is over.
            if not more or answer.endswith(LAST_CHUNK):
                holder.close()
                return None
    except OSError:
        return None
    return holder


def ends_at(server: Server) -> str | None:
    """Return when a server that no command uses ends, in UTC; None while one does, or while it is kept."""
    end = server.request("GET", "/_etltctl/health").get("ends_at")
    return None if end is None else str(end)


def began(server: Server) -> float:
    """Return when the server began, in seconds since the epoch; 0.0 if it does not say."""
    try:
        return float(server.request("GET", "/_etltctl/health", timeout=5.0).get("began") or 0.0)
    except (UnreachableError, ConfigurationError):
        return 0.0


def retire(server: Server) -> bool:
    """End a server that lingers; return whether it ends. One that is kept or in use goes on."""
    try:
        return bool(server.request("POST", "/_etltctl/retire", timeout=5.0)["ending"])
    except (UnreachableError, ConfigurationError):
        return False
