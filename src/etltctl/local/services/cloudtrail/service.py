"""CloudTrail's event history: what the services record, found again by name and time."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from threading import Lock
from typing import Any
from uuid import uuid4

from etltctl.local.kernel.accounts import ACCOUNT
from etltctl.local.kernel.json_protocol import AwsError, Operation

# LookupEvents returns 50 events a page at most, and takes one attribute only.
PAGE = 50
FIELDS = {"EventName": "eventName", "EventSource": "eventSource", "EventId": "eventID"}


class EventHistory:
    """Events in a file, one a line, the oldest first."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()

    def operations(self) -> dict[str, Operation]:
        """Return the operation that is answered here."""
        return {"com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents": self.look_up}

    def record(self, event: dict[str, Any]) -> None:
        """Keep an event with its id and time."""
        now = time.time()
        principal = (event.get("additionalEventData") or {}).get("lakeFormationPrincipal", "")
        entry = {
            "eventVersion": "1.09",
            "eventID": str(uuid4()),
            "eventTime": datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "awsRegion": "us-east-1",
            "recipientAccountId": ACCOUNT,
            "userIdentity": {"type": "AWSService", "invokedBy": "athena.amazonaws.com", "arn": principal},
            **event,
        }
        # Two threads that append at once could mix their lines.
        with self._lock:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a") as file:
                file.write(json.dumps({"at": now, "event": entry}) + "\n")

    def look_up(self, body: dict[str, Any]) -> dict[str, Any]:
        """LookupEvents: by one attribute and by time, the newest first, fifty a page."""
        attributes = body.get("LookupAttributes") or []
        if len(attributes) > 1 or any(attribute["AttributeKey"] not in FIELDS for attribute in attributes):
            raise AwsError(
                "InvalidLookupAttributesException", "One of EventName, EventSource, EventId is supported."
            )
        begin, end = body.get("StartTime", 0), body.get("EndTime", float("inf"))
        matching = [
            _shown(kept)
            for kept in self._kept()
            if begin <= kept["at"] <= end
            and all(kept["event"][FIELDS[a["AttributeKey"]]] == a["AttributeValue"] for a in attributes)
        ][::-1]
        # A position: an event that comes between two pages moves the rest, and a reader gets one event twice.
        first = int(body.get("NextToken") or 0)
        last = first + min(int(body.get("MaxResults") or PAGE), PAGE)
        return {"Events": matching[first:last]} | ({"NextToken": str(last)} if last < len(matching) else {})

    def _kept(self) -> Iterator[dict[str, Any]]:
        if not self._path.exists():
            return
        for line in self._path.read_text().splitlines():
            try:
                yield json.loads(line)
            except ValueError:
                continue  # half written by a server that was killed


def _shown(kept: dict[str, Any]) -> dict[str, Any]:
    event = kept["event"]
    return {
        "EventId": event["eventID"],
        "EventName": event["eventName"],
        "EventSource": event["eventSource"],
        "EventTime": kept["at"],
        "ReadOnly": "true",
        "CloudTrailEvent": json.dumps(event),
    }
