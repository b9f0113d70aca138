"""CloudFormation: stacks, change sets, and the events of an operation."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from etltctl.aws import Aws, translated
from etltctl.errors import ServiceError
from etltctl.runs import StackOperation

SERVICE = "cloudformation"
STACK_TYPE = "AWS::CloudFormation::Stack"
STARTS = frozenset({"CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS", "IMPORT_IN_PROGRESS"})
CAPABILITIES = ("CAPABILITY_NAMED_IAM",)
# The reason is the only sign: an empty change set has the status of a failed one.
NO_CHANGES = ("didn't contain changes", "No updates are to be performed")


@dataclass(frozen=True)
class Stack:
    """A stack as described. `status` is CloudFormation's word for it."""

    id: str
    name: str
    status: str
    reason: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ResourceChange:
    """The change of one resource in a change set. `replacement` is True, False, Conditional or empty."""

    action: str
    logical_id: str
    type: str
    physical_id: str = ""
    replacement: str = ""
    details: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True)
class ChangeSet:
    """A change set as described."""

    name: str
    status: str
    execution: str
    reason: str = ""
    changes: Sequence[ResourceChange] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to change, which CloudFormation reports as a failure."""
        return self.status == "FAILED" and any(words in self.reason for words in NO_CHANGES)

    @property
    def is_ready(self) -> bool:
        """Whether it can be executed."""
        return self.status == "CREATE_COMPLETE" and self.execution == "AVAILABLE"


@dataclass(frozen=True)
class StackEvent:
    """One line of a stack's history."""

    id: str
    at: datetime
    logical_id: str
    type: str
    status: str
    reason: str = ""
    token: str = ""
    physical_id: str = ""

    @property
    def is_of_stack(self) -> bool:
        """Whether it is about the stack as a whole."""
        return self.type == STACK_TYPE


@dataclass(frozen=True)
class StackResource:
    """A resource that a stack has."""

    logical_id: str
    physical_id: str
    type: str
    status: str


@dataclass(frozen=True)
class CloudFormation:
    """The stacks of one account and region.

    Every call that changes something carries a client token, so that one whose answer was lost may be sent again.
    """

    aws: Aws

    def find(self, name: str) -> Stack | None:
        """Return the stack of this name or id, or None."""
        try:
            with translated(SERVICE, stack=name):
                stack = self._client.describe_stacks(StackName=name)["Stacks"][0]
        except ServiceError as error:
            if error.code == "ValidationError" and "does not exist" in error.message:
                return None
            raise
        return Stack(
            stack["StackId"],
            stack["StackName"],
            stack["StackStatus"],
            stack.get("StackStatusReason", ""),
            {entry["ParameterKey"]: entry.get("ParameterValue", "") for entry in stack.get("Parameters", [])},
            {entry["OutputKey"]: entry["OutputValue"] for entry in stack.get("Outputs", [])},
        )

    def make_change_set(
        self,
        stack: str,
        name: str,
        body: str,
        parameters: Mapping[str, str],
        *,
        url: str,
        is_new: bool,
        adopts: bool,
    ) -> None:
        """Ask for a change set.

        Args:
            stack: The stack's name.
            name: The change set's name.
            body: The template.
            parameters: The template's parameters.
            url: Where CloudFormation reads the template; empty if it is sent in the call.
            is_new: Whether the stack does not exist yet.
            adopts: Whether resources that exist under the template's names are taken in.
        """
        pairs = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
        with translated(SERVICE, stack=stack):
            self._client.create_change_set(
                StackName=stack,
                ChangeSetName=name,
                ChangeSetType="CREATE" if is_new else "UPDATE",
                **({"TemplateURL": url} if url else {"TemplateBody": body}),
                # Every parameter each time: CloudFormation takes the default for one that is left out.
                Parameters=pairs,
                Capabilities=list(CAPABILITIES),
                ClientToken=name,
                ImportExistingResources=adopts,
            )

    def find_change_set(self, stack: str, name: str) -> ChangeSet | None:
        """Return the change set with all its changes, or None."""
        try:
            with translated(SERVICE, stack=stack, change_set=name):
                pages = [self._client.describe_change_set(StackName=stack, ChangeSetName=name)]
                # A page has at most 1 MB; a new stack of this size has several.
                while token := pages[-1].get("NextToken"):
                    pages.append(
                        self._client.describe_change_set(StackName=stack, ChangeSetName=name, NextToken=token)
                    )
        except ServiceError as error:
            if (
                error.code in {"ChangeSetNotFound", "ChangeSetNotFoundException"}
                or "does not exist" in error.message
            ):
                return None
            raise
        changes = [_change(entry["ResourceChange"]) for page in pages for entry in page.get("Changes", [])]
        last = pages[-1]
        return ChangeSet(
            name, last["Status"], last.get("ExecutionStatus", ""), last.get("StatusReason", ""), changes
        )

    def drop_change_set(self, stack: str, name: str) -> None:
        """Delete the change set; nothing else changes."""
        with translated(SERVICE, stack=stack, change_set=name):
            self._client.delete_change_set(StackName=stack, ChangeSetName=name)

    def execute(self, stack: str, name: str, token: str) -> None:
        """Start to carry the change set out."""
        with translated(SERVICE, stack=stack, change_set=name):
            self._client.execute_change_set(StackName=stack, ChangeSetName=name, ClientRequestToken=token)

    def delete(self, stack_id: str, token: str) -> None:
        """Start the stack's deletion; CloudFormation keeps what the template says to keep."""
        with translated(SERVICE, stack=stack_id):
            self._client.delete_stack(StackName=stack_id, ClientRequestToken=token)

    def resources(self, stack: str) -> list[StackResource]:
        """Return the resources that the stack has now."""
        with translated(SERVICE, stack=stack):
            pages = self._client.get_paginator("list_stack_resources").paginate(StackName=stack)
            summaries = [entry for page in pages for entry in page["StackResourceSummaries"]]
        return [
            StackResource(
                entry["LogicalResourceId"],
                entry.get("PhysicalResourceId", ""),
                entry["ResourceType"],
                entry["ResourceStatus"],
            )
            for entry in summaries
            # Resources that an update took away stay in the list.
            if entry["ResourceStatus"] != "DELETE_COMPLETE"
        ]

    def template(self, stack: str) -> Mapping[str, Any]:
        """Return the template that the stack was made from."""
        with translated(SERVICE, stack=stack):
            # botocore gives JSON as an object and YAML as text; etltctl deploys JSON.
            body = self._client.get_template(StackName=stack)["TemplateBody"]
        return dict(body) if isinstance(body, Mapping) else {}

    def last_operation(self, stack_id: str) -> list[StackEvent]:
        """Return the events of the last operation on the stack, oldest first, with the one that started it."""
        events: list[StackEvent] = []
        for event in self._events(stack_id):
            events.append(event)
            # The history has no marks between operations; the stack's own start event is the border.
            if event.is_of_stack and event.status in STARTS:
                break
        return events[::-1]

    def _events(self, stack_id: str) -> Iterator[StackEvent]:
        """Yield events, the newest first. A page is requested only when its first event is read."""
        with translated(SERVICE, stack=stack_id):
            for page in self._client.get_paginator("describe_stack_events").paginate(StackName=stack_id):
                yield from map(_event, page["StackEvents"])

    @property
    def _client(self) -> Any:
        return self.aws.client(SERVICE)


