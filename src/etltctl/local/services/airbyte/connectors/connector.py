"""A connector, ready to run: each verb of the protocol as a child process, with its log and its private folder."""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from etltctl.local.kernel.state_files import write_atomically
from etltctl.local.services.airbyte.connectors.child_environment import connector_environ
from etltctl.local.services.airbyte.connectors.environment import Environments
from etltctl.local.services.airbyte.connectors.installers import python_of
from etltctl.local.services.airbyte.connectors.logs import ConnectorLog
from etltctl.local.services.airbyte.connectors.masks import Mask, secret_values
from etltctl.local.services.airbyte.connectors.process import ConnectorProcess, Launch
from etltctl.local.services.airbyte.connectors.protocol import (
    Catalog,
    ConfigUpdate,
    ConnectionStatus,
    ErrorTrace,
    LogLine,
    Message,
    ProtocolError,
    Specification,
    parse,
)
from etltctl.local.services.airbyte.connectors.recipe import Recipe
from etltctl.local.services.airbyte.records import FailureKind, Pause, SyncError

T = TypeVar("T", bound=Message)
SPECIFICATION = (
    "specification.json"  # in the environment of a package: the answer to `spec` is always the same
)


def _ignore(config: Mapping[str, Any]) -> None:
    """Keep no configuration."""


@dataclass(frozen=True)
class Workshop:
    """What all connectors of one server share: their environments, and where private folders and logs lie."""

    folder: Path
    environ: Mapping[str, str] = field(repr=False)

    @property
    def environments(self) -> Environments:
        """The environments."""
        return Environments(self.folder / "environments", self.environ)

    @property
    def private(self) -> Path:
        """The folder of the private folders."""
        return self.folder / "private"

    def log_file(self, name: str) -> Path:
        """Return the file of a source's log, which holds that of its last sync."""
        # A connection that was made over the API may have any name.
        return self.folder / "logs" / f"{re.sub(r'[^A-Za-z0-9_.-]', '_', name)}.log"

    def clear(self) -> None:
        """Delete what syncs of a server that was killed have left: their configurations hold secrets."""
        shutil.rmtree(self.private, ignore_errors=True)


