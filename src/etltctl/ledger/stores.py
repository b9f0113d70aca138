"""Where the event streams of runs are kept: a folder, or objects in S3."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from etltctl.aws import Aws, translated
from etltctl.errors import ConfigurationError, ServiceError
from etltctl.ledger.leases import LeaseObject, lock_file


class Store(Protocol):
    """Where the event streams of the runs are kept, one text a run."""

    def append(self, run_id: str, text: str) -> None:
        """Adds the text to the run's stream."""

    def read(self, run_id: str) -> str:
        """The run's whole stream; empty if there is none."""

    def run_ids(self) -> list[str]:
        """Every run that has a stream, sorted."""

    def lease(self, run_id: str) -> AbstractContextManager[None]:
        """The right to drive the run, held while inside; raises AlreadyRunningError if somebody else has it."""


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

    def lease(self, run_id: str) -> AbstractContextManager[None]:
        """The right to drive the run; the system takes it back from a process that dies."""
        return lock_file(self.folder / f"{run_id}.lock", run_id)

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

    def lease(self, run_id: str) -> AbstractContextManager[None]:
        """The right to drive the run; it lapses when its owner no longer renews it."""
        return LeaseObject(self.aws, self.bucket, f"{self.prefix}/{run_id}.lock", run_id).held()

    def _key(self, run_id: str) -> str:
        return f"{self.prefix}/{run_id}.ndjson"


def open_store(state: str, aws: Aws, folder: str = "runs") -> Store:
    """The store in a folder of what the setting `state` names: a folder, or an s3:// location."""
    if not state.startswith("s3://"):
        return DiskStore(Path(state) / folder)
    bucket, _, prefix = state.removeprefix("s3://").partition("/")
    return S3Store(aws, bucket, f"{prefix}/{folder}".lstrip("/"))
