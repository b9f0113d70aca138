"""Leases: two processes never drive one run, nor publish one table. A lease names its owner, and ends with it."""

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
    dead and the lease is taken over, at once if its owner was a process of this machine that is gone. Nobody's clock
    is compared with another's. `held_for` says what the owner does, where that is not to drive the run.
    """

    aws: Aws
    bucket: str
    key: str
    run_id: str
    watch: Waiter = field(default_factory=lambda: Waiter(timeout=LAPSES_AFTER_S, longest=LOOK_S))
    held_for: str = ""

    @contextmanager
    def held(self) -> Iterator[None]:
        """The lease, renewed in the background while inside."""
        etags = [self._take()]
        ended = Event()
        renewing = Thread(target=self._renew, args=(etags, ended), daemon=True)
        renewing.start()
        try:
            yield
        finally:
            ended.set()
            renewing.join()
            with suppress(EtltctlError), translated("s3", bucket=self.bucket):  # not one that was taken over
                client = self.aws.client("s3")
                client.delete_object(Bucket=self.bucket, Key=self.key, IfMatch=etags[-1])

    def _take(self) -> str:
        mine = _owner()
        if etag := self._put(mine, IfNoneMatch="*"):
            return etag
        found, owner = self._read()
        if owner == mine:  # the first answer was lost, and the put was sent again
            return found
        if found and is_gone(owner) and (etag := self._put(mine, IfMatch=found)):
            return etag
        deadline = self.watch.clock() + self.watch.timeout
        while self.watch.clock() < deadline:
            self.watch.sleep(self.watch.longest)
            now, owner = self._read()
            if now and now != found:
                raise _driven_by(self.run_id, owner, self.held_for)
            if not now:
                break
        etag = self._put(mine, IfMatch=found) if now else self._put(mine, IfNoneMatch="*")
        if not etag:
            raise _driven_by(self.run_id, owner, self.held_for)
        return etag

    def _renew(self, etags: list[str], ended: Event) -> None:
        while not ended.wait(RENEWED_EVERY_S):
            with suppress(EtltctlError):
                etags.append(self._put(_owner(), IfMatch=etags[-1]) or etags[-1])

    def _put(self, owner: str, **condition: str) -> str:
        """The object's new ETag; empty if the condition does not hold."""
        try:
            with translated("s3", bucket=self.bucket):
                client = self.aws.client("s3")
                answer = client.put_object(Bucket=self.bucket, Key=self.key, Body=owner.encode(), **condition)
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
    return json.dumps({**_process(), "since": now})


def _process() -> dict[str, object]:
    """This process, told so that only those who see the same processes take it for one of theirs."""
    try:
        space = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        space = ""
    return {"host": socket.gethostname(), "pid": os.getpid(), "space": space}


def is_gone(owner: str) -> bool:
    """Whether the owner was a process that this one would see, and it is there no more."""
    try:
        told = json.loads(owner)
        mine = _process()
        if not mine["space"] or (told["host"], told["space"]) != (mine["host"], mine["space"]):
            return False
        os.kill(int(told["pid"]), 0)
    except ProcessLookupError:
        return True
    except (ValueError, KeyError, TypeError, OSError):
        return False
    return False


def _driven_by(run_id: str, text: str, held_for: str = "") -> AlreadyRunningError:
    try:
        owner = json.loads(text)
        told = f"process {owner['pid']} on {owner['host']}"
    except (ValueError, KeyError, TypeError):
        told = "another process"
    if held_for:
        return AlreadyRunningError(
            f"{held_for} by {told}", hint="let it finish, then: etltctl retry", run=run_id
        )
    return AlreadyRunningError(
        f"run {run_id} is being driven by {told}",
        hint="let it finish, or leave out --run-id to start a new run",
        run=run_id,
    )
