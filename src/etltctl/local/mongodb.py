"""A MongoDB wire server as a process of its own, reached over TCP only, that ends with the process that started it.

The server is SecantusDB. Its licence is the GPL, so it is imported in `main`, which only the separate process runs.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

START_TIMEOUT_S = 15.0
STOP_TIMEOUT_S = 10.0
PAUSE_BETWEEN_STARTS_S = 0.2
LEAST_FREE_BYTES = 16 * 2**20  # the database writes its journal and its tables in steps of megabytes


class MongoStartError(Exception):
    """The MongoDB process did not come up; the message holds its last words."""


class MongoProcess:
    """One MongoDB server process of this process, on 127.0.0.1 and a free port, with its data in one folder."""

    def __init__(self, storage: Path) -> None:
        self._storage = storage
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._uri = ""

    def begin(self) -> bool:
        """Starts the process if it does not run, without waiting until it serves.

        Returns whether there is no data yet: no server has ever run on this folder.
        """
        with self._lock:
            is_new = not self._storage.is_dir()
            if self._process is None or self._process.poll() is not None:
                self._uri = ""
                self._process = self._spawn()
            return is_new

    def uri(self) -> str:
        """The server's `mongodb://` address, as soon as it serves.

        Starts again until the timeout, because the server of a process that was just killed may still hold the
        folder. Raises MongoStartError if no server is up after START_TIMEOUT_S seconds.
        """
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            self.begin()
            with self._lock:
                if self._uri or self._hear_address():
                    return self._uri
            if time.monotonic() > deadline:
                raise MongoStartError(f"the local MongoDB server did not start: {self._last_words()}")
            time.sleep(PAUSE_BETWEEN_STARTS_S)

    def pid(self) -> int | None:
        """The process id while the server runs."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def trouble(self) -> str:
        """Return what the server's own errors do not say: that its disk is full, else its last line of log."""
        free = shutil.disk_usage(self._storage.parent).free
        if free < LEAST_FREE_BYTES:
            return f"the disk of {self._storage} is full ({free / 2**20:.1f} MB free)"
        return f"the last line of {self._log()}: {self._last_words()}"

    def stop(self) -> None:
        """Ends the process in good order; does nothing if there is none."""
        with self._lock:
            process, self._process = self._process, None
        if process is None:
            return
        _close(process.stdin)
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        _close(process.stdout)

    def _hear_address(self) -> bool:
        """Reads where the new process serves; False if it ended without a word."""
        process = self._process
        told = process.stdout.readline() if process and process.stdout else b""
        if told:
            self._uri = f"mongodb://127.0.0.1:{json.loads(told)['port']}/"
        elif process:
            _close(process.stdin)
            _close(process.stdout)
            process.wait()
        return bool(told)

    def _spawn(self) -> subprocess.Popen[bytes]:
        self._storage.mkdir(parents=True, exist_ok=True)
        with self._log().open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "etltctl.local.mongodb", "--storage", str(self._storage)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # Ctrl-C in a terminal is for the command, not for the database
            )

    def _log(self) -> Path:
        return self._storage.with_name(f"{self._storage.name}.log")

    def _last_words(self) -> str:
        try:
            lines = self._log().read_text(errors="replace").strip().splitlines()
        except OSError:
            lines = []
        return lines[-1] if lines else "it gave no reason"


def main(arguments: list[str] | None = None) -> None:
    """Serves the folder until standard input ends, which it does when the parent ends, even by `kill -9`."""
    parser = argparse.ArgumentParser(prog="etltctl.local.mongodb", description=__doc__)
    parser.add_argument("--storage", required=True, help="the folder of the database files")
    storage = parser.parse_args(arguments).storage

    from secantus.server import SecantusDBServer

    # No replica set: nothing here follows the oplog, and writing it would double the time of a load.
    server = SecantusDBServer(
        "127.0.0.1", 0, storage, replica_set_name=None, enable_test_commands=False, cache_size="256M"
    )
    server.start()
    sys.stdout.write(json.dumps({"port": server.port, "pid": os.getpid()}) + "\n")
    sys.stdout.flush()
    sys.stdin.buffer.read()
    # The server waits up to 2 s for its accept call, which one more connection ends at once.
    threading.Timer(0.02, _knock, (server.port,)).start()
    server.stop()


def _knock(port: int) -> None:
    with suppress(OSError):
        socket.create_connection(("127.0.0.1", port), timeout=1).close()


def _close(stream: IO[bytes] | None) -> None:
    if stream is not None:
        stream.close()


if __name__ == "__main__":
    main()
