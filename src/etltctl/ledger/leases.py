"""Leases: one process at a time drives a run or publishes a table. A lease names its owner, and ends with it."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Lock, Thread

from etltctl.aws import Aws, translated
from etltctl.errors import (
    RETRY,
    AlreadyRunningError,
    ConfigurationError,
    DrivenElsewhereError,
    EtltctlError,
    NextStep,
    ServiceError,
    command,
)
from etltctl.waiting import Waiter

LAPSES_AFTER_S = 60.0
RENEWED_EVERY_S = 15.0
POLL_S = 5.0
UNSEEN_FOR = timedelta(days=1)
CONFLICTS = frozenset({"PreconditionFailed", "ConditionalRequestConflict"})
GONE = "NoSuchKey"
IsLost = Callable[[], bool]


@contextmanager
def lock_file(path: Path, run_id: str) -> Iterator[IsLost]:
    """Hold a lock on the file. The operating system frees it when the process ends, even if it is killed.

    Args:
        path: The file. It names the process that holds the lock.
        run_id: The run, to name it in an error.

    Raises:
        DrivenElsewhereError: Another process holds the lock.
        ConfigurationError: The file cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Not truncated by the open: the text of a lease that is held must stay readable for the error.
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
        try:
            yield lambda: False  # no process can take the lock from one that lives
        finally:
            # Before the lock goes: the text says who drives the run, and from here on no process does.
            with suppress(OSError):
                file.truncate(0)


@dataclass(frozen=True)
class LeaseObject:
    """A lease as an object in S3, made and renewed by conditional puts.

    Its owner renews it. Another process that meets it polls: if the object changes, its owner lives. If it stays
    unchanged for `LAPSES_AFTER_S`, its owner is dead and the lease is taken over; at once if the owner was a process
    of this machine that has ended. Each process reads only its own clock, so clocks need not agree. `held_for` says
    what the owner does, if it does not drive the run.
    """

    aws: Aws
    bucket: str
    key: str
    run_id: str
    watch: Waiter = field(default_factory=lambda: Waiter(timeout=LAPSES_AFTER_S, longest=POLL_S))
    held_for: str = ""
    renewed_every: float = RENEWED_EVERY_S

    @contextmanager
    def held(self) -> Iterator[IsLost]:
        """Hold the lease and renew it in the background; yield a function that says whether another process took it."""
        hold = _Hold(self, self._take())
        # A thread, because the driver may be busy for minutes in one call, such as the upload of an extract.
        ended = Event()
        renewing = Thread(target=hold.renew_until, args=(ended,), daemon=True)
        renewing.start()
        try:
            yield hold.is_lost
        finally:
            ended.set()
            # A renewal under way would change the ETag that the deletion below needs.
            renewing.join()
            # The condition spares a lease that another process has taken over meanwhile.
            with suppress(EtltctlError), translated("s3", bucket=self.bucket):
                client = self.aws.client("s3")
                client.delete_object(Bucket=self.bucket, Key=self.key, IfMatch=hold.etag)

    def _take(self) -> str:
        mine = _owner()
        if etag := self._put(mine, IfNoneMatch="*"):
            return etag
        first, owner = self._read()
        # The owner's text has microseconds, so that two takes of one process differ.
        if owner == mine:  # the first answer was lost, and the put was sent again
            return first
        if first and is_gone(owner) and (etag := self._put(mine, IfMatch=first)):
            return etag
        # The object's ETag changes with every renewal: an ETag that stays the same means that no owner lives.
        deadline = self.watch.clock() + self.watch.timeout
        while self.watch.clock() < deadline:
            self.watch.sleep(self.watch.longest)
            now, owner = self._read()
            if now and now != first:
                raise _driven_by(self.run_id, owner, self.held_for)
            if not now:
                break
        # The condition decides between two processes that have both waited for the same dead owner.
        etag = self._put(mine, IfMatch=first) if now else self._put(mine, IfNoneMatch="*")
        if not etag:
            raise _driven_by(self.run_id, owner, self.held_for)
        return etag

    def _put(self, owner: str, **condition: str) -> str:
        """Put the object and return its new ETag; empty if the condition does not hold."""
        try:
            with translated("s3", bucket=self.bucket):
                client = self.aws.client("s3")
                answer = client.put_object(Bucket=self.bucket, Key=self.key, Body=owner.encode(), **condition)
        except ServiceError as error:
            if error.code in CONFLICTS or error.code == GONE:
                return ""
            raise
        return str(answer["ETag"])

    def _read(self) -> tuple[str, str]:
        """Return the object's ETag and text; both empty if it is gone."""
        try:
            with translated("s3", bucket=self.bucket):
                answer = self.aws.client("s3").get_object(Bucket=self.bucket, Key=self.key)
                return str(answer["ETag"]), answer["Body"].read().decode()
        except ServiceError as error:
            if error.code == GONE:
                return "", ""
            raise


