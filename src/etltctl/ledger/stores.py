"""Where the event streams of runs are kept: a folder, or objects in S3."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from etltctl.answers import answered_at
from etltctl.aws import Aws, translated
from etltctl.errors import ConfigurationError, NextStep, ServiceError, command
from etltctl.ledger.leases import CONFLICTS, GONE, LAPSES_AFTER_S, IsLost, LeaseObject, is_alive, lock_file
from etltctl.values import S3Location

Compose = Callable[[str], str]  # the stream so far → the text to add
TRIES = 20
SUFFIX = ".ndjson"
ARCHIVED = "InvalidObjectState"  # a rule of the bucket moved the object to an archive, such as Glacier


@dataclass(frozen=True)
class StoredRun:
    """A run that has a stream.

    Attributes:
        run_id: The run's id.
        written: When it was written to last, in seconds since the epoch.
        version: A text that changes whenever the stream does.
        lease_age: How many seconds ago its lease was renewed; None if it has none, or its store does not say.
    """

    run_id: str
    written: float
    version: str
    lease_age: float | None = None


class UnreadableRunError(ConfigurationError):
    """The stream of a run is there and cannot be read: other runs can."""


class Store(Protocol):
    """Where the event streams of the runs are kept, one text a run."""

    def add(self, run_id: str, compose: Compose) -> None:
        """Add to the run's stream what `compose` returns for it; no other process writes in between."""

    def read(self, run_id: str) -> str:
        """Return the run's whole stream; empty if there is none.

        Raises:
            UnreadableRunError: The stream is there and cannot be read.
        """

    def stored_runs(self) -> list[StoredRun]:
        """Return every run that has a stream, the one written to last at the end."""

    def run_ids(self) -> list[str]:
        """Return the id of every run that has a stream, the one written to last at the end."""

    def is_driven(self, run: StoredRun) -> bool:
        """Return whether a process drives the run, as far as the store knows; no service is asked."""

    @property
    def index(self) -> Path | None:
        """Where summaries of the runs may be kept, so that not every stream is read again; None if nowhere."""

    def place(self, run_id: str) -> str:
        """Return where the run's stream is, for a person to read."""

    def lease(self, run_id: str) -> AbstractContextManager[IsLost]:
        """Hold the right to drive the run.

        Yields:
            A function that says whether another process, which took this one for dead, has the right now.

        Raises:
            AlreadyRunningError: Another process has the right.
        """


@dataclass(frozen=True)
class DiskStore:
    """One file a run in a folder."""

    folder: Path
    mode: int = 0o666  # of new files, less what the umask takes away

    def add(self, run_id: str, compose: Compose) -> None:
        """Add with one write, so that a reader never sees half a line of a living writer.

        Half a line that a crash left is ended first, so that the new event stands on its own line.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with open(self._file(run_id), "ab+", buffering=0, opener=self._open) as stream:
                # The lock covers the reading too: numbers of events must not be given twice.
                fcntl.flock(stream, fcntl.LOCK_EX)
                stream.seek(0)
                before = stream.readall()
                ended = "" if before[-1:] in (b"", b"\n") else "\n"
                stream.write((ended + compose(before.decode(errors="replace"))).encode())
        except OSError as error:
            raise ConfigurationError(
                f"cannot write the run's events to {self.folder}: {error.strerror}",
                hint="make room or choose another place: setting `state` or ETLTCTL_STATE_DIR",
            ) from error

    def _open(self, path: str, flags: int) -> int:
        descriptor = os.open(path, flags, self.mode)
        if (now := stat.S_IMODE(os.fstat(descriptor).st_mode)) & ~self.mode:
            os.fchmod(descriptor, now & self.mode)  # an older version let other users read it
        return descriptor

    def read(self, run_id: str) -> str:
        """Return the run's whole stream; empty if there is none."""
        file = self._file(run_id)
        try:
            return file.read_text(errors="replace")
        except (FileNotFoundError, NotADirectoryError):
            return ""
        except OSError as error:
            raise _unreadable(run_id, str(file), error.strerror or str(error)) from error

    def stored_runs(self) -> list[StoredRun]:
        """Return every run that has a file, the one written to last at the end."""
        files: list[tuple[int, str, str]] = []
        # One call for each file: a ledger of years has thousands of them.
        with suppress(FileNotFoundError), os.scandir(self.folder) as entries:
            for entry in entries:
                if not entry.name.endswith(SUFFIX) or not entry.is_file():
                    continue
                with suppress(FileNotFoundError):  # removed meanwhile, which must not hide the runs after it
                    of = entry.stat()
                    version = f"{of.st_mtime_ns}-{of.st_size}"
                    files.append((of.st_mtime_ns, entry.name.removesuffix(SUFFIX), version))
        return [StoredRun(run_id, at / 1e9, version) for at, run_id, version in sorted(files)]

    def run_ids(self) -> list[str]:
        """Return the id of every run that has a file, the one written to last at the end."""
        return [run.run_id for run in self.stored_runs()]

    def is_driven(self, run: StoredRun) -> bool:
        """Return whether the process that the lease names lives. The lock is not tried: that could refuse a start."""
        try:
            owner = (self.folder / f"{run.run_id}.lock").read_text(errors="replace")
        except OSError:
            return False
        return is_alive(owner, datetime.now(UTC))

    @property
    def index(self) -> Path | None:
        """The file of summaries, next to the streams."""
        return self.folder / "summaries.json"

    def place(self, run_id: str) -> str:
        """Return the run's file."""
        return str(self._file(run_id))

    def lease(self, run_id: str) -> AbstractContextManager[IsLost]:
        """Hold the right to drive the run; the operating system frees it when the process ends."""
        return lock_file(self.folder / f"{run_id}.lock", run_id)

    def _file(self, run_id: str) -> Path:
        return self.folder / f"{run_id}.ndjson"


