"""The JVM of one script, taken from the pool when the script first asks for it and not before."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from contextlib import suppress
from threading import Thread

from etltctl.local.services.glue.jvm import Jvm, JvmFailedError


class JvmLoan:
    """Answers the requests that a script and its forks make on their line: for the address of the script's one JVM.

    Args:
        line: This side of the line. It is closed by the loan.
        take: Returns a JVM; raises JvmFailedError.
        fail: Called with the reason if there is no JVM for the script, which then gets no answer.
    """

    def __init__(self, line: socket.socket, take: Callable[[], Jvm], fail: Callable[[str], None]) -> None:
        self._line = line
        self._take = take
        self._fail = fail
        self._jvm: Jvm | None = None
        self._logged = 0
        self._thread = Thread(target=self._answer, daemon=True)
        self._thread.start()

    def end(self) -> Jvm | None:
        """Return the JVM that the script had, if it asked for one; call it when the script's processes are gone."""
        self._thread.join()
        return self._jvm

    @property
    def log(self) -> bytes:
        """What the JVM has logged since the script has it."""
        if self._jvm is None:
            return b""
        with self._jvm.log.open("rb") as lines:
            lines.seek(self._logged)
            return lines.read()

    def _answer(self) -> None:
        with self._line, suppress(ConnectionError):
            while self._line.recv(1):  # until the script and its forks have ended
                try:
                    self._jvm = self._jvm or self._borrow()
                except (JvmFailedError, OSError) as error:
                    self._fail(str(error))
                    return
                address = {"port": self._jvm.port, "secret": self._jvm.secret}
                self._line.sendall(json.dumps(address).encode() + b"\n")

    def _borrow(self) -> Jvm:
        jvm = self._take()
        self._logged = jvm.log.stat().st_size
        return jvm
