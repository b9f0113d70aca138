"""The append-only event stream of every run (NDJSON), on disk or in S3: what the console shows, kept.

A run's file begins with `{"type": "version", "schema": "etltctl.events/1.0"}`; every further line is one event with
`ts` (UTC), `seq`, `run_id`, `step`, `env`, `type` and its own facts. A minor version adds fields or types, so readers
ignore what they do not know.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from etltctl.aws import Aws, translated
from etltctl.errors import ConfigurationError, ServiceError, UsageError

SCHEMA = "etltctl.events/1.0"
VERSION_LINE = json.dumps({"type": "version", "schema": SCHEMA}) + "\n"

Event = Mapping[str, Any]


class Store(Protocol):
    """Where the event streams of the runs are kept, one text a run."""

    def append(self, run_id: str, text: str) -> None:
        """Adds the text to the run's stream."""

    def read(self, run_id: str) -> str:
        """The run's whole stream; empty if there is none."""

    def run_ids(self) -> list[str]:
        """Every run that has a stream, sorted."""


@dataclass(frozen=True)
class DiskStore:
    """One file a run in a folder."""

    folder: Path

    def append(self, run_id: str, text: str) -> None:
        """Adds the text with one write, so that a reader never sees half a line of a living writer.

        Half a line that a crash left behind is ended first, so that it spoils no other.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with self._file(run_id).open("ab+", buffering=0) as stream:
                stream.seek(max(stream.tell() - 1, 0))
                cut_off = stream.read() not in (b"", b"\n")
                stream.write((("\n" if cut_off else "") + text).encode())
        except OSError as error:
            raise ConfigurationError(
                f"cannot write the run's events to {self.folder}: {error.strerror}",
                hint="make room or choose another place: setting `state` or ETLTCTL_STATE_DIR",
            ) from error

    def read(self, run_id: str) -> str:
        """The run's whole stream; empty if there is none."""
        file = self._file(run_id)
        return file.read_text() if file.exists() else ""

    def run_ids(self) -> list[str]:
        """Every run that has a file, sorted."""
        return sorted(file.stem for file in self.folder.glob("*.ndjson"))

    def _file(self, run_id: str) -> Path:
        return self.folder / f"{run_id}.ndjson"


@dataclass(frozen=True)
class S3Store:
    """One object a run below a prefix; S3 cannot append, so the object is put anew (one writer a run)."""

    aws: Aws
    bucket: str
    prefix: str

    def append(self, run_id: str, text: str) -> None:
        """Puts the run's object anew with the text at its end."""
        body = (self.read(run_id) + text).encode()
        with translated("s3", bucket=self.bucket):
            self.aws.client("s3").put_object(Bucket=self.bucket, Key=self._key(run_id), Body=body)

    def read(self, run_id: str) -> str:
        """The run's whole stream; empty if there is none."""
        try:
            with translated("s3", bucket=self.bucket):
                answer = self.aws.client("s3").get_object(Bucket=self.bucket, Key=self._key(run_id))
                text = answer["Body"].read()
        except ServiceError as error:
            if error.code == "NoSuchKey":
                return ""
            raise
        return str(text.decode())

    def run_ids(self) -> list[str]:
        """Every run that has an object, sorted."""
        with translated("s3", bucket=self.bucket):
            paginator = self.aws.client("s3").get_paginator("list_objects_v2")
            pages = list(paginator.paginate(Bucket=self.bucket, Prefix=f"{self.prefix}/"))
        keys = [found["Key"] for page in pages for found in page.get("Contents", [])]
        return sorted(
            key.rsplit("/", 1)[1].removesuffix(".ndjson") for key in keys if key.endswith(".ndjson")
        )

    def _key(self, run_id: str) -> str:
        return f"{self.prefix}/{run_id}.ndjson"


def open_store(state: str, aws: Aws) -> Store:
    """The store that the setting `state` names: a folder, or an s3:// location."""
    if not state.startswith("s3://"):
        return DiskStore(Path(state) / "runs")
    bucket, _, prefix = state.removeprefix("s3://").partition("/")
    return S3Store(aws, bucket, f"{prefix}/runs".lstrip("/"))


@dataclass
class Ledger:
    """The event stream of one run; `listen` hears every event as it is written."""

    store: Store
    run_id: str
    env: str
    listen: Callable[[Event], None] | None = None
    _events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Reads what earlier tries of the run wrote."""
        self._events = read_events(self.store, self.run_id)

    @property
    def events(self) -> list[Event]:
        """Every event of the run so far, oldest first."""
        return list(self._events)

    def append(self, type_: str, step: str = "", **facts: Any) -> None:
        """Writes one event, then tells the listener."""
        event = {
            "ts": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "seq": len(self._events) + 1,
            "run_id": self.run_id,
            "step": step,
            "env": self.env,
            "type": type_,
            **facts,
        }
        line = json.dumps(event, default=str) + "\n"
        self.store.append(self.run_id, line if self._events else VERSION_LINE + line)
        self._events.append(event)
        if self.listen:
            self.listen(event)

    def last(self, step: str, *types: str) -> Event | None:
        """The step's newest event of one of these types."""
        return next((e for e in reversed(self._events) if e["step"] == step and e["type"] in types), None)


def read_events(store: Store, run_id: str) -> list[Event]:
    """The run's events, oldest first; a last line cut off by a crash is left out."""
    events = []
    for line in store.read(run_id).splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if event.get("type") == "version":
            _refuse_newer(event.get("schema", ""), run_id)
        else:
            events.append(event)
    return events


def _refuse_newer(schema: str, run_id: str) -> None:
    if not schema.startswith("etltctl.events/1."):
        raise UsageError(
            f"run {run_id} was written with schema {schema}; this etltctl reads {SCHEMA}",
            hint="update etltctl to read it",
        )
