"""What a source hands to a destination: streams with typed columns, records, and the words for what went wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

Record = Mapping[str, Any]
# By the name of each incremental stream, the state that its last sync left; an empty one before its first sync. A
# connector that keeps one state for all of them has it under ALL_STREAMS.
States = Mapping[str, Mapping[str, Any]]
ALL_STREAMS = ""  # in place of the name of a stream, which is never empty
Pause = Callable[[float], None]  # sleeps seconds; raises SyncCancelledError as soon as the sync is cancelled


class Kind(StrEnum):
    """The Airbyte type of a column; JSON is an object without properties or an array without items."""

    STRING = "string"
    NUMBER = "number"
    INTEGER = "integer"
    JSON = "json"
    BOOLEAN = "boolean"
    DATE = "date"
    TIME = "time_with_timezone"
    LOCAL_TIME = "time_without_timezone"
    TIMESTAMP = "timestamp_with_timezone"
    LOCAL_TIMESTAMP = "timestamp_without_timezone"


@dataclass(frozen=True)
class StructOf:
    """An object with properties, in their order."""

    fields: tuple[tuple[str, Column], ...]


@dataclass(frozen=True)
class ListOf:
    """An array whose items have a type."""

    item: Column


@dataclass(frozen=True)
class OneOf:
    """A union of two types or more."""

    options: tuple[Column, ...]


Column = Kind | StructOf | ListOf | OneOf


@dataclass(frozen=True)
class Stream:
    """A stream as configured: its name, its namespace (may be empty) and its columns in order."""

    name: str
    columns: Mapping[str, Column]
    namespace: str = ""


@dataclass(frozen=True)
class Checkpoint:
    """A stream's state after the records before it: what a later sync resumes from, in the source's own words.

    `is_global` says that it is the state of all incremental streams, after the records of the others that came before.
    """

    state: Mapping[str, Any]
    is_global: bool = False


class ConnectorRecord(dict[str, Any]):
    """A record of a connector, with the time of its extraction (ms since 1970) and what the connector changed in it."""

    __slots__ = ("changes", "emitted_at")

    def __init__(
        self, data: Mapping[str, Any], emitted_at: int, changes: Sequence[Mapping[str, str]] = ()
    ) -> None:
        super().__init__(data)
        self.emitted_at = emitted_at
        self.changes = changes


class FailureKind(StrEnum):
    """Airbyte's own classes of failure: who has to act."""

    CONFIG = "config_error"
    TRANSIENT = "transient_error"
    SYSTEM = "system_error"


class SyncError(Exception):
    """A sync cannot go on; the message is for the user and holds no secret.

    `code` says, for a program, what is wrong. It is empty unless a caller decides by it.
    """

    def __init__(self, message: str, kind: FailureKind, code: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.kind = kind
        self.code = code


class SyncCancelledError(Exception):
    """The sync was cancelled."""


class Source(Protocol):
    """Reads one configured source."""

    def streams(self) -> Sequence[Stream]:
        """Return the streams with their columns; may look at the data. Raises SyncError."""

    def read(self, stream: Stream) -> Iterator[Record | Checkpoint]:
        """Yield the stream's records and, if it is incremental, checkpoints among them.

        Raises SyncError and SyncCancelledError.
        """

    def close(self) -> None:
        """End connections."""


class DiscoverableSource(Source, Protocol):
    """A source that can also say which streams there are, besides those that it was made for."""

    def discover(self) -> Sequence[Stream]:
        """Return every stream with its columns. Raises SyncError."""


def describe(error: BaseException) -> str:
    """Return the kind of an error and the first line of its text."""
    text = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def without_passwords(text: str) -> str:
    """Return the text with the user and password of every address in it left out."""
    return re.sub(r"://[^/@\s]*@", "://***@", text)
