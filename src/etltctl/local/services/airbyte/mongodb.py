"""A MongoDB wire server in a separate process, reached over TCP only. It ends with the process that started it.

The server is SecantusDB. Its licence is the GPL, so it is imported in `main`, which only the separate process runs.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import select
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from etltctl.local.kernel.processes import clean_environ, python_command

USER = "etltctl"
START_TIMEOUT_S = 15.0
STOP_TIMEOUT_S = 5.0
PAUSE_BETWEEN_STARTS_S = 0.2
LEAST_FREE_BYTES = 16 * 2**20  # the database writes its journal and its tables in steps of megabytes


class MongoStartError(Exception):
    """The MongoDB process did not come up; the message holds its last words."""


class MongoProcess:
    """One MongoDB server process of this process, on 127.0.0.1 and a free port, with its data in one folder."""

    def __init__(self, storage: Path) -> None:
        self._storage = storage
        self._lock = threading.Lock()  # held for moments only: a stop must not wait for a start
        self._hearing = threading.Lock()  # held by the one who waits for the address
        self._process: subprocess.Popen[bytes] | None = None
        self._uri = ""
        self._password = secrets.token_urlsafe(30)  # of this process's life, written nowhere

    def begin(self) -> bool:
        """Start the process if it does not run, without waiting until it serves.

        Returns whether there is no data yet: no server has ever run on this folder.
        """
        with self._lock:
            # Before `_spawn`, which makes the folder.
            is_new = not self._storage.is_dir()
            if self._process is None or self._process.poll() is not None:
                self._uri = ""
                self._process = self._spawn()
            return is_new

    def uri(self) -> str:
        """Return the server's `mongodb://` address with its user and password, as soon as it serves.

        A process that ends at once is started again until the timeout, because the server of a process that was just
        killed may still hold the folder.

        Raises:
            MongoStartError: no server is up after START_TIMEOUT_S seconds, or it was stopped meanwhile.
        """
        deadline = time.monotonic() + START_TIMEOUT_S
        self.begin()
        if not self._hearing.acquire(timeout=START_TIMEOUT_S):
            raise MongoStartError(f"the local MongoDB server did not start within {START_TIMEOUT_S:.0f} s")
        try:
            while not (uri := self._hear_address(deadline)):
                if time.monotonic() > deadline:
                    raise MongoStartError(f"the local MongoDB server did not start: {self._last_words()}")
                time.sleep(PAUSE_BETWEEN_STARTS_S)
                self._begin_again()
            return uri
        finally:
            self._hearing.release()

    def _begin_again(self) -> None:
        """Start the process again if it ended by itself; one that was stopped stays so."""
        with self._lock:
            if self._process is not None and self._process.poll() is not None:
                self._uri = ""
                self._process = self._spawn()

    def pid(self) -> int | None:
        """Return the process id while the server runs."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def trouble(self) -> str:
        """Return what the server's own errors do not say: that its disk is full, else its last line of log."""
        free = shutil.disk_usage(self._storage.parent).free
        if free < LEAST_FREE_BYTES:
            return f"the disk of {self._storage} is full ({free / 2**20:.1f} MB free)"
        return f"the last line of {self._log()}: {self._last_words()}"

    def stop(self) -> None:
        """End the process in good order; do nothing if there is none."""
        with self._lock:
            process, self._process = self._process, None
        if process is None:
            return
        # At the end of its standard input the process closes the database and ends.
        _close(process.stdin)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            _kill(process)

    def _hear_address(self, deadline: float) -> str:
        """Return where the process serves; nothing if it ended without a word.

        Raises:
            MongoStartError: it said nothing until the deadline and was killed, or it was stopped.
        """
        with self._lock:
            process, uri = self._process, self._uri
        if uri:
            return uri
        if process is None:
            raise MongoStartError("the local MongoDB server was stopped while it started")
        # Without the lock, because a start may take seconds and a stop must not wait for it.
        line = _first_line(process, deadline)
        if not line:
            if process.poll() is None:
                _kill(process)
            return ""
        with self._lock:
            port = json.loads(line)["port"]
            self._uri = f"mongodb://{USER}:{self._password}@127.0.0.1:{port}/?authSource=admin"
            return self._uri

    def _spawn(self) -> subprocess.Popen[bytes]:
        self._storage.mkdir(parents=True, exist_ok=True)
        with self._log().open("wb") as log:
            process = subprocess.Popen(
                python_command(
                    "-m", "etltctl.local.services.airbyte.mongodb", "--storage", str(self._storage)
                ),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env=clean_environ(os.environ),
                start_new_session=True,  # Ctrl-C in a terminal is for the command, not for the database
            )
        stdin: IO[bytes] = process.stdin  # type: ignore[assignment]
        with suppress(BrokenPipeError):  # it has ended already: the missing address shows that
            stdin.write(f"{self._password}\n".encode())
            stdin.flush()
        return process

    def _log(self) -> Path:
        return self._storage.with_name(f"{self._storage.name}.log")

    def _last_words(self) -> str:
        try:
            lines = self._log().read_text(errors="replace").strip().splitlines()
        except OSError:
            lines = []
        return lines[-1] if lines else "it gave no reason"


