"""What Glue runs write: both CloudWatch groups, driver and executors, in order of time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from etltctl.aws import Aws, translated
from etltctl.errors import EtltctlError, ServiceError
from etltctl.runs import JobRun

GROUPS = ("error", "output")
READ_BACK = 200  # lines, of which most say nothing
NOISE = re.compile(
    r"\b(INFO|DEBUG|TRACE|WARN)\b|^\s+(at |\.\.\. \d+ more)"
)  # Spark's own talk, frames of the JVM
OVERLAP_MS = 30_000  # lines may arrive that late


@dataclass(frozen=True)
class LogLine:
    """One line: when it was written, to which group and stream, and its text.

    `is_failure` marks a line with a service's own report that the remote run failed.
    """

    at: datetime
    group: str
    stream: str
    text: str
    is_failure: bool = False


ERROR = re.compile(
    r"\b(ERROR|FATAL|CRITICAL)\b"
    r"|^Traceback \(most recent call last\)"
    r"|^(Caused by: |: |Exception in thread .*?)?([A-Za-z_][\w$]*\.)*[A-Z]\w*(Error|Exception|Interrupt|Exit)\b(:|$)"
)
NO_ERROR = re.compile(r"\b(INFO|DEBUG|TRACE|WARN|WARNING)\b")
OF_A_TRACE = re.compile(r"^\s+\S|^\s*$|^Caused by: |^During handling of |^The above exception ")


@dataclass
class ErrorLines:
    """The lines of a log that tell of an error, and the traces below them, whichever group they were written to."""

    _in_trace: dict[tuple[str, str], bool] = field(default_factory=dict, repr=False)

    def has(self, line: LogLine) -> bool:
        """Return whether the line belongs to an error. The lines of each stream come in their order."""
        stream, first = (line.group, line.stream), line.text.partition("\n")[0]
        named = ERROR.search(line.text)
        noted = NO_ERROR.search(first)
        is_error = named is not None and (noted is None or noted.start() > named.start())
        is_trace = self._in_trace.get(stream, False) and OF_A_TRACE.search(first) is not None
        self._in_trace[stream] = is_error or is_trace
        return is_error or is_trace


@dataclass
class Logs:
    """The logs of Glue runs; reading on, it gives each line once."""

    aws: Aws
    _seen: set[str] = field(default_factory=set, repr=False)
    _newest_ms: int = 0

    def new_lines(self, run: JobRun) -> list[LogLine]:
        """What the run has written since the last call, oldest first; a group that is not there yet is empty."""
        lines = [line for group in GROUPS for line in self._new_of(run, group)]
        return sorted(lines, key=lambda line: line.at)

    def last_lines(self, run: JobRun, count: int = 20) -> list[str]:
        """The newest lines of the error log that say something; empty if it cannot be read, which is no failure."""
        try:
            with translated("logs"):
                answer = self.aws.client("logs").get_log_events(
                    logGroupName=f"{run.log_group}/error",
                    logStreamName=run.id,
                    startFromHead=False,
                    limit=READ_BACK,
                )
        except EtltctlError:
            return []
        lines = [str(event["message"]).rstrip() for event in answer["events"]]
        return ([line for line in lines if line and not NOISE.search(line)] or lines)[-count:]

    def _new_of(self, run: JobRun, group: str) -> Iterator[LogLine]:
        asked = {
            "logGroupName": f"{run.log_group}/{group}",
            "logStreamNamePrefix": run.id,
            "startTime": max(self._newest_ms - OVERLAP_MS, 0),
        }
        try:
            with translated("logs"):
                pages = list(self.aws.client("logs").get_paginator("filter_log_events").paginate(**asked))
        except ServiceError as error:
            if error.code == "ResourceNotFoundException":
                return
            raise
        for event in (event for page in pages for event in page["events"]):
            if event["eventId"] in self._seen:
                continue
            self._seen.add(event["eventId"])
            self._newest_ms = max(self._newest_ms, event["timestamp"])
            at = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
            yield LogLine(at, group, event["logStreamName"], str(event["message"]).rstrip())
