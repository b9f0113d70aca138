"""The reasons for which the server refuses a caller, each with its code and HTTP status in each kind of service."""

from __future__ import annotations

from dataclasses import dataclass

HINT = 'this is etltctl\'s embedded server: eval "$(etltctl local env)" sets the keys of its state folder'


@dataclass(frozen=True)
class Reason:
    """One reason to refuse: its code and HTTP status in S3, in query services and in JSON services."""

    s3: tuple[str, int]
    query: tuple[str, int]
    json: str
    message: str


_SIGNATURE = (
    "The request signature we calculated does not match the signature you provided. "
    "Check your AWS Secret Access Key and signing method."
)
MISSING = Reason(
    ("AccessDenied", 403), ("MissingAuthenticationToken", 403), "MissingAuthenticationTokenException",
    f"Request is missing Authentication Token ({HINT})",
)  # fmt: skip
MALFORMED = Reason(
    ("AuthorizationHeaderMalformed", 400), ("IncompleteSignature", 400), "IncompleteSignatureException",
    "The authorization that you provided is malformed",
)  # fmt: skip
OLD_VERSION = Reason(
    ("InvalidRequest", 400), ("IncompleteSignature", 400), "IncompleteSignatureException",
    "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256 "
    '(in boto3: Config(signature_version="s3v4")).',
)  # fmt: skip
UNKNOWN_KEY = Reason(
    ("InvalidAccessKeyId", 403), ("InvalidClientTokenId", 403), "UnrecognizedClientException",
    f"The AWS access key ID that you provided does not exist in our records ({HINT})",
)  # fmt: skip
WRONG_TOKEN = Reason(
    ("InvalidToken", 400), ("InvalidClientTokenId", 403), "UnrecognizedClientException",
    "The security token included in the request is invalid",
)  # fmt: skip
EXPIRED_TOKEN = Reason(
    ("ExpiredToken", 400), ("ExpiredToken", 403), "ExpiredTokenException",
    "The security token included in the request is expired",
)  # fmt: skip
WRONG_SIGNATURE = Reason(
    ("SignatureDoesNotMatch", 403), ("SignatureDoesNotMatch", 403), "InvalidSignatureException", _SIGNATURE
)  # fmt: skip
SKEWED = Reason(
    ("RequestTimeTooSkewed", 403), ("SignatureDoesNotMatch", 403), "InvalidSignatureException",
    "Signature expired: the difference between the request time and the current time is too large",
)  # fmt: skip
EXPIRED_LINK = Reason(
    ("AccessDenied", 403), ("SignatureDoesNotMatch", 403), "InvalidSignatureException", "Request has expired"
)  # fmt: skip
UNSIGNED_HEADER = Reason(
    ("AccessDenied", 403), ("SignatureDoesNotMatch", 403), "InvalidSignatureException",
    "There were headers present in the request which were not signed",
)  # fmt: skip
NO_CONTENT_HASH = Reason(
    ("InvalidRequest", 400), ("IncompleteSignature", 400), "IncompleteSignatureException",
    "Missing or invalid required header for this request: x-amz-content-sha256",
)  # fmt: skip
WRONG_CONTENT = Reason(
    ("XAmzContentSHA256Mismatch", 400), ("SignatureDoesNotMatch", 403), "InvalidSignatureException",
    "The provided 'x-amz-content-sha256' header does not match what was computed.",
)  # fmt: skip


class RefusedError(Exception):
    """A call whose caller is not known, or that is not what its caller signed."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.message)
        self.reason = reason
