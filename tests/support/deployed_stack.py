"""A deployed stack according to CloudFormation and to the services of its resources."""

from __future__ import annotations

from botocore.exceptions import ClientError

from support.account import LOOK
from support.checkout import Checkout


def resources(checkout: Checkout) -> dict[str, tuple[str, str]]:
    """Return type and physical id of the stack's resources by logical id."""
    pages = (
        checkout.client("cloudformation")
        .get_paginator("list_stack_resources")
        .paginate(StackName=checkout.project)
    )
    return {
        one["LogicalResourceId"]: (one["ResourceType"], one["PhysicalResourceId"])
        for page in pages
        for one in page["StackResourceSummaries"]
    }


def status(checkout: Checkout) -> str:
    """Return CloudFormation's status of the stack."""
    answer = checkout.client("cloudformation").describe_stacks(StackName=checkout.project)
    return str(answer["Stacks"][0]["StackStatus"])


def is_there(checkout: Checkout, kind: str, name: str) -> bool:
    try:
        return bool(LOOK[kind](checkout.client, name))
    except (ClientError, LookupError, TypeError):  # None if a record is missing
        return False
