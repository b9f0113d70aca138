"""The embedded server: one process on 127.0.0.1 that lives while commands use it and some minutes longer."""

from __future__ import annotations

import argparse
import fcntl
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping
from logging import FileHandler, Formatter, getLogger
from pathlib import Path
from typing import IO, TYPE_CHECKING

from etltctl.errors import ConfigurationError
from etltctl.local.kernel.hosts import raise_open_files
from etltctl.local.kernel.state_files import FOLDERS, remove_leftovers
from etltctl.local.kernel.state_folder import prepare_folder
from etltctl.local.server.application import NO_SERVICES
from etltctl.local.server.process import ServerProcess

if TYPE_CHECKING:
    from etltctl.local.server.application import MakeService

CLAIM_S = 10.0
CANNOT_START = 2


def main(argv: list[str] | None = None, *, further_services: Mapping[str, MakeService] = NO_SERVICES) -> int:
    """Serve until a request or the last lease ends the server.

    Args:
        argv: The command line; that of this process if it is None.
        further_services: Services to play as well, as `Application` takes them.

    Returns:
        The exit status.
    """
    options = _parse(argv)
    if _is_orphan(options.starter):
        return CANNOT_START
    # Before the first file is written.
    os.umask(0o077)  # what the server and its jobs write is its user's alone
    raise_open_files()
    state = options.state.resolve()
    try:
        prepare_folder(state)
    except ConfigurationError as error:
        sys.stderr.write(f"{error}\n")
        return CANNOT_START
    # Errors before this line reach the starter through stderr, which it shows to the user.
    _log_to(state / "server" / "server.log")
    with (state / "server" / "serving").open("a+") as claim:
        # A lock on one inode: a folder that is copied or made again has another one.
        if not _claim(claim, options.starter):
            claim.seek(0)
            sys.stderr.write(f"another server (pid {claim.read() or '?'}) is using {state}\n")
            return CANNOT_START
        # Only now: the id of the server before was needed for the refusal.
        claim.truncate(0)
        claim.write(str(os.getpid()))
        claim.flush()
        remove_leftovers(*(state / name for name in FOLDERS))
        return _serve(state, options, further_services)


def _serve(state: Path, options: argparse.Namespace, further_services: Mapping[str, MakeService]) -> int:
    try:
        listener = socket.create_server(("127.0.0.1", options.port))
    except OSError as error:
        sys.stderr.write(
            f"port {options.port} of 127.0.0.1 cannot be used: {os.strerror(error.errno or 0)}\n"
        )
        return CANNOT_START
    try:
        server = ServerProcess(
            state, listener, options.keep, options.build, options.witness, further_services
        )
    except (RuntimeError, OSError, ConfigurationError) as error:
        sys.stderr.write(f"{error}\n")
        return CANNOT_START
    # Both end the server in good order, as a request does, so that its jobs are recorded as failed.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.lifetime.ending.set())
    server.serve()
    return 0


def _claim(file: IO[str], starter: int) -> bool:
    """Take the state folder unless the starter has ended; a server that is just ending is waited for."""
    deadline = time.monotonic() + CLAIM_S
    while not _is_orphan(starter):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The starter may have ended while this process waited for the lock.
            return not _is_orphan(starter)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
    return False


def _is_orphan(starter: int) -> bool:
    """Return whether the process that started this one has ended; 0 means that no process waits for this one."""
    return starter not in (0, os.getppid())


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m etltctl.local.server", description=__doc__)
    parser.add_argument("--state", type=Path, required=True, help="folder of everything the server keeps")
    parser.add_argument("--port", type=int, default=0, help="0 takes any free one")
    parser.add_argument(
        "--starter", type=int, default=0, help="the parent's id; serve only if it still waits"
    )
    parser.add_argument("--build", default="", help="which etltctl this is, as its starter sees it")
    parser.add_argument("--keep", action="store_true", help="run on without a lease")
    parser.add_argument("--witness", action="store_true", help="check every call against its service's model")
    return parser.parse_args(argv)


def _log_to(path: Path) -> None:
    log = getLogger("etltctl.local")
    handler = FileHandler(path)
    # In UTC, as the jobs' logs are, so that the lines of one incident can be put in order.
    formatter = Formatter("%(asctime)sZ %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handler.setFormatter(formatter)
    log.addHandler(handler)
    log.setLevel("INFO")
    log.propagate = False


if __name__ == "__main__":
    sys.exit(main())
