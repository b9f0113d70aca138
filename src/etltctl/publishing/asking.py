"""The questions of one audit to Athena: a few at once, and none goes on when the audit is at its end."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from threading import Event
from typing import Any, TypeVar

from etltctl.athena import Athena, typed
from etltctl.errors import EtltctlError
from etltctl.runs import QueryExecution, Verb

T = TypeVar("T")

AT_ONCE = 4
LOOK_S = 1.0  # so long, at most, a thread sleeps that nobody waits for any more


@dataclass
class Questions:
    """Queries that are started once for `run_key`; those under way are known, to be cancelled together."""

    athena: Athena
    run_key: str = ""
    _under_way: dict[str, None] = field(default_factory=dict)
    _over: Event = field(default_factory=Event)

    def ask_all(self, ask: Callable[[str], T], names: Sequence[str]) -> list[T]:
        """What `ask` says of each name, a few at once.

        The first error, or an interrupt, cancels every query that goes on; an interrupt does not wait for the threads.
        """
        workers = ThreadPoolExecutor(AT_ONCE)
        try:
            return list(workers.map(ask, names))
        except BaseException as error:
            self._cancel()
            workers.shutdown(wait=isinstance(error, Exception), cancel_futures=True)
            raise
        finally:
            workers.shutdown(wait=False)

    def rows(self, sql: str, database: str, *told: str) -> list[Mapping[str, Any]]:
        """The rows of the query; `told` is what its answer depends on beyond its words."""
        self._require_going_on()
        key = "\0".join([self.run_key, *told]) if self.run_key else uuid.uuid4().hex
        execution = self._runner.run(sql, key, database=database)
        columns = self._runner.columns(execution.id)
        return [
            {column.name: typed(text, column.type) for column, text in zip(columns, row, strict=True)}
            for row in self._runner.rows(execution.id, columns)
        ]

    @cached_property
    def _runner(self) -> Athena:
        waiter = replace(self.athena.waiter, longest=LOOK_S, sleep=self._sleep)
        return replace(self.athena, waiter=waiter, on_start=self._started, on_run=self._ended)

    def _started(self, query_id: str) -> None:
        self._under_way[query_id] = None
        if self._over.is_set():  # it was sent before the end, and answered after
            self._cancel()
        self._require_going_on()

    def _ended(self, verb: Verb, execution: QueryExecution) -> None:
        self._under_way.pop(execution.id, None)
        if self.athena.on_run:
            self.athena.on_run(verb, execution)

    def _sleep(self, seconds: float) -> None:
        self.athena.waiter.sleep(seconds)
        self._require_going_on()

    def _require_going_on(self) -> None:
        if self._over.is_set():
            raise CancelledError

    def _cancel(self) -> None:
        self._over.set()
        for query_id in list(self._under_way):
            with suppress(EtltctlError):  # what Athena does not stop ends by itself
                self.athena.cancel(query_id)
