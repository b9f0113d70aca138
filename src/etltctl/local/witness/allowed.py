"""What the witness lets pass: violations that etltctl cannot change, and error codes that no model declares.

Each has its reason.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from etltctl.local.witness.messages import Answer


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


# AWS documents these as common to the operations of all services, under one or the other name. No model lists them.
COMMON = frozenset(
    {
        "AccessDenied", "AccessDeniedException", "ExpiredToken", "ExpiredTokenException", "IncompleteSignature",
        "IncompleteSignatureException", "InternalFailure", "InvalidAction", "InvalidClientTokenId",
        "InvalidSignatureException", "MalformedHttpRequestException", "MissingAuthenticationToken",
        "MissingAuthenticationTokenException", "RequestExpired", "RequestEntityTooLargeException",
        "SerializationException", "ServiceUnavailable", "SignatureDoesNotMatch", "Throttling", "ThrottlingException",
        "UnknownOperationException", "UnrecognizedClientException", "ValidationError", "ValidationException",
    }
)  # fmt: skip
# Codes of the embedded server alone, each with the reason for which it stays.
EMBEDDED = {
    "NotImplemented": "the server lacks the operation, and says so in S3's word",
    "NotImplementedException": "the server lacks the operation, and says so",
    "WitnessViolation": "the call contradicts the model",
}
# Services whose models declare some errors only, with the reason.
INCOMPLETE = {
    "ec2": "EC2 documents its codes for the whole service and declares none",
    "s3": "S3 documents its codes for the whole service and declares a few",
}


def undeclared_code(operation: Any, protocol: str, answer: Answer) -> str:
    """Return the error code of a refusal that no client expects of the operation; empty if there is none.

    Args:
        operation: botocore's model of the operation. One that declares no errors allows every code.
        protocol: The protocol of the call, such as `json`.
        answer: The refusal.
    """
    from botocore.parsers import create_parser

    if not operation.error_shapes or operation.service_model.service_name in INCOMPLETE:
        return ""
    response = {"status_code": answer.status, "headers": answer.headers, "body": answer.body or b""}
    parsed = create_parser(protocol).parse(response, operation.output_shape)
    code = str(parsed.get("Error", {}).get("Code", ""))
    declared = {shape.error_code for shape in operation.error_shapes}
    return "" if code in COMMON | EMBEDDED.keys() | declared else code
