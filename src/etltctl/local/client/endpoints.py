"""Find the embedded server of a state folder or start it, hold it while a command works, and say how to reach it."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from logging import getLogger
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from etltctl.errors import ConfigurationError, command
from etltctl.local.client.launch import build_of, check_installed, find_or_start
from etltctl.local.client.lease import Lease
from etltctl.local.client.live_server import Server, find_live
from etltctl.local.client.stack import describe_stack
from etltctl.local.kernel.keys import config_file
from etltctl.local.kernel.state_folder import check_owner
from etltctl.settings.environments import PREFIX

if TYPE_CHECKING:
    from etltctl.settings import Settings


log = getLogger(__name__)

REGION = "us-east-1"
# The endpoints that the environment of this process leads to (all threads share it), and its values before the first.
_LEADING = Lock()
_LED: list[Endpoints] = []
_BEFORE: dict[str, str] = {}


@dataclass(frozen=True)
class Endpoints:
    """How to reach the embedded services: as values for this process, and as variables for other ones.

    Attributes:
        server: The server.
        environ: The variables that lead another process to the services.
        started: Whether this process started the server.
        warnings: The state files that the server could not read and has set aside.
        values: The settings that lead to the services, as tables within tables.
    """

    server: Server
    environ: Mapping[str, str] = field(repr=False)
    started: bool = False
    warnings: tuple[str, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def settings_of(self, settings: Settings) -> Settings:
        """Return the settings with these services within reach. The process's environment stays as it is."""
        from etltctl.settings.environment import AwsEndpoint

        server, keys = self.server, self.server.require_keys()
        file = str(config_file(server.state))
        endpoint = AwsEndpoint(server.url, keys.access_key_id, keys.secret_access_key, file)
        return settings.overlaid(self.values, endpoint)

    def keep(self) -> None:
        """Let the server run on after the command has ended."""
        self.server.request("POST", "/_etltctl/keep", {"keep": True})

    def apply_to(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the environment with these endpoints in it and nothing of any real AWS account."""
        # A session token or an endpoint of a single service would outweigh what is added here.
        kept = {name: value for name, value in environ.items() if not _leads_elsewhere(name)}
        return {**kept, **self.environ}

    @contextmanager
    def lead(self, environ: MutableMapping[str, str]) -> Iterator[None]:
        """Lead the environment here within the block, for a test's own clients.

        After the last of overlapping blocks it is as it was.
        """
        with _LEADING:
            if not _LED:
                # Only the first block sees the true environment; a later one sees what an open block has set.
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
def endpoints(
    settings: Settings,
    environ: Mapping[str, str],
    tell: Callable[[str], None] = log.warning,
    *,
    lingers: bool = False,
    next_jobs: Collection[str] = (),
) -> Iterator[Endpoints]:
    """Find the embedded server or start it, make the project's stack exist on it, and hold it for the block.

    A server that dies within the block is started again. A server that this starts ends with the block, so that a
    program leaves no process behind; one that lingers after a command of etltctl lingers again.

    Args:
        settings: Where the server keeps its data, and what must exist on it.
        environ: The environment's variables.
        tell: Called with a message when the server has been started again.
        lingers: Whether the server stays up for `local.linger_minutes` after the block.
        next_jobs: The Glue jobs that are about to run, for which the server gets ready.

    Raises:
        ConfigurationError: The extra `local` is missing, or the server cannot start.
    """
    check_installed()
    # Described before a server starts: settings that are wrong need none.
    stack = describe_stack(settings, environ, next_jobs)
    if lingers:
        stack["linger_s"] = settings.local.linger_minutes * 60
    state = state_folder(settings)
    with Lease(
        partial(find_or_start, state, settings.local.port, build_of(environ)),
        lambda server: dict(server.request("POST", "/_etltctl/stack", stack)),
        tell,
    ) as lease:
        values = _values(lease.server, lease.stack)
        warnings = tuple(lease.stack.get("damages", ()))
        yield Endpoints(lease.server, _environ(lease.server, values), lease.started, warnings, values)


def find_server(settings: Settings) -> Server | None:
    """Return the live server of the settings' state folder, if there is one.

    Raises:
        ConfigurationError: The folder is another user's.
    """
    state = state_folder(settings)
    check_owner(state)
    return find_live(state)


def keep_server(settings: Settings, environ: Mapping[str, str]) -> Endpoints:
    """Start the server, or find it, and let it run on after the command has ended."""
    with endpoints(settings, environ) as reached:
        reached.keep()
        return reached


def environ_of(settings: Settings, environ: Mapping[str, str]) -> Mapping[str, str]:
    """Return the variables that lead any client to the server that runs.

    Besides etltctl's own they hold Airbyte's address and credentials under short names, for other programs.

    Raises:
        ConfigurationError: No server runs in the state folder.
    """
    if find_server(settings) is None:
        raise ConfigurationError(
            f"no embedded server runs for the state folder {state_folder(settings)}",
            hint=command("local", "up"),
        )
    with endpoints(settings, environ) as reached:
        short = {
            f"AIRBYTE_{name}": reached.environ[f"{PREFIX}AIRBYTE__{name}"]
            for name in ("URL", "CLIENT_ID", "CLIENT_SECRET")
        }
        # Other programs still need the user's proxy for other hosts, so its exceptions are kept.
        direct = {name: _with_this_machine(environ.get(name, "")) for name in ("NO_PROXY", "no_proxy")}
        return {**reached.environ, **direct, **short}


def misleading(environ: Mapping[str, str]) -> list[str]:
    """Return the variables of an environment that lead elsewhere, or add to the keys what is not theirs."""
    return sorted(name for name in environ if _leads_elsewhere(name) and name != "AWS_ENDPOINT_URL")


def state_folder(settings: Settings) -> Path:
    """Return where the embedded lake lives; raise ConfigurationError if `state` is not a folder."""
    if "://" in settings.state:
        raise ConfigurationError(
            f"state = {settings.state!r} is not a folder, which the embedded endpoints need",
            hint='set state = ".etltctl" in [env.local], or choose another environment with --env',
        )
    return Path(settings.state).resolve()


def _values(server: Server, stack: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that lead to the services."""
    connections = stack["connections"].items()
    return {
        "aws": {"profile": None, "region": REGION},
        "airbyte": {"url": f"{server.url}/airbyte/v1", **stack["airbyte"]},
        "sources": {name: {"connection_id": identifier} for name, identifier in connections},
    }


def _environ(server: Server, values: Mapping[str, Any]) -> dict[str, str]:
    """Return the variables that lead another process to the services."""
    airbyte = {f"{PREFIX}AIRBYTE__{name.upper()}": value for name, value in values["airbyte"].items()}
    connections = {
        f"{PREFIX}SOURCES__{name.upper()}__CONNECTION_ID": source["connection_id"]
        for name, source in values["sources"].items()
    }
    return {
        "AWS_ENDPOINT_URL": server.url,
        **(server.keys.environ if server.keys else {}),
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": str(config_file(server.state)),
        # A profile named `default` in the user's file would otherwise add a token to these keys.
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        # Clients read either spelling, and a proxy could not reach this machine's loopback.
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
        **airbyte,
        **connections,
    }


def _become(environ: MutableMapping[str, str], target: Mapping[str, str]) -> None:
    # Updated first and pruned after, so that no other thread sees an environment without keys.
    environ.update(target)
    for name in set(environ) - set(target):
        del environ[name]


def _with_this_machine(hosts: str) -> str:
    """Return the hosts that no proxy stands before, with this machine among them."""
    named = [host for host in hosts.split(",") if host]
    return ",".join(dict.fromkeys([*named, "127.0.0.1"]))


def _leads_elsewhere(name: str) -> bool:
    return name.startswith("AWS_ENDPOINT_URL") or name in {
        "AWS_PROFILE",
        "AWS_DEFAULT_PROFILE",
        "AWS_SESSION_TOKEN",
    }