class Connector:
    """One connector with one configuration, for one sync."""

    def __init__(
        self,
        recipe: Recipe,
        config: Mapping[str, Any],
        workshop: Workshop,
        mask: Mask,
        log: ConnectorLog,
        pause: Pause,
        quiet_s: float,
        on_config: Callable[[Mapping[str, Any]], None] = _ignore,
    ) -> None:
        """Make the connector with a private folder; nothing is started yet.

        Args:
            recipe: How it is installed and started.
            config: Its configuration.
            workshop: What the connectors of the server share.
            mask: Puts stars in the place of secrets.
            log: Its log.
            pause: Sleeps, and raises SyncCancelledError as soon as the work is cancelled.
            quiet_s: Seconds without a line after which it counts as hanging.
            on_config: Gets a configuration with which the connector wants to be started from now on.
        """
        self._recipe = recipe
        self._config = config
        self._workshop = workshop
        self._quiet_s = quiet_s
        self._pause = pause
        self._on_config = on_config
        self.mask = mask
        self.log = log
        workshop.private.mkdir(parents=True, exist_ok=True)
        self.folder = Path(tempfile.mkdtemp(dir=workshop.private))  # of mode 0700
        self._environment: Path | None = None
        self._schema: Mapping[str, Any] = {}

    def prepare(self) -> None:
        """Make the environment if need be, and learn which values are secrets before the connector says anything.

        Raises:
            SyncError: It cannot be made, or the connector has no specification.
        """
        self._environment = self._recipe.environment(
            self._workshop.environments, self._pause, self.log.report
        )
        self._schema = self._specification(self._environment)
        self.mask.add(secret_values(self._config, self._schema))
        self._write("config.json", self._config)

    def check(self) -> None:
        """Ask the connector whether it can work with its configuration. Raises SyncError with its reason."""
        status = self._answer("check", ConnectionStatus)
        if not status.is_good:
            raise self.failure(
                f"the connector's check failed: {status.text or 'no reason given'}", FailureKind.CONFIG
            )

    def discover(self) -> Sequence[Mapping[str, Any]]:
        """Return the streams that the connector has. Raises SyncError."""
        return self._answer("discover", Catalog).streams

    @contextmanager
    def reading(
        self, catalog: Mapping[str, Any], states: Sequence[Mapping[str, Any]]
    ) -> Iterator[ConnectorProcess]:
        """Start `read` and give its process.

        Args:
            catalog: The streams to read.
            states: The states from which they are read on; empty for all of them from the beginning.
        """
        self._write("catalog.json", catalog)
        files = ["--catalog", "catalog.json"]
        if states:
            self._write("state.json", states)
            files += ["--state", "state.json"]
        with self._started("read", *files) as process:
            yield process

    def failure(self, text: str, kind: FailureKind) -> SyncError:
        """Build the error for a text of the connector: masked, on one line, with the place of the log.

        Args:
            text: What the connector said.
            kind: Who has to act on it.
        """
        self.log.close()
        said = " ".join(self.mask(text).split())
        return SyncError(f"{said}; the connector's log is {self.log.file}", kind)

    def close(self) -> None:
        """Delete the private folder."""
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _specification(self, environment: Path) -> Mapping[str, Any]:
        known = self._recipe.specification()
        if known is not None:
            return known
        kept = environment / SPECIFICATION
        if not kept.is_file():
            write_atomically(kept, json.dumps(dict(self._answer("spec", Specification).schema)).encode())
        schema: Mapping[str, Any] = json.loads(kept.read_bytes())
        return schema

    def _answer(self, verb: str, kind: type[T]) -> T:
        """Return the one message that a verb answers with; raise SyncError if it answers with none."""
        answer: T | None = None
        error: ErrorTrace | None = None
        with self._started(verb) as process:
            for line in process.lines():
                message = self.understood(line)
                if isinstance(message, kind):
                    answer = message
                error = error or (message if isinstance(message, ErrorTrace) else None)
            code = process.wait()
        if answer is not None:
            return answer
        if error is not None:
            raise self.failure(f"the connector's {verb} failed: {error.text}", error.kind)
        raise self.failure(f"the connector's {verb} {ended(code, process)}", FailureKind.SYSTEM)

    def understood(self, line: bytes) -> Message:
        """Return the message of a line, and put what belongs into the log there. Raises SyncError."""
        try:
            message = parse(line)
        except ProtocolError as error:
            raise self.failure(str(error), FailureKind.SYSTEM) from error
        if isinstance(message, LogLine):
            self.log.add(message.level, message.text)
        elif isinstance(message, ConfigUpdate):
            self._change_config(message.config)
        elif isinstance(message, ErrorTrace):
            self.log.add("ERROR", f"{message.text}\n{message.details}".rstrip())
        return message

    def _change_config(self, config: Mapping[str, Any]) -> None:
        """Keep a configuration that the connector changed, before it says anything that holds one of its secrets."""
        self.mask.add(secret_values(config, self._schema))
        self._config = config
        # For the next verb of this work; the running one knows it.
        self._write("config.json", config)
        self._on_config(config)
        self.log.add("INFO", "the connector changed its configuration, which is kept for its next start")

    @contextmanager
    def _started(self, verb: str, *files: str) -> Iterator[ConnectorProcess]:
        assert self._environment is not None, "prepare comes first"
        begin = self._recipe.command(python_of(self._environment), self.folder, verb)
        config = [] if verb == "spec" else ["--config", "config.json"]
        environ = {**connector_environ(self._workshop.environ, self.folder), **self._recipe.variables()}
        launch = Launch([*begin, *config, *files], environ, self.folder)
        name = "the connector" if verb == "read" else f"the connector's {verb}"
        process = ConnectorProcess(
            launch, self._pause, self._keep_error_line, name=name, quiet_s=self._quiet_s
        )
        try:
            yield process
        finally:
            process.end()

    def _keep_error_line(self, line: bytes) -> None:
        self.log.add("STDERR", line.decode(errors="replace"))

    def _write(self, name: str, content: Any) -> None:
        """Write a file that only its owner can read, before there is anything in it."""
        descriptor = os.open(self.folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(content, file)


def ended(code: int, process: ConnectorProcess) -> str:
    """Return how a process ended without the word that was due, with its last line of standard error.

    Args:
        code: The exit code of the process; the negative number of a signal that ended it.
        process: The process.
    """
    how = f"ended with exit code {code}" if code >= 0 else f"was ended by signal {-code}"
    last = process.last_lines[-1].decode(errors="replace").strip() if process.last_lines else ""
    return f"{how}: {last}" if last else f"{how} and gave no reason"
