"""The processes that run queries, as the server sees them: started, lent, watched, ended."""

from __future__ import annotations

import os
import socket
import subprocess
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Lock
from typing import Any

from etltctl.local.kernel.processes import bare_environ, python_command
from etltctl.local.services.athena.dialect import QueryError
from etltctl.local.services.athena.engine import Answer
from etltctl.local.services.athena.tables import Lake
from etltctl.local.services.athena.worker import Failure, Request, Statement, error_of, failure_of

POLL_S = 0.05  # how soon a query that is stopped ends
TIME_LIMIT_S = 30 * 60.0  # Athena's own for DML
MEMORY_LIMIT = 2 << 30  # bytes; DuckDB's own limit counts less than what a query takes
KEPT_MEMORY = 600 << 20  # a worker that holds more is not used again
FAREWELL_S = 2.0  # a process that waits for a query ends by itself in milliseconds
PAGE = 4096
START = "import sys; from etltctl.local.services.athena.worker import main; main(*map(int, sys.argv[1:]))"


class CancelledError(Exception):
    """The query was stopped: its answer is not needed any more."""


class Worker:
    """A process that runs one query at a time."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                python_command("-c", START, str(theirs.fileno()), str(os.getpid())),
                pass_fds=[theirs.fileno()],
                env=bare_environ(os.environ),  # SQL must not be able to reach a secret of the server
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
        self.connection = Connection(ours.detach())

    @property
    def is_alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    @property
    def memory(self) -> int:
        """The bytes that the process holds in memory; 0 if the system does not report them."""
        try:
            return int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]) * PAGE
        except (OSError, IndexError):
            return 0

    def kill(self) -> None:
        """End the process, whatever it does. The thread that talks to it meets a closed connection."""
        self._process.kill()
        self._process.wait()

    def end(self) -> None:
        """End the process, whatever it does, and close its connection."""
        self.kill()
        self.connection.close()

    def dismiss(self) -> None:
        """Let the process end by itself, as one that waits for a query does when its connection is closed."""
        self.connection.close()
        try:
            self._process.wait(FAREWELL_S)
        except subprocess.TimeoutExpired:
            self.kill()


class Workers:
    """The processes of one service: those that run a query, and those that wait for the next one."""

    def __init__(self, most_idle: int) -> None:
        """Start no process yet.

        Args:
            most_idle: how many processes may wait for a query.
        """
        self._most_idle = most_idle
        self._idle: list[Worker] = []
        self._busy: set[Worker] = set()
        self._is_closed = False
        self._lock = Lock()

    def take(self) -> Worker:
        """Return a process that waits, or a new one.

        Raises:
            CancelledError: the service is closed.
        """
        with self._lock:
            if self._is_closed:
                raise CancelledError
            worker = self._waiting() or Worker()
            self._busy.add(worker)
            return worker

    def give_back(self, worker: Worker) -> None:
        """Keep a process for the next query, unless it holds too much memory or enough others wait."""
        with self._lock:
            self._busy.discard(worker)
            is_full = self._is_closed or len(self._idle) >= self._most_idle
            if not is_full and worker.memory <= KEPT_MEMORY:
                self._idle.append(worker)
                return
        worker.dismiss()

    def end(self, worker: Worker) -> None:
        """End a process that was taken."""
        with self._lock:
            self._busy.discard(worker)
        worker.end()

    def close(self) -> None:
        """End every process, also in the middle of a query, and start no other."""
        with self._lock:
            self._is_closed = True
            while self._idle:
                self._idle.pop().dismiss()
            for worker in self._busy:
                worker.kill()

    def _waiting(self) -> Worker | None:
        while self._idle:
            worker = self._idle.pop()
            if worker.is_alive:
                return worker
            worker.end()
        return None


def run_apart(
    workers: Workers,
    statement: Statement,
    lake: Lake,
    on_plan: Callable[[int], None],
    is_wanted: Callable[[], bool],
    saved: object = None,
) -> Answer:
    """Run a statement in a separate process, within Athena's limits.

    Args:
        workers: the processes of the service.
        statement: what to run.
        lake: what the process may ask for.
        on_plan: called with the bytes that will be scanned; what it raises ends the query.
        is_wanted: Returns whether a caller still waits for the answer.
        saved: the prepared statements.

    Raises:
        QueryError: the query's own error, EXCEEDED_MEMORY_LIMIT or EXCEEDED_TIME_LIMIT.
        AwsError: a refusal.
        CancelledError: if the answer was not wanted any more, or the service is closed.
    """
    worker = workers.take()
    try:
        worker.connection.send(statement)
        answer = _served(worker, _targets(lake, saved), on_plan, is_wanted)
    except BaseException as error:
        workers.end(worker)
        if isinstance(error, OSError) and not is_wanted():  # the process was ended by `Workers.close`
            raise CancelledError from error
        raise
    workers.give_back(worker)
    if isinstance(answer, Failure):
        raise error_of(answer)
    return answer


def _served(
    worker: Worker, targets: dict[str, Any], on_plan: Callable[[int], None], is_wanted: Callable[[], bool]
) -> Answer | Failure:
    """Answer a process's requests until it has its result."""
    deadline = time.monotonic() + TIME_LIMIT_S
    while True:
        _check_limits(worker, deadline, is_wanted)
        if not worker.connection.poll(POLL_S):
            continue
        try:
            message = worker.connection.recv()
        except (EOFError, OSError) as error:
            if not is_wanted():
                raise CancelledError from error
            raise QueryError("INTERNAL_ERROR", "the process that ran the query ended") from error
        if not isinstance(message, Request):
            return message  # type: ignore[no-any-return]
        if message.target == "plan":
            on_plan(*message.values)
            worker.connection.send(None)
        else:
            worker.connection.send(_called(targets[message.target], message))


def _targets(lake: Lake, saved: object) -> dict[str, Any]:
    return {"catalog": lake.catalog, "directory": lake.directory, "guard": lake.guard, "saved": saved}


def _called(target: Any, request: Request) -> Any:
    try:
        return getattr(target, request.method)(*request.values)
    except Exception as error:  # noqa: BLE001 it is raised again in the process that asked
        return failure_of(error)


def _check_limits(worker: Worker, deadline: float, is_wanted: Callable[[], bool]) -> None:
    if not is_wanted():
        raise CancelledError
    if time.monotonic() > deadline:
        raise QueryError(
            "EXCEEDED_TIME_LIMIT", f"Query exceeded the maximum run time of {TIME_LIMIT_S / 60:g} minutes"
        )
    if worker.memory > MEMORY_LIMIT:
        raise QueryError(
            "EXCEEDED_MEMORY_LIMIT", f"Query exceeded the memory limit of {MEMORY_LIMIT >> 20} MB"
        )
