"""The lifetime of the embedded server: its leases, the minutes after the last one, and its end."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from threading import Event, Lock, Timer

from etltctl.local.kernel.keys import HELD

FIRST_LEASE_S = 15.0
LEASE_LOOK_S = 0.2


class Lifetime:
    """Decides when the server ends: after its last lease, on request, or never while it is kept.

    Args:
        kept: Whether the server outlives its leases until a request ends it.
        clock: Returns the seconds since some moment.
    """

    def __init__(self, kept: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self.kept = kept
        self.ending = Event()
        self._clock = clock
        self._linger_s = 0.0
        self._leases = 0
        self._idle_since: float | None = None  # None before the first lease, and while there is one
        self._lock = Lock()
        self._all_given_back = Event()
        self._all_given_back.set()
        # A starter that died before it took its lease would otherwise leave a server for ever.
        self._first = Timer(FIRST_LEASE_S, self.end_if_due)
        self._first.daemon = True
        self._first.start()

    def hold(self, connection: socket.socket) -> Iterator[bytes]:
        """Hold the server until the other side closes the connection; yield nothing if the server is ending."""
        with self._lock:
            if self.ending.is_set():  # the caller must not count on a server that has decided to end
                return
            self._leases += 1
            self._idle_since = None
            self._all_given_back.clear()
        try:
            yield HELD
            # The holder sends nothing: its connection closes when its process ends, however that happens.
            while not self.ending.is_set() and not _is_closed(connection):
                pass
        finally:
            self._give_back()

    def wait_for_leases(self, seconds: float) -> None:
        """Wait until the holders of all leases know that the server ends, at most `seconds`."""
        self._all_given_back.wait(seconds)

    def keep(self, kept: bool) -> None:
        """Set whether the server outlives its leases."""
        self.kept = kept
        self.end_if_due()

    def linger(self, seconds: float) -> None:
        """Set how long the server stays up after its last lease, in seconds."""
        self._linger_s = seconds

    def touch(self) -> None:
        """Begin the wait for the end again, because a client without a lease has called."""
        with self._lock:
            if self._idle_since is not None:
                self._idle_since = self._clock()

    def retire(self) -> bool:
        """End the server if no command uses it and it is not kept; return whether it ends."""
        with self._lock:
            if not self._leases and not self.kept:
                self.ending.set()
        return self.ending.is_set()

    @property
    def idle_s(self) -> float | None:
        """The seconds since the last lease was given back; None while there is one, and before the first."""
        since = self._idle_since
        return None if since is None else self._clock() - since

    @property
    def left_s(self) -> float | None:
        """The seconds until an unused server ends; None while it is used or kept."""
        idle_s = self.idle_s
        return None if idle_s is None or self.kept else max(self._linger_s - idle_s, 0.0)

    def end_if_due(self) -> None:
        """End the server if it is unused, not kept, and has lingered for its time."""
        with self._lock:
            idle_s = self.idle_s
            # Without a first lease there was no command to linger for.
            is_over = idle_s is None or idle_s >= self._linger_s
            if not self._leases and not self.kept and is_over:
                self.ending.set()

    def _give_back(self) -> None:
        with self._lock:
            self._leases -= 1
            if not self._leases:
                self._idle_since = self._clock()
                self._all_given_back.set()
        self.end_if_due()


def _is_closed(connection: socket.socket) -> bool:
    readable, _, _ = select.select([connection], [], [], LEASE_LOOK_S)
    if not readable:
        return False
    with suppress(ConnectionError):
        return connection.recv(1024) == b""
    return True
