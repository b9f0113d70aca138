"""CloudTrail: events of the last 90 days by name, read no faster than LookupEvents allows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from etltctl.aws import Aws, translated
from etltctl.waiting import Pace

CALLS_A_SECOND = 2.0  # LookupEvents, of an account in a region
PAGE = 50


@dataclass(frozen=True)
class CloudTrail:
    """The event history of one account and region."""

    aws: Aws
    pace: Pace = field(default_factory=lambda: Pace(CALLS_A_SECOND))

    def events(self, name: str, since: datetime) -> Iterator[dict[str, Any]]:
        """Yield the records of events of this name, newest first; the service keeps them for 90 days."""
        query: dict[str, Any] = {
            "LookupAttributes": [{"AttributeKey": "EventName", "AttributeValue": name}],
            "StartTime": since,
            "MaxResults": PAGE,
        }
        while True:
            # The limit is the account's: a faster reader would throttle every other program in it.
            self.pace.take()
            with translated("cloudtrail", event=name):
                answer = self.aws.client("cloudtrail").lookup_events(**query)
            for event in answer["Events"]:
                yield json.loads(event["CloudTrailEvent"])
            if not answer.get("NextToken"):
                return
            query["NextToken"] = answer["NextToken"]