@dataclass
class _Hold:
    """A lease that was taken: renewed regularly, and before its next use if this machine has slept through that."""

    lease: LeaseObject
    etag: str
    _sent: tuple[str, ...] = ()
    _lost: bool = False
    _renewed: float = 0.0
    _lock: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        self._renewed = self.lease.watch.clock()

    def renew_until(self, ended: Event) -> None:
        """Renew the lease until it is given back, or until another process has it."""
        while not ended.wait(self.lease.renewed_every) and not self._lost:
            self._renew()

    def is_lost(self) -> bool:
        """Return whether another process has the lease; poll it first if it may have lapsed meanwhile."""
        # A laptop that was closed does not run the thread: another process may have taken the lease meanwhile.
        if self.lease.watch.clock() - self._renewed > LAPSES_AFTER_S / 2:
            self._renew()
        return self._lost

    def _renew(self) -> None:
        with self._lock, suppress(EtltctlError):
            mine = _owner()
            # The last two owners that were sent: a put whose answer was lost may have been the one that counted.
            self._sent = (*self._sent[-1:], mine)
            # The time before the call, not after: others count from when S3 took the put, which may be long before
            # the answer.
            sent_at = self.lease.watch.clock()
            etag = self.lease._put(mine, IfMatch=self.etag)
            if not etag:
                etag, owner = self.lease._read()
                if owner not in self._sent:  # else a put whose answer was lost has renewed it all the same
                    self._lost = True
                    return
            self.etag, self._renewed = etag, sent_at


def _owner() -> str:
    now = datetime.now(UTC).isoformat(timespec="microseconds")
    return json.dumps({**_process(), "since": now})


def _process() -> dict[str, object]:
    """Return what names this process. Only processes of the same PID namespace may compare its number."""
    try:
        space = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        space = ""
    return {"host": socket.gethostname(), "pid": os.getpid(), "space": space, "began": _began(os.getpid())}


def _began(pid: int) -> str:
    """Return when the process began, in the kernel's ticks since the boot; empty if the system does not say."""
    try:
        # Field 22 of proc_pid_stat(5). The name of the program stands in brackets and may hold anything.
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def is_gone(owner: str) -> bool:
    """Return whether the owner was a process that this one would see, and that has ended."""
    try:
        process = json.loads(owner)
        mine = _process()
        if not mine["space"] or (process["host"], process["space"]) != (mine["host"], mine["space"]):
            return False
        # Signal 0 only asks whether the process exists. PermissionError, an OSError, says that it does.
        os.kill(int(process["pid"]), 0)
    except ProcessLookupError:
        return True
    except (ValueError, KeyError, TypeError, OSError):
        return False
    return False


def is_alive(owner: str, now: datetime) -> bool:
    """Return whether the owner of a lease file drives its run.

    Args:
        owner: The text of the lease.
        now: The present time. An owner that this process cannot see, such as one of another container, counts as alive
            for a day.
    """
    try:
        process, mine = json.loads(owner), _process()
        if (process["host"], process["space"]) != (mine["host"], mine["space"]):
            return now - datetime.fromisoformat(process["since"]) < UNSEEN_FOR
        # Another process may have got the number of one that was killed, but not its time of birth.
        return not is_gone(owner) and process.get("began", "") in ("", _began(int(process["pid"])))
    except (ValueError, KeyError, TypeError):
        return False


def _driven_by(run_id: str, text: str, held_for: str = "") -> AlreadyRunningError:
    try:
        owner = json.loads(text)
        driver = f"process {owner['pid']} on {owner['host']}"
    except (ValueError, KeyError, TypeError):
        driver = "another process"
    if held_for:
        return AlreadyRunningError(
            f"{held_for} by {driver}", hint=NextStep("let it finish, then: ", RETRY), run=run_id
        )
    return DrivenElsewhereError(
        f"run {run_id} is being driven by {driver}",
        hint=NextStep("wait for it: ", command("runs", "watch", run_id)),
        run=run_id,
    )
