"""The log groups that Glue runs write to, listed together with the groups that callers made."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from etltctl.local.kernel.accounts import ACCOUNT
from etltctl.local.kernel.json_protocol import AwsError

Shape = dict[str, Any]

KINDS = ("error", "output")  # the two groups of a prefix, in alphabetical order
PAGE_GROUPS = 50
ARN = re.compile(r"arn:aws:logs:[^:]*:\d*:log-group:(?P<name>[^:]+)(:\*)?")


def name_of(identifier: str) -> str:
    """Return the name of a group that a call names by its name or by its ARN."""
    arn = ARN.fullmatch(identifier)
    return arn["name"] if arn else identifier


def named_in(body: Mapping[str, Any]) -> list[str]:
    """Return the groups that a request names, in any of the fields that the operations of CloudWatch Logs have."""
    single = [body.get(field) for field in ("logGroupName", "logGroupIdentifier", "resourceArn")]
    several = [body.get(field) or [] for field in ("logGroupNames", "logGroupIdentifiers")]
    return [name_of(str(name)) for name in (*single, *several[0], *several[1]) if name]


def described(name: str, created_ms: int, stored: int) -> Shape:
    """Return a group as DescribeLogGroups describes it."""
    arn = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:{name}"
    return {
        "logGroupName": name,
        "creationTime": created_ms,
        "metricFilterCount": 0,
        "arn": f"{arn}:*",
        "logGroupArn": arn,
        "storedBytes": stored,
        "logGroupClass": "STANDARD",
    }


def all_groups(own: Iterable[Shape], call: Callable[[str, Shape], Shape]) -> list[Shape]:
    """Return every group by name: those of Glue runs, and those that callers made."""
    groups: dict[str, Shape] = {}
    request: Shape = {"limit": PAGE_GROUPS}
    while True:
        page = call("Logs_20140328.DescribeLogGroups", request)
        groups |= {group["logGroupName"]: group for group in page["logGroups"]}
        if not page.get("nextToken"):  # moto's last page has the member, and it is null
            break
        request = {"limit": PAGE_GROUPS, "nextToken": page["nextToken"]}
    # A caller may have created a group before its first run, with a retention for example: that stays.
    groups |= {group["logGroupName"]: groups.get(group["logGroupName"], {}) | group for group in own}
    return [groups[name] for name in sorted(groups)]


def selected(groups: Sequence[Shape], body: Mapping[str, Any]) -> list[Shape]:
    """Return the groups that DescribeLogGroups asks for: by the start of the name, a part of it, or several names."""
    prefix, part = body.get("logGroupNamePrefix") or "", body.get("logGroupNamePattern") or ""
    if prefix and part:
        raise AwsError(
            "InvalidParameterException",
            "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.",
        )
    names = {name_of(name) for name in body.get("logGroupIdentifiers") or ()}
    return [
        group
        for group in groups
        if group["logGroupName"].startswith(prefix)
        and part.lower() in group["logGroupName"].lower()
        and (not names or group["logGroupName"] in names)
    ]


def page_of(groups: Sequence[Shape], body: Mapping[str, Any]) -> Shape:
    """Return a page of groups; its token says the name that the next page begins after."""
    after = body.get("nextToken") or ""
    # By name and not by position: a group that is created between two pages moves no other.
    left = [group for group in groups if group["logGroupName"] > after]
    limit = min(int(body.get("limit") or PAGE_GROUPS), PAGE_GROUPS)
    token = {"nextToken": left[limit - 1]["logGroupName"]} if len(left) > limit else {}
    return {"logGroups": left[:limit], **token}
