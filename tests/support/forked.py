"""The command `etltctl` in processes that start at once: each is forked from a process that has it imported.

Such a process has an id, a folder, an environment, standard streams and an exit status as one of the installed script
has, and signals reach it in the same way. Two things differ: `/proc/PID/cmdline` and `/proc/PID/environ` show the fork
server's, and Python does not read its own variables again.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from threading import Lock
from typing import IO

SERVER = Path(__file__).with_name("fork_server.py")
READ_AT_START = ("PYTHON", "LC_", "LANG")
ENVIRON = dict(os.environ)  # of the fork server; a test may change the environment later
_ASKING = Lock()


def is_same_python(environ: Mapping[str, str]) -> bool:
    """Return whether Python would start in this environment as it did in the fork server's."""
    names = {name for name in (*environ, *ENVIRON) if name.startswith(READ_AT_START)}
    return all(environ.get(name) == ENVIRON.get(name) for name in names)


class Command:
    """A running command, with those members of `subprocess.Popen` that tests use.

    Args:
        arguments: The installed script and its arguments.
        cwd: The folder in which the command runs.
        env: Its whole environment.
        stdin: A file or a descriptor, as for `subprocess.Popen`.
        stdout: The same, or a pipe that is read as text.
        stderr: The same, or a pipe that is read as text.
        start_new_session: Whether the command leads a new session.
    """

    def __init__(
        self,
        arguments: Sequence[str | Path],
        *,
        cwd: Path,
        env: Mapping[str, str],
        stdin: int | IO[str] = subprocess.DEVNULL,
        stdout: int | IO[str] = subprocess.DEVNULL,
        stderr: int | IO[str] = subprocess.DEVNULL,
        start_new_session: bool = False,
    ) -> None:
        self.returncode: int | None = None
        self._closing: list[int] = []  # files that only the command keeps open
        streams = [self._file(stdin, os.O_RDONLY), 0, 0]
        streams[1], self.stdout = self._written(stdout)
        streams[2], self.stderr = self._written(stderr)
        report, writer = os.pipe()
        self._report = os.fdopen(report, "rb", 0)
        request = {
            "arguments": [str(word) for word in arguments],
            "cwd": str(cwd),
            "environ": dict(env),
            "start_new_session": start_new_session,
        }
        with _ASKING:
            socket.send_fds(_server(), [json.dumps(request).encode()], [*streams, writer])
        for number in (writer, *self._closing):
            os.close(number)
        self.pid = int(self._report.readline())

    def poll(self) -> int | None:
        """Return the exit status, None while the command runs."""
        if self.returncode is None and select.select([self._report], [], [], 0)[0]:
            self.wait()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end and return the exit status, negative for a signal, as `subprocess` does."""
        if self.returncode is None:
            if not select.select([self._report], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired("etltctl", timeout or 0)
            self.returncode = int(self._report.readline())
            self._report.close()
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """Read the command's pipes until it has ended."""
        with ThreadPoolExecutor(2) as readers:
            texts = [readers.submit(stream.read) if stream else None for stream in (self.stdout, self.stderr)]
            try:
                self.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
        out, err = (text.result() if text else "" for text in texts)
        return out, err

    def send_signal(self, number: int) -> None:
        """Send the signal unless the command has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """Kill the command at once."""
        self.send_signal(signal.SIGKILL)

    def _written(self, stream: int | IO[str]) -> tuple[int, IO[str] | None]:
        """Return the file that the command writes to, and the end of the pipe that is read here."""
        if stream != subprocess.PIPE:
            return self._file(stream, os.O_WRONLY), None
        ours, theirs = os.pipe()
        self._closing.append(theirs)
        return theirs, os.fdopen(ours, encoding="utf-8", errors="replace")

    def _file(self, stream: int | IO[str], mode: int) -> int:
        if stream == subprocess.DEVNULL:
            self._closing.append(os.open(os.devnull, mode))
            return self._closing[-1]
        return stream if isinstance(stream, int) else stream.fileno()


def run(
    arguments: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str], timeout: float
) -> subprocess.CompletedProcess[str]:
    """Run the command to its end, as `subprocess.run` does that captures the output.

    Args:
        arguments: The installed script and its arguments.
        cwd: The folder in which the command runs.
        env: Its whole environment. Where Python itself would start differently in it, the script is really started.
        timeout: How long the command may take, in seconds.
    """
    if not is_same_python(env):
        return subprocess.run(
            arguments, cwd=cwd, env=env, capture_output=True, text=True, timeout=timeout, check=False
        )
    command = Command(arguments, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = command.communicate(timeout)
    return subprocess.CompletedProcess(list(map(str, arguments)), command.wait(), out, err)


@cache
def _server() -> socket.socket:
    """Start the fork server of this test process, which ends with it."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        number = theirs.fileno()
        process = subprocess.Popen(
            [sys.executable, "-P", SERVER, str(number)], pass_fds=[number], env=ENVIRON
        )
    atexit.register(process.wait)
    atexit.register(ours.close)  # closed before the wait
    return ours
