"""The files that hold the embedded server's state: written whole, checked when read, set aside when damaged."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from logging import getLogger
from pathlib import Path
from threading import Lock, Timer
from typing import Any, TypeVar

T = TypeVar("T")

DAMAGED = ".damaged-"  # between a file's name and the time at which it was set aside
LEFTOVER = re.compile(r"\..+-[a-z0-9_]{8}|.+\.new")  # a write that a crash or a full disk cut off
RETRY_S = 2.0
FOLDERS = ("", "server", "airbyte", "glue/runs", "athena")  # of a state folder: where state files lie
# The exceptions that well-formed JSON of another shape raises when it is parsed.
MISSHAPEN = (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError)

_AWS = (
    "the catalog, job definitions, roles and secrets start empty. The data of the tables is safe: "
    "`etltctl athena refresh` makes the catalog again from it"
)
# By the name of the file: what its loss means, and the command that brings it back.
WAYS_BACK = {
    "aws.json": _AWS,
    "moto.pickle": _AWS,
    "credentials.json": (
        "new credentials were made; commands of etltctl take them by themselves, other clients need the new ones"
    ),
    "jobs.json": "the history of syncs starts again; the next sync works as before",
    "lakeformation.json": (
        "its grants, tags and row filters are gone, and only the owner of this machine sees the tables until "
        "`etltctl govern apply` makes those of the settings again"
    ),
    "resources.json": (
        "sources, destinations and connections that were made over the API are gone; "
        "`etltctl connections apply` makes those of the settings again"
    ),
}
OF_ONE_RUN = "one job run or query is no longer listed; no table depends on it"

log = getLogger(__name__)


@dataclass(frozen=True)
class Damage:
    """A state file that could not be read, and where it is now."""

    file: Path
    aside: Path
    reason: str

    def __str__(self) -> str:
        what = f"{self.file} is damaged ({self.reason}) and was set aside as {self.aside.name}"
        return f"{what}; {way_back(self.file.name)}"


_DAMAGES: list[Damage] = []  # of this process, in the order in which they were met


def way_back(name: str) -> str:
    """Return what the loss of the file of this name means, and the command that brings its content back."""
    return WAYS_BACK.get(name, OF_ONE_RUN)


def damages(state: Path) -> list[Damage]:
    """Return what this process has set aside below the folder."""
    return [damage for damage in _DAMAGES if damage.file.is_relative_to(state)]


def write_atomically(path: Path, content: bytes, *, sync: bool = True) -> None:
    """Replace the file as a whole; only its owner can read it.

    Readers and a crash see the old content or the new one. With `sync` the content also survives a loss of power.

    Raises:
        OSError: the content could not be written; the file is as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            if sync:
                os.fsync(stream.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    if sync:
        _sync_folder(path.parent)


def read_json(path: Path, parse: Callable[[Any], T]) -> T | None:
    """Return what `parse` makes of the file's JSON; None if there is no file, or if it is damaged.

    A damaged file is set aside.

    Args:
        path: The file.
        parse: Takes the JSON apart; any of `MISSHAPEN` means that the file is damaged.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        return parse(json.loads(content))
    except MISSHAPEN as error:
        set_aside(path, f"{type(error).__name__}: {error}")
        return None


def set_aside(path: Path, reason: str) -> Path:
    """Rename a damaged file, so that it blocks nothing and is not lost, and report it."""
    at = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    aside = path.with_name(f"{path.name}{DAMAGED}{at}")
    path.rename(aside)
    damage = Damage(path, aside, reason)
    _DAMAGES.append(damage)
    log.error("%s", damage)
    return aside


def find_set_aside(state: Path) -> list[Path]:
    """Return every file below the state folder that was set aside and is still there, oldest first."""
    aside = [path for name in FOLDERS for path in (state / name).glob(f"*{DAMAGED}*")]
    return sorted(aside, key=lambda path: path.name.rpartition("-")[2])


def remove_leftovers(*folders: Path) -> None:
    """Remove the temporary files of writes that never ended. Only for the one process that owns the folders."""
    for folder in folders:
        with suppress(OSError):
            for path in folder.iterdir():
                if LEFTOVER.fullmatch(path.name) and path.is_file():
                    path.unlink(missing_ok=True)


class LateWrites:
    """Writes of what has happened already, so that it cannot be refused: repeated until the disk takes them."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._waiting: dict[Path, bytes] = {}
        self._timer: Timer | None = None

    def write(self, path: Path, content: bytes, *, sync: bool = True) -> None:
        """Write the file now, or as soon as the disk takes it."""
        with self._lock:
            try:
                write_atomically(path, content, sync=sync)
                self._waiting.pop(path, None)
            except OSError as error:
                log.error("%s cannot be written yet: %s", path, error.strerror or error)
                self._waiting[path] = content
                self._schedule()

    def write_now(self, path: Path, content: bytes) -> None:
        """Write the file.

        Raises:
            OSError: the disk does not take it now; it is written as soon as the disk does.
        """
        with self._lock:
            try:
                write_atomically(path, content)
                self._waiting.pop(path, None)
            except OSError:
                self._waiting[path] = content
                self._schedule()
                raise

    def write_or_refuse(self, path: Path, content: bytes) -> None:
        """Write the file in place of any content that still waits.

        Raises:
            OSError: the disk does not take it now; it is not written later either.
        """
        with self._lock:
            write_atomically(path, content)
            self._waiting.pop(path, None)

    def flush(self) -> None:
        """Try what is waiting once more."""
        with self._lock:
            self._timer = None
            for path, content in list(self._waiting.items()):
                try:
                    write_atomically(path, content)
                    del self._waiting[path]
                except OSError:
                    self._schedule()

    def _schedule(self) -> None:
        if self._timer is None:
            self._timer = Timer(RETRY_S, self.flush)
            self._timer.daemon = True
            self._timer.start()


def _sync_folder(folder: Path) -> None:
    with suppress(OSError):  # some file systems cannot; the rename itself has happened
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
