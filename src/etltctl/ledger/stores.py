"""Where the event streams of runs are kept: a folder, or objects in S3."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from etltctl.aws import Aws, translated
from etltctl.errors import ConfigurationError, NextStep, ServiceError, command
from etltctl.ledger.leases import CONFLICTS, GONE, IsLost, LeaseObject, lock_file
from etltctl.values import S3Location

Compose = Callable[[str], str]  # the stream so far → the text to add
TRIES = 20


class Store(Protocol):
    """Where the event streams of the runs are kept, one text a run."""

    def add(self, run_id: str, compose: Compose) -> None:
        """Add to the run's stream what `compose` returns for it; no other process writes in between."""

    def read(self, run_id: str) -> str:
        """Return the run's whole stream; empty if there is none."""

    def run_ids(self) -> list[str]:
        """Return every run that has a stream, the one written to last at the end."""

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
        return file.read_text(errors="replace") if file.is_file() else ""

    def run_ids(self) -> list[str]:
        """Return every run that has a file, the one written to last at the end."""
        files = [file for file in self.folder.glob("*.ndjson") if file.is_file()]
        return [file.stem for file in sorted(files, key=lambda file: (file.stat().st_mtime_ns, file.stem))]

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

    def run_ids(self) -> list[str]:
        """Return every run that has an object, the one written to last at the end."""
        with translated("s3", bucket=self.bucket):
            paginator = self.aws.client("s3").get_paginator("list_objects_v2")
            pages = list(paginator.paginate(Bucket=self.bucket, Prefix=f"{self.prefix}/"))
        objects = [entry for page in pages for entry in page.get("Contents", [])]
        # LastModified has whole seconds. The key orders the runs that share one.
        objects.sort(key=lambda entry: (entry["LastModified"], entry["Key"]))
        names = [entry["Key"].rsplit("/", 1)[1] for entry in objects]
        return [name.removesuffix(".ndjson") for name in names if name.endswith(".ndjson")]

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
                return answer["Body"].read().decode(), str(answer["ETag"])
        except ServiceError as error:
            if error.code == GONE:
                return "", ""
            raise

    def _key(self, run_id: str) -> str:
        return f"{self.prefix}/{run_id}.ndjson"


def open_store(state: str, aws: Aws, folder: str = "runs", mode: int = 0o666) -> Store:
    """Return the store in a folder of the setting `state`, which names a folder or an s3:// location.

    The files of a folder have `mode`, less what the umask takes away.
    """
    if not S3Location.is_one(state):
        return DiskStore(Path(state) / folder, mode)
    place = S3Location.parse(state)
    return S3Store(aws, place.bucket, f"{place.key}/{folder}".lstrip("/"))
