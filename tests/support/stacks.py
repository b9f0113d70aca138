"""Small separate stacks, which show what the embedded CloudFormation refuses."""

from __future__ import annotations

import json
from typing import Any

from support.checkout import Checkout
from support.served import wait_until


def create_stack(checkout: Checkout, name: str, template: dict[str, Any]) -> dict[str, str]:
    """Create a stack and wait for its end; return the reasons of its failed resources by logical id."""
    client = checkout.client("cloudformation")
    client.create_change_set(
        StackName=name,
        ChangeSetName="all",
        ChangeSetType="CREATE",
        TemplateBody=json.dumps(template),
        ImportExistingResources=True,
    )
    client.execute_change_set(StackName=name, ChangeSetName="all")
    wait_until(lambda: status_of(checkout, name) in {"CREATE_COMPLETE", "ROLLBACK_COMPLETE"}, 30)
    failed = [
        event
        for event in client.describe_stack_events(StackName=name)["StackEvents"]
        if event["ResourceStatus"] == "CREATE_FAILED"
    ]
    return {event["LogicalResourceId"]: event["ResourceStatusReason"] for event in failed}


def removed(checkout: Checkout, name: str) -> None:
    """Delete a stack and wait for its end."""
    client = checkout.client("cloudformation")
    stack = client.describe_stacks(StackName=name)["Stacks"][0]["StackId"]
    client.delete_stack(StackName=name)
    wait_until(lambda: status_of(checkout, stack) == "DELETE_COMPLETE", 30)


def status_of(checkout: Checkout, name: str) -> str:
    """Return CloudFormation's status of the stack."""
    stacks = checkout.client("cloudformation").describe_stacks(StackName=name)["Stacks"]
    return str(stacks[0]["StackStatus"])
