"""What Glue runs write: both CloudWatch groups, driver and executors, in order of time."""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from etltctl.aws import Aws, translated
from etltctl.errors import AccessError, EtltctlError, ServiceError
from etltctl.logs.log_lines import BAR_STREAM, ERROR, LogLine
from etltctl.runs import JobRun

GROUPS = ("error", "output")
GROUP_PREFIX = "--custom-logGroup-prefix"  # the argument with which Glue 5 writes to other groups
READ_BACK = 200  # lines, of which most say nothing
MOST_EMPTY_PAGES = 50  # in a row
MOST_EXECUTOR_PAGES = 3
# A pattern of CloudWatch: a line fits if it has one of the terms.
EXECUTOR_ERRORS = '?OutOfMemoryError ?"No space left" ?"Exception in task" ?"Caused by" ?FATAL'
EARLY, LATE = timedelta(minutes=1), timedelta(minutes=10)  # clocks differ, and lines come late
# Lines of Spark itself, and frames of the JVM.
NOISE = re.compile(r"\b(INFO|DEBUG|TRACE|WARN)\b|^\s+(at |\.\.\. \d+ more)")
MOST_KNOWN = 100_000  # events: ten pages, as CloudWatch fills them
OVERLAP_MS = 30_000  # lines may arrive that late
LATEST_MS = 253_402_300_799_000  # the last second that Python can name


@dataclass(frozen=True)
class LogTail:
    """The end of each log of a job run's driver, the likeliest to explain a failure first."""

    logs: tuple[tuple[LogLine, ...], ...] = ()

    @property
    def lines(self) -> list[LogLine]:
        """All lines, oldest first."""
        return list(heapq.merge(*self.logs, key=lambda line: line.at))

    def telling(self, count: int = 20) -> list[str]:
        """Return the newest lines of the log that holds an error, else of the first that holds anything."""
        texts = [[line.text for line in log] for log in self.logs]
        logs = [[text for text in log if text and not NOISE.search(text)] or log for log in texts]
        with_error = [log for log in logs if any(ERROR.search(text) for text in log)]
        return next((log for log in [*with_error, *logs] if log), [])[-count:]


@dataclass
class Logs:
    """The logs of Glue runs; each line is read once, also when a run is followed.

    `prefix` is that of the project's log groups. Jobs that were deployed without it write to the groups that all jobs
    of the account share. `unread` names the groups that were not read to their end, because only empty pages came.
    """

    aws: Aws
    prefix: str = ""
    unread: set[str] = field(default_factory=set)
    _seen: _Identities = field(default_factory=lambda: _Identities(), repr=False)
    _newest_ms: dict[tuple[str, str], int] = field(default_factory=dict, repr=False)

    def new_lines(self, run: JobRun) -> Iterator[LogLine]:
        """Yield what the run has written since the last call, oldest first, as CloudWatch's pages come.

        A group that is not there yet is empty.

        Raises:
            EtltctlError: CloudWatch Logs cannot be read.
        """
        places = places_of(run, self.prefix)
        # A run writes to one place only. Once it was seen there, the other groups cost calls for nothing.
        for place in [each for each in places if self._has_read(run, each)] or places:
            streams = [self._new_of(run, f"{place}/{group}", group) for group in GROUPS]
            lines = heapq.merge(*streams, key=lambda line: line.at)
            try:
                first = next(lines, None)
            except AccessError:
                if place != places[0]:
                    return  # the stack's roles read the project's groups only
                raise
            if first is not None:
                yield first
                yield from lines
                return

    def tail(self, run: JobRun) -> LogTail:
        """Return the end of each of the driver's logs, and the errors of the executors.

        A log that cannot be read is left out: a summary must not fail for want of it.
        """
        logs: list[Sequence[LogLine]] = []
        for place in places_of(run, self.prefix):
            for group, stream in _streams(run):
                with suppress(EtltctlError):
                    logs.append(self._newest(run, f"{place}/{group}", group, stream))
            if any(logs):
                with suppress(EtltctlError):
                    logs.append(self._executor_errors(run, f"{place}/error"))
                break
        return LogTail(tuple(map(tuple, logs)))

    def _executor_errors(self, run: JobRun, name: str) -> list[LogLine]:
        """Return lines of the executors that name an error. Spark may lose them on their way to the driver."""
        query: dict[str, Any] = {
            "logGroupName": name,
            "logStreamNamePrefix": f"{run.id}-",
            "filterPattern": EXECUTOR_ERRORS,
            "limit": READ_BACK,
            **_period(run),
        }
        lines: list[LogLine] = []
        for _ in range(MOST_EXECUTOR_PAGES):
            with translated("logs"):
                page = self.aws.client("logs").filter_log_events(**query)
            lines += [_line(event, "error", event["logStreamName"]) for event in page["events"]]
            if not page.get("nextToken"):
                break
            query["nextToken"] = page["nextToken"]
        return [line for line in lines if line.executor]

    def _has_read(self, run: JobRun, place: str) -> bool:
        """Return whether lines of the run were read from the groups of this prefix before."""
        return any((run.id, f"{place}/{group}") in self._newest_ms for group in GROUPS)

    def _newest(self, run: JobRun, name: str, group: str, stream: str) -> list[LogLine]:
        """Return the last lines of a stream. A page without events is not the end of it."""
        query: dict[str, Any] = {"logGroupName": name, "logStreamName": stream, "limit": READ_BACK}
        for _ in range(MOST_EMPTY_PAGES):
            with translated("logs"):
                page = self.aws.client("logs").get_log_events(**query, **_period(run), startFromHead=False)
            # The same token again is CloudWatch's sign that the stream has no more.
            if page["events"] or page["nextBackwardToken"] == query.get("nextToken"):
                return [_line(event, group, stream) for event in page["events"]]
            query["nextToken"] = page["nextBackwardToken"]
        return []

    def _new_of(self, run: JobRun, name: str, group: str) -> Iterator[LogLine]:
        period, key = _period(run), (run.id, name)
        if key in self._newest_ms:
            # Lines may arrive late, so that the last seconds are read once more; `_seen` drops the repeated ones.
            again = max(self._newest_ms[key] - OVERLAP_MS, self._seen.forgotten_ms + 1)
            period["startTime"] = max(period.get("startTime", 0), again)
        for event in self._events(name, run.id, period):
            if event["logStreamName"].endswith(BAR_STREAM):
                continue  # a picture that is drawn again every second, and no line of the log
            line = _line(event, group, event["logStreamName"])
            at_ms = int(line.at.timestamp() * 1000)
            self._newest_ms[key] = max(self._newest_ms.get(key, 0), at_ms)
            yield line

    def _events(self, group: str, run_id: str, period: Mapping[str, int]) -> Iterator[Mapping[str, Any]]:
        """Yield the run's events that were not read before, a page after the other.

        Without a start CloudWatch searches all that a group ever held, and answers with empty pages for up to an hour.
        After 50 of them in a row the rest is left, and the group is `unread`.
        """
        query: dict[str, Any] = {"logGroupName": group, "logStreamNamePrefix": run_id, **period}
        empty = 0
        while empty < MOST_EMPTY_PAGES:
            try:
                with translated("logs"):
                    page = self.aws.client("logs").filter_log_events(**query)
            except ServiceError as error:
                if error.code == "ResourceNotFoundException":
                    return
                raise
            self.unread.discard(group)
            events = {_identity(event): event for event in page["events"]}
            unread = [event for identity, event in events.items() if identity not in self._seen]
            self._seen.add(events)
            yield from unread
            empty = 0 if unread else empty + 1
            if not page.get("nextToken"):
                return
            query["nextToken"] = page["nextToken"]
        self.unread.add(group)


