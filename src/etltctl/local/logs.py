"""CloudWatch Logs over the lines of Glue runs: one group for their output, one for their errors, a stream per run."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from etltctl.local.wire import AwsError, Operation

GROUPS = {"/aws-glue/jobs/output": "output", "/aws-glue/jobs/error": "error"}
PAGE_EVENTS = 10_000
Event = dict[str, Any]


class GlueLogs:
    """Reads what the runs wrote; `log_file` says where, `run_ids` which runs there are."""

    def __init__(self, log_file: Callable[[str, str], Path], run_ids: Callable[[], list[str]]) -> None:
        self._log_file = log_file
        self._run_ids = run_ids

    def operations(self) -> Mapping[str, Operation]:
        """What is answered here; other groups than Glue's are not known."""
        return {
            "Logs_20140328.FilterLogEvents": self.filter,
            "Logs_20140328.GetLogEvents": self.get,
            "Logs_20140328.DescribeLogStreams": self.streams,
        }

    def filter(self, asked: dict[str, Any]) -> dict[str, Any]:
        """FilterLogEvents: of the streams named, or of those with the prefix, or of all, by time."""
        group = _group(asked)
        prefix = asked.get("logStreamNamePrefix", "")
        names = asked.get("logStreamNames") or [run for run in self._run_ids() if run.startswith(prefix)]
        wanted = asked.get("filterPattern", "").strip().strip('"')
        events = [event for name in names for event in self._events(group, name, asked)]
        events = [event for event in events if wanted in event["message"]]
        events.sort(key=lambda event: event["timestamp"])  # stable: lines of one stream keep their order
        first = int(asked.get("nextToken") or 0)
        last = first + min(int(asked.get("limit") or PAGE_EVENTS), PAGE_EVENTS)
        answer: dict[str, Any] = {"events": events[first:last], "searchedLogStreams": []}
        return answer | ({"nextToken": str(last)} if last < len(events) else {})

    def get(self, asked: dict[str, Any]) -> dict[str, Any]:
        """GetLogEvents: a page of one stream; its tokens walk forward and backward, and stay put at the ends."""
        group, name = _group(asked), asked["logStreamName"]
        if not self._log_file(name, group).exists():
            raise AwsError("ResourceNotFoundException", "The specified log stream does not exist.")
        events = [_without_id(event) for event in self._events(group, name, asked)]
        limit = min(int(asked.get("limit") or PAGE_EVENTS), PAGE_EVENTS)
        token = asked.get("nextToken") or ("f/0" if asked.get("startFromHead") else f"b/{len(events)}")
        direction, _, place = token.partition("/")
        first = max(int(place) - limit, 0) if direction == "b" else min(int(place), len(events))
        last = int(place) if direction == "b" else min(first + limit, len(events))
        return {
            "events": events[first:last],
            "nextForwardToken": f"f/{last}",
            "nextBackwardToken": f"b/{first}",
        }

    def streams(self, asked: dict[str, Any]) -> dict[str, Any]:
        """DescribeLogStreams: newest run first."""
        group = _group(asked)
        prefix = asked.get("logStreamNamePrefix", "")
        names = [
            run for run in self._run_ids() if run.startswith(prefix) and self._log_file(run, group).exists()
        ]
        first = int(asked.get("nextToken") or 0)
        last = first + int(asked.get("limit") or 50)
        answer: dict[str, Any] = {"logStreams": [self._stream(group, name) for name in names[first:last]]}
        return answer | ({"nextToken": str(last)} if last < len(names) else {})

    def _stream(self, group: str, name: str) -> dict[str, Any]:
        stamps = [event["timestamp"] for event in self._events(group, name, {})]
        known = {"firstEventTimestamp": stamps[0], "lastEventTimestamp": stamps[-1]} if stamps else {}
        return {"logStreamName": name, **known}

    def _events(self, group: str, name: str, asked: Mapping[str, Any]) -> Iterator[Event]:
        path = self._log_file(name, group)
        if "/" in name or not path.exists():
            return
        start, end = asked.get("startTime", 0), asked.get("endTime", float("inf"))
        with path.open("rb") as lines:
            for number, line in enumerate(lines):
                stamp, _, message = line.rstrip(b"\n").partition(b"\t")
                if line.endswith(b"\n") and start <= int(stamp) < end:
                    yield _event(group, name, number, int(stamp), message.decode(errors="replace"))


def _event(group: str, name: str, number: int, stamp: int, message: str) -> Event:
    identity = hashlib.sha256(f"{group}/{name}/{number}".encode()).hexdigest()[:56]
    return {
        "logStreamName": name,
        "timestamp": stamp,
        "message": message,
        "ingestionTime": stamp,
        "eventId": identity,
    }


def _without_id(event: Event) -> Event:
    return {name: event[name] for name in ("timestamp", "message", "ingestionTime")}


def _group(asked: Mapping[str, Any]) -> str:
    name = asked.get("logGroupName") or asked.get("logGroupIdentifier", "")
    if name not in GROUPS:
        raise AwsError("ResourceNotFoundException", f"The specified log group does not exist: {name}")
    return GROUPS[name]
