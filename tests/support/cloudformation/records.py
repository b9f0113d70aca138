"""Stacks, their resources, change sets and events, kept in memory until the server ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from etltctl.local.kernel.accounts import ACCOUNT

REGION = "us-east-1"
PSEUDO = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Region": REGION,
    "AWS::Partition": "aws",
    "AWS::URLSuffix": "amazonaws.com",
}


@dataclass
class Resource:
    """One resource of a stack: its definition and its state."""

    logical_id: str
    type: str
    properties: Mapping[str, Any]
    policy: str = "Delete"
    physical_id: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)
    status: str = ""
    was_there: bool = False  # imported, not created


@dataclass
class Change:
    """The change that a change set makes to one resource."""

    action: str
    logical_id: str
    type: str
    physical_id: str = ""
    replacement: str = ""
    details: list[dict[str, Any]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return the change as CloudFormation describes it."""
        facts = {
            "Action": self.action,
            "LogicalResourceId": self.logical_id,
            "PhysicalResourceId": self.physical_id,
            "ResourceType": self.type,
            "Replacement": self.replacement,
            "Details": self.details,
        }
        return {"Type": "Resource", "ResourceChange": {name: value for name, value in facts.items() if value}}


@dataclass
class ChangeSet:
    """A change set: its request, and the changes that it contains."""

    name: str
    token: str
    body: str
    template: Mapping[str, Any]
    parameters: Mapping[str, str]
    status: str = "CREATE_COMPLETE"
    execution: str = "AVAILABLE"
    reason: str = ""
    changes: list[Change] = field(default_factory=list)


@dataclass
class Stack:
    """A stack with its history, newest event first."""

    name: str
    id: str
    status: str = "REVIEW_IN_PROGRESS"
    body: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    resources: dict[str, Resource] = field(default_factory=dict)
    change_sets: dict[str, ChangeSet] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    created: str = field(default_factory=lambda: now())

    @classmethod
    def new(cls, name: str) -> Stack:
        """Return a new stack without resources."""
        return cls(name, f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{name}/{uuid4()}")

    def record(self, status: str, token: str, resource: Resource | None = None, reason: str = "") -> None:
        """Record an event of a resource, or of the stack, whose status then changes."""
        if resource is None:
            self.status = status
        else:
            resource.status = status
        event = {
            "StackId": self.id,
            "StackName": self.name,
            "EventId": str(uuid4()),
            "LogicalResourceId": resource.logical_id if resource else self.name,
            "PhysicalResourceId": resource.physical_id if resource else self.id,
            "ResourceType": resource.type if resource else "AWS::CloudFormation::Stack",
            "ResourceStatus": status,
            "ResourceStatusReason": reason,
            "ClientRequestToken": token,
            "Timestamp": now(),
        }
        self.events.insert(0, {name: value for name, value in event.items() if value})


def now() -> str:
    """Return the time, as CloudFormation writes it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
