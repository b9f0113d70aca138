"""The right to publish a table, which one process has at a time: a lease in S3 for all tables of a job."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from etltctl.errors import RETRY, AlreadyRunningError, NextStep
from etltctl.ledger.leases import IsLost, LeaseObject
from etltctl.publishing.context import LakeContext
from etltctl.values import TableName
from etltctl.waiting import Waiter

POLL_S = 1.0  # a publish takes seconds, so a process that waits for one polls often
LAPSES_AFTER_S = 60.0


@dataclass(frozen=True)
class TableLock:
    """The lock on tables of the lake.

    Attributes:
        context: The lake.
        watch: How long a lock may be silent before its holder counts as dead.
    """

    context: LakeContext
    watch: Waiter = field(default_factory=lambda: Waiter(timeout=LAPSES_AFTER_S, longest=POLL_S))

    @contextmanager
    def held(self, tables: Sequence[TableName]) -> Iterator[Callable[[], None]]:
        """Keep other processes from publishing these tables inside the block.

        Args:
            tables: The tables.

        Yields:
            A check to call before each switch: it raises AlreadyRunningError once another process has the lock.

        Raises:
            AlreadyRunningError: Another process publishes one of the tables.
        """
        names = list(map(str, tables))
        # A lease can lapse while this process sleeps or is cut off, so holding it once is not enough.
        lost: list[IsLost] = []

        def require_held() -> None:
            if any(is_lost() for is_lost in lost):
                raise _overtaken(names)

        with ExitStack() as leases:
            # Sorted, because two publishers that took two locks in different orders would wait for each other.
            for lock in sorted({self.context.places.lock(table) for table in tables}):
                what = f"{', '.join(names[:3])}{' …' if len(names) > 3 else ''}: being published"
                lease = LeaseObject(self.context.s3.aws, lock.bucket, lock.key, "", self.watch, what)
                lost.append(leases.enter_context(lease.held()))
            yield require_held


def _overtaken(tables: Sequence[str]) -> AlreadyRunningError:
    return AlreadyRunningError(
        f"{', '.join(tables[:3])}: the publish was taken over by another process while this one slept or was cut off",
        hint=NextStep("let it finish, then: ", RETRY),
    )