@dataclass(frozen=True)
class S3Store:
    """One object for each run below a prefix. S3 cannot append, so the whole object is written again."""

    aws: Aws
    bucket: str
    prefix: str

    def add(self, run_id: str, compose: Compose) -> None:
        """Write the run's object with more at its end; read and write again if another process wrote in between."""
        for _ in range(TRIES):
            before, etag = self._read(run_id)
            # Compare and swap: the put fails if another process wrote after this read.
            condition = {"IfMatch": etag} if etag else {"IfNoneMatch": "*"}
            body = (before + compose(before)).encode()
            try:
                with translated("s3", bucket=self.bucket):
                    client = self.aws.client("s3")
                    client.put_object(Bucket=self.bucket, Key=self._key(run_id), Body=body, **condition)
                return
            except ServiceError as error:
                if error.code not in CONFLICTS:
                    raise
                if (
                    self._read(run_id)[0].encode() == body
                ):  # the first answer was lost, and the put was sent again
                    return
        raise ServiceError(
            f"other processes kept writing to the events of run {run_id}",
            hint=NextStep(command("runs", "show", run_id), "  # lists what they wrote"),
        )

    def read(self, run_id: str) -> str:
        """Return the run's whole stream; empty if there is none."""
        return self._read(run_id)[0]

    def stored_runs(self) -> list[StoredRun]:
        """Return every run that has an object, the one written to last at the end: one request for 1,000 objects."""
        with translated("s3", bucket=self.bucket):
            paginator = self.aws.client("s3").get_paginator("list_objects_v2")
            pages = list(paginator.paginate(Bucket=self.bucket, Prefix=f"{self.prefix}/"))
        objects = [entry for page in pages for entry in page.get("Contents", [])]
        # LastModified has whole seconds. The key orders the runs that share one.
        objects.sort(key=lambda entry: (entry["LastModified"], entry["Key"]))
        by_name = {entry["Key"].rsplit("/", 1)[1]: entry for entry in objects}
        # By the clock of S3, as LastModified is: that of this machine may be wrong.
        now = answered_at(pages[-1]).timestamp() if pages else 0.0
        return [
            StoredRun(
                run_id := name.removesuffix(SUFFIX),
                entry["LastModified"].timestamp(),
                entry["ETag"],  # two writes within one second have the same LastModified
                lease_age=now - lock["LastModified"].timestamp()
                if (lock := by_name.get(f"{run_id}.lock"))
                else None,
            )
            for name, entry in by_name.items()
            if name.endswith(SUFFIX)
        ]

    def run_ids(self) -> list[str]:
        """Return the id of every run that has an object, the one written to last at the end."""
        return [run.run_id for run in self.stored_runs()]

    def is_driven(self, run: StoredRun) -> bool:
        """Return whether the run's lease was renewed lately, by the listing that named the run."""
        return run.lease_age is not None and run.lease_age < LAPSES_AFTER_S

    @property
    def index(self) -> Path | None:
        """Nowhere: a command that only reads writes nothing to S3."""
        return None

    def place(self, run_id: str) -> str:
        """Return the run's object."""
        return f"s3://{self.bucket}/{self._key(run_id)}"

    def lease(self, run_id: str) -> AbstractContextManager[IsLost]:
        """Hold the right to drive the run; it lapses when its owner no longer renews it."""
        return LeaseObject(self.aws, self.bucket, f"{self.prefix}/{run_id}.lock", run_id).held()

    def _read(self, run_id: str) -> tuple[str, str]:
        """Return the stream and its ETag; both empty if there is none."""
        try:
            with translated("s3", bucket=self.bucket):
                answer = self.aws.client("s3").get_object(Bucket=self.bucket, Key=self._key(run_id))
                return answer["Body"].read().decode(errors="replace"), str(answer["ETag"])
        except ServiceError as error:
            if error.code == GONE:
                return "", ""
            if error.code == ARCHIVED:
                raise _unreadable(run_id, self.place(run_id), error.message) from error
            raise

    def _key(self, run_id: str) -> str:
        return f"{self.prefix}/{run_id}.ndjson"


def _unreadable(run_id: str, place: str, why: str) -> UnreadableRunError:
    return UnreadableRunError(
        f"the events of run {run_id} cannot be read: {place}: {why}",
        hint="nothing was changed; let this user read it, or move it away",
    )


def open_store(state: str, aws: Aws, folder: str = "runs", mode: int = 0o666) -> Store:
    """Return the store in a folder of the setting `state`, which names a folder or an s3:// location.

    The files of a folder have `mode`, less what the umask takes away.
    """
    if not S3Location.is_one(state):
        return DiskStore(Path(state) / folder, mode)
    place = S3Location.parse(state)
    return S3Store(aws, place.bucket, f"{place.key}/{folder}".lstrip("/"))
