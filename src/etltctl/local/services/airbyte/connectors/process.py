"""A connector's child process: its lines as they come, an end for one that hangs, and the end of its whole group."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from etltctl.local.services.airbyte.records import FailureKind, Pause, SyncError

POLL_S = 0.2
CHUNK_BYTES = 2**20
LONGEST_LINE = 256 * 2**20  # bytes: one record must not fill the memory
STOP_S = 3.0  # from the polite signal to the certain one
EXIT_S = 30.0  # from the end of its output to its own end
KEPT_LINES = 20


@dataclass(frozen=True)
class Launch:
    """What is started: the command without any secret, its environment and its working folder."""

    command: Sequence[str]
    environ: Mapping[str, str]
    folder: Path


class ConnectorProcess:
    """One process in a separate group. `on_line` gets each line of standard error."""

    def __init__(
        self,
        launch: Launch,
        pause: Pause,
        on_line: Callable[[bytes], None],
        *,
        name: str = "the connector",
        quiet_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start the process.

        Args:
            launch: What is started.
            pause: Sleeps, and raises SyncCancelledError as soon as the sync is cancelled.
            on_line: Gets each line of standard error.
            name: What the process is, for errors.
            quiet_s: Seconds without a line on standard output after which the process counts as hanging.
            clock: Seconds of a clock that never goes back.

        Raises:
            OSError: The program cannot be started.
        """
        self._pause = pause
        self._on_line = on_line
        self._name = name
        self._quiet_s = quiet_s
        self._clock = clock
        self.last_lines: deque[bytes] = deque(maxlen=KEPT_LINES)
        self._process = subprocess.Popen(
            launch.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(launch.environ),
            cwd=launch.folder,
            # A separate group: whatever the connector starts itself ends with it.
            start_new_session=True,
        )

    @property
    def pid(self) -> int:
        """The id of the process, and of its group."""
        return self._process.pid

    def lines(self) -> Iterator[bytes]:
        """Yield each line of standard output until the process has ended.

        Raises:
            SyncError: It said nothing for too long, or one line is too long.
            SyncCancelledError: The sync was cancelled.
        """
        outputs = {self._process.stdout: _Lines(), self._process.stderr: _Lines()}
        with selectors.DefaultSelector() as selector:
            for stream in outputs:
                assert stream is not None
                selector.register(stream, selectors.EVENT_READ)
            heard = self._clock()
            while selector.get_map():
                self._pause(0)
                # Asked before the wait: what a process wrote in its last moment is in the pipe by then.
                had_ended = self._has_ended()
                ready = selector.select(POLL_S)
                for key, _ in ready:
                    chunk = os.read(key.fd, CHUNK_BYTES)
                    if not chunk:
                        selector.unregister(key.fileobj)
                    split = outputs[key.fileobj].add(chunk)  # type: ignore[index]
                    if key.fileobj is self._process.stderr:
                        self._keep(split)
                        continue
                    if split:
                        heard = self._clock()
                    yield from split
                    # The reader may have taken long for these lines, and the connector was not silent meanwhile.
                    heard = self._clock() if split else heard
                if not ready and had_ended:
                    # A process that it started may hold the pipe open for ever.
                    break
                self._require_heard(heard)

    def wait(self) -> int:
        """Return the exit code of a process whose output has ended; one that stays is ended."""
        deadline = self._clock() + EXIT_S
        while not self._has_ended() and self._clock() < deadline:
            self._pause(POLL_S)
        return self.end()

    def end(self) -> int:
        """End the process and all that it started, by the id of their group; return the exit code."""
        if self._process.returncode is None:
            self._signal(signal.SIGTERM)
            deadline = time.monotonic() + STOP_S
            while not self._has_ended() and time.monotonic() < deadline:
                time.sleep(POLL_S / 10)
            # Before the process is reaped: until then no other process can get its id.
            self._signal(signal.SIGKILL)
        code = self._process.wait()
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()
        return code

    def _has_ended(self) -> bool:
        """Return whether the process has ended, without reaping it."""
        if self._process.returncode is not None:
            return True
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def _keep(self, lines: Sequence[bytes]) -> None:
        for line in lines:
            self.last_lines.append(line)
            self._on_line(line)

    def _require_heard(self, heard: float) -> None:
        if self._clock() - heard > self._quiet_s:
            raise SyncError(
                f"{self._name} said nothing for {self._quiet_s / 60:g} minutes and was ended",
                FailureKind.TRANSIENT,
            )


class _Lines:
    """Chunks of bytes as whole lines; blank ones are left out."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, chunk: bytes) -> list[bytes]:
        """Return the lines that end with this chunk; with an empty one, at the end of the stream, all that is left.

        Args:
            chunk: What came next from the process.

        Raises:
            SyncError: A line is too long.
        """
        if chunk and b"\n" not in chunk:
            self._parts.append(chunk)
            self._size += len(chunk)
            if self._size > LONGEST_LINE:
                raise SyncError(
                    f"a line of the connector has more than {LONGEST_LINE // 2**20} MB",
                    FailureKind.SYSTEM,
                )
            return []
        *lines, rest = b"".join([*self._parts, chunk]).split(b"\n")
        if not chunk:
            lines, rest = [*lines, rest], b""
        self._parts, self._size = [rest], len(rest)
        return [line for line in lines if line.strip()]