def operation_of(
    stack: Stack, events: Sequence[StackEvent], token: str = "", known: Collection[str] = ()
) -> StackOperation:
    """Return how far an operation is. One without an event is still under review.

    Args:
        stack: The stack.
        events: What `last_operation` returned.
        token: The client token of the request; empty for any operation that goes on.
        known: The ids of the events that were there before. Some services put no token into their events: there the
            operation began with the first event of the stack that is not one of these.
    """
    # The events of resources say nothing about whether the operation as a whole has ended.
    of_stack = [event for event in events if event.is_of_stack]
    # The newest operation may be another program's, which began after ours was requested.
    if token and events and events[0].token != token:
        of_stack = [] if events[0].token else [event for event in of_stack if event.id not in known]
    if not of_stack:
        return StackOperation(id=stack.id, name=stack.name, status="REVIEW_IN_PROGRESS")
    return StackOperation(
        id=stack.id, name=stack.name, status=of_stack[-1].status, reason=of_stack[-1].reason
    )


def first_failure(events: Sequence[StackEvent]) -> StackEvent | None:
    """Return the event of the resource that failed first. CloudFormation then cancels others, which fail as well."""
    return next(
        (
            event
            for event in events
            if event.status.endswith("_FAILED") and not event.is_of_stack and "cancelled" not in event.reason
        ),
        None,
    )


def _change(change: Mapping[str, Any]) -> ResourceChange:
    return ResourceChange(
        change["Action"],
        change["LogicalResourceId"],
        change["ResourceType"],
        change.get("PhysicalResourceId", ""),
        str(change.get("Replacement", "")),
        change.get("Details", []),
    )


def _event(event: Mapping[str, Any]) -> StackEvent:
    return StackEvent(
        event["EventId"],
        event["Timestamp"],
        event["LogicalResourceId"],
        event["ResourceType"],
        event["ResourceStatus"],
        event.get("ResourceStatusReason", ""),
        event.get("ClientRequestToken", ""),
        event.get("PhysicalResourceId", ""),
    )
