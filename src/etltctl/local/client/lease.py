"""A command's hold on the embedded server, which notices that the server died and starts it again on the same state."""

from __future__ import annotations

import json
import select
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from logging import getLogger
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from etltctl import outage
from etltctl.errors import RETRY, EtltctlError, NextStep
from etltctl.local.kernel.keys import LAST_CHUNK
from etltctl.local.kernel.processes import is_alive, wait_until

if TYPE_CHECKING:
    from etltctl.local.client.live_server import Server

MOST_RESTARTS = 3  # of one command: a server that dies again and again is not kept alive by force
LOOK_S = 1.0
ENDING_S = 2.0
Held = tuple["Server", bool, socket.socket]

log = getLogger(__name__)


class Lease:
    """A hold on the server, which lives at least until it is given back.

    The server starts again on the port that it had, and its credentials are part of the state, so clients that were
    made before still reach it. The new server records what the old one ran when it died as failed.

    Args:
        find: Finds the server or starts it, preferably on the port that the last one had.
        set_up: Makes the project's stack exist on the server.
        tell: Called with a message at every restart.
    """

    def __init__(
        self,
        find: Callable[[], Held],
        set_up: Callable[[Server], Mapping[str, Any]],
        tell: Callable[[str], None] = log.warning,
    ) -> None:
        self._find, self._set_up, self._tell = find, set_up, tell
        self.server, self.started, self._socket = find()
        self._released = Event()
        self._restarts = 0

    def __enter__(self) -> Lease:
        """Set the stack up and watch the server from then on."""
        try:
            self.stack = self._set_up(self.server)
        except BaseException:
            self._socket.close()
            raise
        self._watcher = Thread(target=self._watch, name="lease", daemon=True)
        self._watcher.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Give the lease back."""
        # Set before the connection closes, or the watcher would take the end for the server's death.
        self._released.set()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._watcher.join(2 * LOOK_S)
        self._socket.close()
        outage.end(self.server.url)

    def _watch(self) -> None:
        while not self._released.is_set():
            if _is_closed(self._socket) and not self._released.is_set():
                outage.begin(self.server.url)
                error = self._restart()
                outage.end(self.server.url, error)
                if error is not None:
                    return

    def _restart(self) -> EtltctlError | None:
        """Start the server again; return the error for every later call if it cannot be started."""
        server, folder = self.server, self.server.state / "server"
        last_told = folder / "endpoint.json"  # a server that ends in good order removes it
        # A server closes its connections a moment before it removes its description.
        wait_until(lambda: not (last_told.exists() and is_alive(server.pid)), ENDING_S)
        try:
            was_kept = bool(json.loads(last_told.read_text())["kept"])
        except (OSError, ValueError, KeyError):
            return _gone(server, "it was stopped, as `etltctl local down` does")
        why = last_error(folder / "server.log")
        self._restarts += 1
        if self._restarts > MOST_RESTARTS:
            return _gone(server, f"it ended {self._restarts} times during this command; {why}")
        self._tell(
            f"the embedded server ended: {why}. It is started again ({self._restarts} of {MOST_RESTARTS})"
        )
        try:
            restarted, _, connection = self._find()
            self._socket.close()
            self._socket = connection
            # Clients that exist already keep the old address and never learn a new one.
            if restarted.port != server.port:
                return _gone(
                    server, f"a new one runs at {restarted.url}, where this command does not reach it"
                )
            # The stack exists in the state, but what the settings changed since then may not.
            self.server = restarted
            self._set_up(restarted)
            if was_kept:
                restarted.request("POST", "/_etltctl/keep", {"keep": True})
        except EtltctlError as error:
            return _gone(server, f"it cannot be started again: {error.message}")
        return None


def last_error(log_file: Path) -> str:
    """Return the last error of the server's log, or that there is none."""
    try:
        lines = log_file.read_text(errors="replace").splitlines()[-1000:]
    except OSError:
        lines = []
    errors = [line for line in lines if " ERROR " in line]
    return f"its last error is {errors[-1]}" if errors else f"it left no error in {log_file}"


def _gone(server: Server, why: str) -> EtltctlError:
    return EtltctlError(
        f"the embedded server at {server.url} ended: {why}",
        hint=NextStep("what was finished is kept: run the command again, or resume its run: ", RETRY),
        log=server.state / "server" / "server.log",
    )


def _is_closed(connection: socket.socket) -> bool:
    """Return whether the server has closed the lease; wait up to a second for it."""
    try:
        readable, _, _ = select.select([connection], [], [], LOOK_S)
        received = connection.recv(1024) if readable else b"held"
    except (OSError, ValueError):  # reset, or closed by this side
        return True
    return received == b"" or received.endswith(LAST_CHUNK)
