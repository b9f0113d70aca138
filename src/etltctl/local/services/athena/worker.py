"""The process that runs queries: DuckDB and Python functions apart from the server, so that both can be ended.

A query asks the server for what only the server has: the catalog, S3, and who may see what.
"""

from __future__ import annotations

import ctypes
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

PARENT_CHECK_S = 1.0
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Statement:
    """What a worker is to run."""

    sql: str
    parameters: Sequence[str]
    database: str
    caller: str
    is_guarded: bool
    workgroup: str = "primary"
    output: str = ""


@dataclass(frozen=True)
class Request:
    """A call that the server is to make: a method of `catalog`, `directory`, `guard` or `saved`, or `plan`."""

    target: str
    method: str
    values: tuple[Any, ...]


@dataclass(frozen=True)
class Failure:
    """An error that crosses the processes: its class, and what makes it again."""

    kind: str
    values: tuple[Any, ...]


class StoppedError(Exception):
    """The server ended the query while it ran: its workgroup's limit, for example."""


class _Remote:
    """An object of the server. A method called here is called there."""

    def __init__(self, connection: Connection, target: str, calling: threading.Lock) -> None:
        self._connection, self._target, self._calling = connection, target, calling

    def __getattr__(self, method: str) -> Callable[..., Any]:
        def called(*values: Any) -> Any:
            # Iceberg's library reads and writes files in threads, and an answer belongs to the call before it.
            with self._calling:
                self._connection.send(Request(self._target, method, values))
                answer = self._connection.recv()
            if isinstance(answer, Failure):
                raise error_of(answer)
            return answer

        return called


def failure_of(error: Exception) -> Failure:
    """Return an error as it crosses the processes."""
    from etltctl.local.kernel.json_protocol import AwsError
    from etltctl.local.services.athena.dialect import QueryError

    if isinstance(error, QueryError):
        return Failure("query", (error.code, error.message))
    if isinstance(error, AwsError):
        return Failure("aws", (error.code, error.message, error.status))
    if isinstance(error, MemoryError):
        return Failure("query", ("EXCEEDED_MEMORY_LIMIT", "Query exceeded the memory limit"))
    if isinstance(error, OSError | ValueError):
        return Failure("value", (str(error),))
    return Failure("stopped", (f"{type(error).__name__}: {error}",))


def error_of(failure: Failure) -> Exception:
    """Return the QueryError of a failure."""
    from etltctl.local.kernel.json_protocol import AwsError
    from etltctl.local.services.athena.dialect import QueryError

    kinds: dict[str, type[Exception]] = {"query": QueryError, "aws": AwsError, "value": ValueError}
    return kinds.get(failure.kind, StoppedError)(*failure.values)


def perform(statement: Statement, connection: Connection) -> Any:
    """Run a statement and return its answer, or its failure."""
    import duckdb

    from etltctl.local.services.athena import statements
    from etltctl.local.services.athena.tables import Lake

    calling = threading.Lock()
    catalog, directory, guard, plan, saved = (
        _Remote(connection, name, calling) for name in ("catalog", "directory", "guard", "plan", "saved")
    )
    lake = Lake(catalog, directory, guard if statement.is_guarded else None, statement.caller)  # type: ignore[arg-type]
    try:
        with duckdb.connect() as engine:
            execution = statements.Execution(
                statement.sql,
                statement.parameters,
                statement.database,
                engine,
                lake,
                plan.note,
                statement.workgroup,
                statement.output,
                saved,
            )
            return statements.perform(execution)
    except duckdb.Error as error:
        return Failure("value", (str(error).splitlines()[0],))
    except Exception as error:  # noqa: BLE001 the server reports it; this process lives on
        return failure_of(error)


def main(descriptor: int, server: int) -> None:
    """Run statements until the server is gone.

    Args:
        descriptor: the socket to the server.
        server: the process id of the server.
    """
    _end_with(server)
    connection = Connection(descriptor)
    while True:
        try:
            statement = connection.recv()
            connection.send(perform(statement, connection))
        except (EOFError, OSError):
            os._exit(0)  # DuckDB's threads need no farewell


def _end_with(server: int) -> None:
    """End this process when the server is gone, even in the middle of a query."""
    # A call that never gives Python's lock back stops every thread, so Linux itself must end the process.
    with suppress(OSError, AttributeError):  # other systems have no such call
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)

    def watch() -> None:
        while os.getppid() == server:
            time.sleep(PARENT_CHECK_S)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
