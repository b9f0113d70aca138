"""Reading a folder whose objects another process may replace meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from etltctl.errors import RETRY, AlreadyRunningError, ServiceError
from etltctl.waiting import REAL_TIME, timekeeper

T = TypeVar("T")

REPLACED = frozenset(
    {"NoSuchKey", "PreconditionFailed"}
)  # the errors of reading a listed object that is gone
PAUSES_S = (0.2, 0.5, 1.0, 2.0, 4.0)  # a sync deletes the files of the one before within a second or two


def settled(read: Callable[[], T], name: str) -> T:
    """Return what `read` returns, and call it again where an object vanished between its listing and its reading.

    Args:
        read: Lists the folder and reads its objects.
        name: The table, to name it in an error.

    Raises:
        AlreadyRunningError: Objects still vanish after every attempt.
    """
    for pause in PAUSES_S:
        try:
            return read()
        except ServiceError as error:
            if error.code not in REPLACED:
                raise
        (timekeeper.get() or REAL_TIME).sleep(pause)
    try:
        return read()
    except ServiceError as error:
        if error.code not in REPLACED:
            raise
        raise AlreadyRunningError(
            f"the files of {name} are replaced while they are read: another sync or job writes there",
            hint=f"wait for it: etltctl runs list names it, etltctl runs watch RUN follows it; then: {RETRY}",
            **error.facts,
        ) from error