def main(arguments: list[str] | None = None) -> None:
    """Serve the folder until standard input ends, which it does when the parent ends, even by `kill -9`.

    The first line of standard input is the password of the one user.
    """
    parser = argparse.ArgumentParser(prog="etltctl.local.services.airbyte.mongodb", description=__doc__)
    parser.add_argument("--storage", required=True, help="the folder of the database files")
    storage = parser.parse_args(arguments).storage

    # Not an argument of the command, which every user of the machine could read.
    password = sys.stdin.buffer.readline().decode().strip()
    if not password:
        return

    from secantus.server import SecantusDBServer

    # No replica set: nothing here follows the oplog, and writing it would double the time of a load.
    server = SecantusDBServer(
        "127.0.0.1",
        0,
        storage,
        replica_set_name=None,
        require_auth=True,
        enable_test_commands=False,
        cache_size="256M",
    )
    # Before `start`: from its first moment the port is open to the one user only.
    _let_in_only(password, server)
    server.start()
    sys.stdout.write(json.dumps({"port": server.port, "pid": os.getpid()}) + "\n")
    sys.stdout.flush()
    sys.stdin.buffer.read()
    # The server waits up to 2 s for its accept call, which one more connection ends at once.
    threading.Timer(0.02, _knock, (server.port,)).start()
    server.stop()


def _let_in_only(password: str, server: Any) -> None:
    """Make the one user, before the server listens; users of a folder that was once open are no longer let in."""
    from secantus.auth import derive_credentials

    while users := server.storage.list_users():  # a page of them
        for user in users:
            server.storage.drop_user(user["db"], user["user"])
    record = {
        "_id": f"admin.{USER}",
        "user": USER,
        "db": "admin",
        "credentials": derive_credentials(password, username=USER).to_doc(),
        "roles": [{"role": "root", "db": "admin"}],
        "mechanisms": ["SCRAM-SHA-256"],
    }
    server.storage.add_user("admin", USER, record, replace=True)


def _knock(port: int) -> None:
    with suppress(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=1).close()


def _first_line(process: subprocess.Popen[bytes], deadline: float) -> bytes:
    """Return the first line that the process writes; empty if it ends, or the deadline comes, before that."""
    line = b""
    stdout: IO[bytes] = process.stdout  # type: ignore[assignment]
    while not line.endswith(b"\n"):
        ready, _, _ = select.select([stdout], [], [], max(deadline - time.monotonic(), 0))
        part = os.read(stdout.fileno(), 1024) if ready else b""
        if not part:
            return b""
        line += part
    return line


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the process and all it started, even a process that SIGSTOP holds."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _close(stream: IO[bytes] | None) -> None:
    if stream is not None:
        stream.close()


if __name__ == "__main__":
    main()
