"""The processes that run queries, as the server sees them: started, lent, watched, ended."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Lock
from typing import Any

from etltctl.local.athena.dialect import QueryError
from etltctl.local.athena.engine import Answer
from etltctl.local.athena.tables import Lake
from etltctl.local.athena.worker import Failure, Request, Statement, error_of, failure_of
from etltctl.local.interpreter import python_command

POLL_S = 0.05  # how soon a query that is stopped ends
TIME_LIMIT_S = 30 * 60.0  # Athena's own for DML
MEMORY_LIMIT = 2 << 30  # bytes; DuckDB's own limit counts less than what a query takes
KEPT_MEMORY = 600 << 20  # a worker that holds more is not used again
PAGE = 4096
START = "import sys; from etltctl.local.athena.worker import main; main(int(sys.argv[1]))"


class CancelledError(Exception):
    """The query was stopped: its answer is not needed any more."""


class Worker:
    """A process that runs one query at a time."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                python_command("-c", START, str(theirs.fileno())),
                pass_fds=[theirs.fileno()],
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

    def end(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.wait()
        self.connection.close()


class Workers:
    """The processes that wait for a query."""

    def __init__(self) -> None:
        self._idle: list[Worker] = []
        self._lock = Lock()

    def take(self) -> Worker:
        """Return a process that waits, or a new one."""
        with self._lock:
            while self._idle:
                worker = self._idle.pop()
                if worker.is_alive:
                    return worker
                worker.end()
        return Worker()

    def give_back(self, worker: Worker) -> None:
        """Keep a process for the next query, unless it holds too much memory."""
        if worker.memory > KEPT_MEMORY:
            worker.end()
            return
        with self._lock:
            self._idle.append(worker)


WORKERS = Workers()


def run_apart(
    statement: Statement, lake: Lake, on_plan: Callable[[int], None], is_wanted: Callable[[], bool]
) -> Answer:
    """Run a statement in a separate process, within Athena's limits.

    Args:
        statement: what to run.
        lake: what the process may ask for.
        on_plan: called with the bytes that will be scanned; what it raises ends the query.
        is_wanted: Returns whether a caller still waits for the answer.

    Raises:
        QueryError: the query's own error, EXCEEDED_MEMORY_LIMIT or EXCEEDED_TIME_LIMIT.
        AwsError: a refusal.
        CancelledError: if the answer was not wanted any more.
    """
    worker = WORKERS.take()
    try:
        worker.connection.send(statement)
        answer = _served(worker, lake, on_plan, is_wanted)
    except BaseException:
        worker.end()
        raise
    WORKERS.give_back(worker)
    if isinstance(answer, Failure):
        raise error_of(answer)
    return answer


def _served(
    worker: Worker, lake: Lake, on_plan: Callable[[int], None], is_wanted: Callable[[], bool]
) -> Answer | Failure:
    """Answer a process's requests until it has its result."""
    deadline = time.monotonic() + TIME_LIMIT_S
    targets: dict[str, Any] = {"catalog": lake.catalog, "directory": lake.directory, "guard": lake.guard}
    while True:
        _check_limits(worker, deadline, is_wanted)
        if not worker.connection.poll(POLL_S):
            continue
        try:
            message = worker.connection.recv()
        except (EOFError, OSError) as error:
            raise QueryError("INTERNAL_ERROR", "the process that ran the query ended") from error
        if not isinstance(message, Request):
            return message  # type: ignore[no-any-return]
        if message.target == "plan":
            on_plan(*message.values)
            worker.connection.send(None)
        else:
            worker.connection.send(_called(targets[message.target], message))


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
