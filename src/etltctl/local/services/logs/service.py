"""CloudWatch Logs over the lines of Glue runs, in the groups and streams of Glue 5.

The group `PREFIX/output` has what scripts write, also to stderr; `PREFIX/error` has what Glue and Spark write. All runs
share the prefix `/aws-glue/jobs` unless their job names another. A run's stream is `RUNID-driver`: no executors run.
The progress bar of Spark's stages is the stream `RUNID-progress-bar` of the group `PREFIX/error`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from etltctl.local.kernel.json_protocol import AwsError, Operation
from etltctl.local.services.logs.groups import (
    KINDS,
    all_groups,
    described,
    name_of,
    named_in,
    page_of,
    selected,
)
from etltctl.local.services.logs.patterns import matcher

SHARED_PREFIX = "/aws-glue/jobs"
GROUP_PREFIX = "--custom-logGroup-prefix"  # the job argument that names another
GROUP = re.compile(r"(?P<prefix>.+)/(?P<kind>output|error)")
DRIVER = "-driver"
PROGRESS_BAR = "progress-bar"  # the end of its stream's name, and the kind of its file
PAGE_EVENTS = 10_000
TARGET = "Logs_20140328."
LISTED = ("logGroupName", "logGroupArn", "logGroupClass")  # what ListLogGroups says of a group
Event = dict[str, Any]
Call = Callable[[str, Event], Event]
# What a caller that creates a group gives it, apart from lines. It is kept with the group that was created.
SETTINGS = frozenset(
    {
        "CreateLogGroup", "DeleteLogGroup", "PutRetentionPolicy", "DeleteRetentionPolicy", "AssociateKmsKey",
        "DisassociateKmsKey", "TagLogGroup", "UntagLogGroup", "ListTagsLogGroup", "TagResource", "UntagResource",
        "ListTagsForResource", "PutMetricFilter", "DeleteMetricFilter", "DescribeMetricFilters",
        "PutSubscriptionFilter", "DeleteSubscriptionFilter", "DescribeSubscriptionFilters",
    }
)  # fmt: skip
# Reads of what a group of Glue runs never has. moto, which does not know these groups, would say that they are missing.
EMPTY: Mapping[str, Event] = {
    f"{TARGET}DescribeSubscriptionFilters": {"subscriptionFilters": []},
    f"{TARGET}DescribeMetricFilters": {"metricFilters": []},
    f"{TARGET}ListTagsLogGroup": {"tags": {}},
    f"{TARGET}ListTagsForResource": {"tags": {}},
}


class GlueLogs:
    """What the runs wrote.

    Args:
        log_file: Returns the file of a run and a kind of log.
        prefixes: Returns the prefix of every run's log groups by the run's id, the newest run first.
        call: Performs an operation on the groups that callers made.
    """

    def __init__(
        self, log_file: Callable[[str, str], Path], prefixes: Callable[[], Mapping[str, str]], call: Call
    ) -> None:
        self._log_file = log_file
        self._prefixes = prefixes
        self._call = call

    def operations(self) -> Mapping[str, Operation]:
        """Return the operations that are answered here."""
        return {
            f"{TARGET}DescribeLogGroups": self.groups,
            f"{TARGET}ListLogGroups": self.list_groups,
            f"{TARGET}FilterLogEvents": self.filter,
            f"{TARGET}GetLogEvents": self.get,
            f"{TARGET}DescribeLogStreams": self.streams,
        }

    def find_operation(self, target: str, body: Mapping[str, Any]) -> Operation | None:
        """Return what answers an operation here; None if it is about groups that callers made.

        Args:
            target: The operation, such as `Logs_20140328.GetLogEvents`.
            body: The request.

        Raises:
            AwsError: Groups of Glue runs cannot be changed or queried so.
        """
        operation = self.operations().get(target)
        if operation in (self.groups, self.list_groups):
            return operation
        if not target.startswith(TARGET) or not self.has_group(body):
            return None
        if operation is not None:
            return operation
        name = target.removeprefix(TARGET)
        if name in SETTINGS and self._were_created(body):
            return None
        if target in EMPTY:
            return lambda _: EMPTY[target]
        if name == "CreateLogGroup":
            raise AwsError("ResourceAlreadyExistsException", "The specified log group already exists")
        raise AwsError(
            "NotImplementedException",
            f"the embedded server does not model logs {name} for the log groups of Glue jobs; nothing was changed",
            501,
        )

    def has_group(self, body: Mapping[str, Any]) -> bool:
        """Return whether a request is about a group that Glue runs write to."""
        groups = [GROUP.fullmatch(name) for name in named_in(body)]
        # Every call for any group comes by here, and the records of runs are read only for names of this shape.
        places = {group["prefix"] for group in groups if group}
        return bool(places) and not places.isdisjoint({SHARED_PREFIX, *self._prefixes().values()})

    def _were_created(self, body: Mapping[str, Any]) -> bool:
        """Return whether a caller created the groups that a request names, as a stack does."""
        return {*named_in(body)} <= {group["logGroupName"] for group in all_groups((), self._call)}

    def groups(self, body: dict[str, Any]) -> dict[str, Any]:
        """DescribeLogGroups: a page of the groups of Glue runs and of callers, by name."""
        return page_of(selected(all_groups(self._own_groups(), self._call), body), body)

    def list_groups(self, body: dict[str, Any]) -> dict[str, Any]:
        """ListLogGroups: the same by a pattern with `^` and `|`, and of each group its name, ARN and class alone."""
        pattern = re.compile(body.get("logGroupNamePattern") or "")
        every = all_groups(self._own_groups(), self._call)
        page = page_of([group for group in every if pattern.search(group["logGroupName"])], body)
        groups = [{name: group[name] for name in LISTED if name in group} for group in page["logGroups"]]
        return {**page, "logGroups": groups}

    def _own_groups(self) -> Iterator[Event]:
        """Yield the groups that Glue runs have written to."""
        prefixes = self._prefixes()
        for place in {*prefixes.values()}:
            for kind in KINDS:
                files = [self._log_file(run, kind) for run, written in prefixes.items() if written == place]
                stats = [file.stat() for file in files if file.exists()]
                if stats:
                    created = min(int(stat.st_ctime * 1000) for stat in stats)
                    yield described(f"{place}/{kind}", created, sum(stat.st_size for stat in stats))

    def filter(self, body: dict[str, Any]) -> dict[str, Any]:
        """FilterLogEvents: of the streams named, or of those with the prefix, or of all, by time."""
        group = self._group(body)
        names = body.get("logStreamNames") or self._streams(group, body.get("logStreamNamePrefix", ""))
        for name in names:
            self._require(group, name)
        fits = matcher(body.get("filterPattern") or "")
        events = [event for name in names for event in self._events(group, name, body)]
        events = [event for event in events if fits(event["message"])]
        events.sort(key=lambda event: event["timestamp"])  # stable: lines of one stream keep their order
        first = int(body.get("nextToken") or 0)
        last = first + min(int(body.get("limit") or PAGE_EVENTS), PAGE_EVENTS)
        answer: dict[str, Any] = {"events": events[first:last], "searchedLogStreams": []}
        return answer | ({"nextToken": str(last)} if last < len(events) else {})

    def get(self, body: dict[str, Any]) -> dict[str, Any]:
        """GetLogEvents: a page of one stream; its tokens walk forward and backward, and stay put at the ends."""
        group, name = self._group(body), body["logStreamName"]
        self._require(group, name)
        events = [_without_id(event) for event in self._events(group, name, body)]
        limit = min(int(body.get("limit") or PAGE_EVENTS), PAGE_EVENTS)
        # A page's token at the end is the token that was sent: clients stop when it no longer changes.
        token = body.get("nextToken") or ("f/0" if body.get("startFromHead") else f"b/{len(events)}")
        direction, _, place = token.partition("/")
        first = max(int(place) - limit, 0) if direction == "b" else min(int(place), len(events))
        last = int(place) if direction == "b" else min(first + limit, len(events))
        return {
            "events": events[first:last],
            "nextForwardToken": f"f/{last}",
            "nextBackwardToken": f"b/{first}",
        }

    def streams(self, body: dict[str, Any]) -> dict[str, Any]:
        """DescribeLogStreams: newest run first."""
        group = self._group(body)
        names = self._streams(group, body.get("logStreamNamePrefix", ""))
        first = int(body.get("nextToken") or 0)
        last = first + int(body.get("limit") or 50)
        answer: dict[str, Any] = {"logStreams": [self._stream(group, name) for name in names[first:last]]}
        return answer | ({"nextToken": str(last)} if last < len(names) else {})

    def _group(self, body: Mapping[str, Any]) -> str:
        if not self.has_group(body):
            message = f"The specified log group does not exist: {_group_name(body)}"
            raise AwsError("ResourceNotFoundException", message)
        return _group_name(body)

    def _streams(self, group: str, prefix: str) -> list[str]:
        """Return the streams of a group that begin with the prefix, the newest run's first."""
        place = group.rpartition("/")[0]
        runs = [run for run, written in self._prefixes().items() if written == place]
        names = [f"{run}{end}" for run in runs for end in (DRIVER, f"-{PROGRESS_BAR}")]
        return [name for name in names if name.startswith(prefix) and self._file(group, name).exists()]

    def _require(self, group: str, name: str) -> None:
        if name not in self._streams(group, name):
            raise AwsError("ResourceNotFoundException", "The specified log stream does not exist.")

    def _file(self, group: str, name: str) -> Path:
        kind = group.rpartition("/")[2]
        run = name.removesuffix(f"-{PROGRESS_BAR}")
        if run != name:
            # In the group of Spark's lines alone; of the other group there is no such file.
            return self._log_file(run, PROGRESS_BAR if kind == "error" else f"{kind}-{PROGRESS_BAR}")
        return self._log_file(name.removesuffix(DRIVER), kind)

    def _stream(self, group: str, name: str) -> dict[str, Any]:
        stamps = [event["timestamp"] for event in self._events(group, name, {})]
        known = {"firstEventTimestamp": stamps[0], "lastEventTimestamp": stamps[-1]} if stamps else {}
        return {"logStreamName": name, **known}

    def _events(self, group: str, name: str, body: Mapping[str, Any]) -> Iterator[Event]:
        start, end = body.get("startTime", 0), body.get("endTime", float("inf"))
        with self._file(group, name).open("rb") as lines:
            for number, line in enumerate(lines):
                stamp, _, message = line.rstrip(b"\n").partition(b"\t")
                # A line without its end is still being written. CloudWatch takes no event without text.
                if message and line.endswith(b"\n") and start <= int(stamp) < end:
                    yield _event(group, name, number, int(stamp), message.decode(errors="replace"))


def _event(group: str, name: str, number: int, stamp: int, message: str) -> Event:
    # As long as CloudWatch's own ids, and the same in every answer.
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


def _group_name(body: Mapping[str, Any]) -> str:
    return name_of(str(body.get("logGroupName") or body.get("logGroupIdentifier") or ""))
