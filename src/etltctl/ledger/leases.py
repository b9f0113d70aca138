"""Leases: two processes never drive one run. A lease names its owner, and ends with it."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread

from etltctl.aws import Aws, translated
from etltctl.errors import AlreadyRunningError, ConfigurationError, EtltctlError, ServiceError
from etltctl.waiting import Waiter

LAPSES_AFTER_S = 60.0
RENEWED_EVERY_S = 15.0
LOOK_S = 5.0
CONFLICTS = frozenset({"PreconditionFailed", "ConditionalRequestConflict"})


@contextmanager
def lock_file(path: Path, run_id: str) -> Iterator[None]:
    """Holds a lock on the file, which tells who holds it; the system frees it when the process ends, however."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+")
    except OSError as error:
        raise ConfigurationError(
            f"cannot write the run's lease to {path}: {error.strerror}",
            hint="make room or choose another place: setting `state` or ETLTCTL_STATE_DIR",
        ) from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            raise _driven_by(run_id, file.read()) from error
        file.truncate(0)
        file.write(_owner())
        file.flush()
        yield


@dataclass(frozen=True)
class LeaseObject:
    """A lease as an object in S3, made and renewed by conditional puts.

    Its owner renews it. Who finds it watches: renewed, the run is driven; unchanged for `LAPSES_AFTER_S`, its owner is
    dead and the lease is taken over. Nobody's clock is compared with another's.
    """

    aws: Aws
    bucket: str
    key: str
    run_id: str
    watch: Waiter = field(default_factory=lambda: Waiter(timeout=LAPSES_AFTER_S, longest=LOOK_S))

    @contextmanager
    def held(self) -> Iterator[None]:
        """The lease, renewed in the background while inside."""
        etag = self._take()
        ended = Event()
        renewing = Thread(target=self._renew, args=(etag, ended), daemon=True)
        renewing.start()
        try:
            yield
        finally:
            ended.set()
            renewing.join()
            with suppress(EtltctlError), translated("s3", bucket=self.bucket):
                self.aws.client("s3").delete_object(Bucket=self.bucket, Key=self.key)

    def _take(self) -> str:
        if etag := self._put(IfNoneMatch="*"):
            return etag
        found, owner = self._read()
        deadline = self.watch.clock() + self.watch.timeout
        while self.watch.clock() < deadline:
            self.watch.sleep(self.watch.longest)
            now, owner = self._read()
            if now and now != found:
                raise _driven_by(self.run_id, owner)
            if not now:
                break
        etag = self._put(IfMatch=found) if now else self._put(IfNoneMatch="*")
        if not etag:
            raise _driven_by(self.run_id, owner)
        return etag

    def _renew(self, etag: str, ended: Event) -> None:
        while not ended.wait(RENEWED_EVERY_S):
            with suppress(EtltctlError):
                etag = self._put(IfMatch=etag) or etag

    def _put(self, **condition: str) -> str:
        """The object's new ETag; empty if the condition does not hold."""
        try:
            with translated("s3", bucket=self.bucket):
                client = self.aws.client("s3")
                body = _owner().encode()
                answer = client.put_object(Bucket=self.bucket, Key=self.key, Body=body, **condition)
        except ServiceError as error:
            if error.code in CONFLICTS:
                return ""
            raise
        return str(answer["ETag"])

    def _read(self) -> tuple[str, str]:
        """The object's ETag and text; both empty if it is gone."""
        try:
            with translated("s3", bucket=self.bucket):
                answer = self.aws.client("s3").get_object(Bucket=self.bucket, Key=self.key)
                return str(answer["ETag"]), answer["Body"].read().decode()
        except ServiceError as error:
            if error.code == "NoSuchKey":
                return "", ""
            raise


def _owner() -> str:
    now = datetime.now(UTC).isoformat(timespec="microseconds")
    return json.dumps({"host": socket.gethostname(), "pid": os.getpid(), "since": now})


def _driven_by(run_id: str, text: str) -> AlreadyRunningError:
    try:
        owner = json.loads(text)
        told = f"process {owner['pid']} on {owner['host']}"
    except (ValueError, KeyError, TypeError):
        told = "another process"
    return AlreadyRunningError(
        f"run {run_id} is being driven by {told}",
        hint="let it finish, or leave out --run-id to start a new run",
        run=run_id,
    )