def places_of(run: JobRun, prefix: str) -> list[str]:
    """Return the prefixes of the groups that the run may have written to, the likeliest first.

    Args:
        run: The job run.
        prefix: The prefix of the project's log groups; empty if it has none.
    """
    named = run.arguments.get(GROUP_PREFIX, "").rstrip("/")
    shared = run.log_group.rstrip("/")
    return [named] if named else list(dict.fromkeys(place for place in (prefix, shared) if place))


def _line(event: Mapping[str, Any], group: str, stream: str) -> LogLine:
    """Return an event as a line. A service may leave its time out, or name one that Python cannot."""
    at = datetime.fromtimestamp(min(event.get("timestamp", 0), LATEST_MS) / 1000, UTC)
    return LogLine(at, group, stream, str(event["message"]).rstrip())


@dataclass
class _Identities:
    """The events that were read lately; a log may have millions of lines.

    Attributes:
        forgotten_ms: The latest time of an event that is no longer known, so that no older one is read again.
    """

    forgotten_ms: int = -1
    _times: dict[int, int] = field(default_factory=dict)  # by hash, in the order in which they were read

    def __contains__(self, identity: str) -> bool:
        return hash(identity) in self._times

    def add(self, events: Mapping[str, Mapping[str, Any]]) -> None:
        """Remember the events of a page, and forget the oldest ones."""
        self._times.update(
            (hash(identity), min(event.get("timestamp", 0), LATEST_MS)) for identity, event in events.items()
        )
        for oldest in list(islice(self._times, max(len(self._times) - MOST_KNOWN, 0))):
            self.forgotten_ms = max(self.forgotten_ms, self._times.pop(oldest))


def _identity(event: Mapping[str, Any]) -> str:
    """Return what distinguishes an event from others; CloudWatch may leave its id out."""
    return event.get("eventId") or f"{event['logStreamName']} {event['timestamp']} {event['message']}"


def _streams(run: JobRun) -> list[tuple[str, str]]:
    """Return the streams in which a failure may be explained, the likeliest first.

    From Glue 5 on, the script's own output and traceback are in `output` and Glue's and Spark's lines in `error`, in
    the driver's stream. Before, the traceback was in `error`, in a stream with the run's id.
    """
    # Executors are left out: Spark reports their errors to the driver.
    driver = f"{run.id}-driver"
    return [("output", driver), ("error", driver), ("error", run.id)]


def _period(run: JobRun) -> dict[str, int]:
    """Return the milliseconds between which a run can have written; nothing for what is not known."""
    period = {}
    if run.started is not None:
        period["startTime"] = max(int((run.started - EARLY).timestamp() * 1000), 0)
    if run.ended is not None:
        period["endTime"] = int((run.ended + LATE).timestamp() * 1000)
    return period
