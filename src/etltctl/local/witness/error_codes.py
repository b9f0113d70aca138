"""Error codes of refusals, compared with those that the service's model declares for the operation."""

from __future__ import annotations

from typing import Any

from etltctl.local.witness.messages import Answer

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
