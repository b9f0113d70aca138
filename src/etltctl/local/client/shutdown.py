"""End the embedded server for certain: in good order, then by force, with everything it has started."""

from __future__ import annotations

import fcntl
import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from etltctl.errors import ConfigurationError, UnreachableError
from etltctl.local.client.endpoints import find_server, state_folder
from etltctl.local.client.launch import OTHER_PLACE
from etltctl.local.client.live_server import described
from etltctl.local.kernel.processes import descendants, is_alive, send, start_times, still, wait_until
from etltctl.local.kernel.state_folder import check_owner

if TYPE_CHECKING:
    from etltctl.settings import Settings

STOP_TIMEOUT_S = 25.0  # longer than the server's own limit, after which it kills what it has started
SILENT_STOP_TIMEOUT_S = 5.0  # of a server that does not answer
KILL_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Stopped:
    """A server that was ended; `killed` if it did not end by itself. The URL is empty if its description was gone."""

    pid: int
    url: str
    killed: bool


def stop_server(settings: Settings) -> Stopped | None:
    """End the server and what it started; return the one that ran, if any did.

    The lock on `serving` shows whether a server lives, even one that does not answer. A server that another command
    starts meanwhile belongs to that command, and goes on.

    Args:
        settings: Where the server keeps its data.

    Raises:
        ConfigurationError: A server lives and cannot be ended.
    """
    state = state_folder(settings)
    check_owner(state)
    pid = _holder(state)
    if pid is None:
        return None
    last_told, server = described(state), find_server(settings)
    # The folder may have a new server since its holder was read. It must not get the request to end.
    if server is not None and server.pid != pid:
        server = None
    # Noted now, because a process that loses its parent can no longer be found as its descendant.
    seen = start_times([pid, *descendants(pid)])
    try:
        if server is not None:
            with suppress(UnreachableError):  # it may end before it has answered
                server.request("POST", "/_etltctl/shutdown", timeout=5.0)
        else:
            send([pid], signal.SIGTERM)
        limit = STOP_TIMEOUT_S if server is not None else SILENT_STOP_TIMEOUT_S
        ended = wait_until(lambda: _has_ended(state, pid), limit)
        if not ended:
            # An id that was seen before the wait may belong to another program by now.
            left = set(still(seen)) if seen else {pid}
            send(left | set(descendants(pid) if pid in left else ()), signal.SIGKILL)
    except PermissionError as error:
        raise ConfigurationError(
            f"the embedded server of {state} (pid {pid}) belongs to another user and cannot be ended",
            hint=f"as that user or as root: kill {pid}",
        ) from error
    if not ended and not wait_until(lambda: _holder(state) != pid, KILL_TIMEOUT_S):
        raise ConfigurationError(
            f"the embedded server of {state} (pid {pid}) was killed and has not ended",
            hint=f"look at it: ps -o pid,stat,wchan,args -p {pid}",
        )
    url = last_told.url if last_told is not None and last_told.pid == pid else ""
    return Stopped(pid, url, killed=not ended)


def _has_ended(state: Path, pid: int) -> bool:
    """Return whether this server has ended. Another one may hold the state folder by now."""
    return _holder(state) != pid and not is_alive(pid)


def _holder(state: Path) -> int | None:
    """Return the process id of the server that holds the state folder; None if no server lives."""
    try:
        with (state / "server" / "serving").open("r+") as claim:
            try:
                # The lock cannot be stale, unlike the process id in the file.
                fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                text = claim.read().strip()
                last_told = described(state)
                return int(text) if text.isdigit() else last_told.pid if last_told else None
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError(f"cannot use {state}: {error.strerror}", hint=OTHER_PLACE) from error
    return None
