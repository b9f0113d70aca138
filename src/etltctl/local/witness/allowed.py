"""Violations in answers that etltctl did not write and cannot change, each with its reason."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Allowed:
    """Violations of one operation (`*` for all of a service) that are known, and why they stay."""

    service: str
    operation: str
    pattern: str
    reason: str


ALLOWED: tuple[Allowed, ...] = (
    Allowed(
        "athena",
        "CreateWorkGroup",
        r"output\.CreateWorkGroupResponse is not known",
        "moto wraps an answer that is empty by the model; SDKs leave the wrapper out",
    ),
    Allowed(
        "athena",
        "ListQueryExecutions",
        r"the number of output\.QueryExecutionIds is 0",
        "a workgroup may have no queries; the minimum of one is that of BatchGetQueryExecution's request",
    ),
    Allowed(
        "budgets",
        "DescribeBudgets",
        r"output\.nextToken is not known",
        "moto writes the name with a small letter and its value is always null; SDKs leave it out",
    ),
    Allowed(
        "cloudformation",
        "DescribeStackEvents",
        r"ResourceStatus is '(REVIEW_IN_PROGRESS|UPDATE_COMPLETE_CLEANUP_IN_PROGRESS)'",
        "events of a stack itself have statuses of stacks, which the model's list for resources lacks",
    ),
    Allowed(
        "ec2",
        "*",
        r"output\..*\.(Platform|State) is '[^']+', which is not one of",
        "EC2 writes these in lower case, as moto does; the model's lists have capitals",
    ),
    Allowed(
        "secretsmanager",
        "ListSecrets",
        r"VersionIdsToStages is not known",
        "moto answers with the member of DescribeSecret; SDKs leave it out",
    ),
    Allowed(
        "secretsmanager",
        "DescribeSecret",
        r"SecretVersionsToStages is not known",
        "moto answers with the member of ListSecrets; SDKs leave it out",
    ),
    Allowed(
        "lakeformation",
        "*",
        r"the number of output\..*TagValues is \d+, the maximum is 50",
        "a key has up to 1000 values; the maximum of 50 is that of one request",
    ),
    Allowed(
        "lakeformation",
        "ListLFTags",
        r"the number of output\.LFTags is 0",
        "an account may have no LF-tags; the minimum of one is that of a list of tags in a request",
    ),
)


def is_allowed(service: str, operation: str, violation: str) -> bool:
    """Return whether a violation is in the list."""
    return any(
        each.service == service
        and each.operation in ("*", operation)
        and re.search(each.pattern, violation) is not None
        for each in ALLOWED
    )
