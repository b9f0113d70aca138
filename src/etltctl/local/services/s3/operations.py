"""The operations of S3 that are modelled, and how a request is matched to one.

A request that fits no line of this table is refused with `NotImplemented`. So a sub-resource that S3 gets in some
later year (`?renameObject`) is never answered as the plain operation beneath it, which would overwrite or delete.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from etltctl.local.kernel.json_protocol import AwsError
from etltctl.local.services.s3.call import Call, is_moved

COPY_SOURCE = "x-amz-copy-source"
# These say who calls or name the operation, whichever it is.
ANYWHERE = frozenset({"x-id", "AWSAccessKeyId", "Signature", "Expires"})
# To ignore these would store or delete something else than the caller means.
REFUSED_HEADERS = (
    "x-amz-object-lock-",
    "x-amz-server-side-encryption-customer-",
    "x-amz-copy-source-server-side-encryption-customer-",
    "x-amz-website-redirect-location",
    "x-amz-write-offset-bytes",
    "x-amz-rename-source",
    "x-amz-if-match-",
    "x-amz-mfa",
)


@dataclass(frozen=True)
class Operation:
    """One operation: its method, what it addresses, and the query parameters that it must and may have."""

    name: str
    method: str
    level: str
    markers: frozenset[str] = frozenset()
    optional: frozenset[str] = frozenset()
    copies: bool = False

    def fits(self, call: Call) -> bool:
        """Return whether the request is one for this operation."""
        if (self.method, self.level) != (call.method, call.level):
            return False
        names = {name for name in call.query if name not in ANYWHERE and not is_moved(name)}
        is_copy = COPY_SOURCE in call.headers
        return self.markers <= names <= self.markers | self.optional and is_copy == self.copies


def _operation(line: str, *, copies: bool = False) -> Operation:
    """Read `Name METHOD level marker… [optional…]`."""
    required, _, optional = line.partition("[")
    name, method, level, *markers = required.split()
    return Operation(name, method, level, frozenset(markers), frozenset(optional.strip("]").split()), copies)


# Settings of a bucket, by sub-resource: the names of their operations, and S3's error while there is none.
CONFIGURATIONS: Mapping[str, tuple[str, str, str, str]] = {
    "policy": ("GetBucketPolicy", "PutBucketPolicy", "DeleteBucketPolicy", "NoSuchBucketPolicy"),
    "encryption": (
        "GetBucketEncryption", "PutBucketEncryption", "DeleteBucketEncryption",
        "ServerSideEncryptionConfigurationNotFoundError",
    ),
    "lifecycle": (
        "GetBucketLifecycleConfiguration", "PutBucketLifecycleConfiguration", "DeleteBucketLifecycle",
        "NoSuchLifecycleConfiguration",
    ),
    "ownershipControls": (
        "GetBucketOwnershipControls", "PutBucketOwnershipControls", "DeleteBucketOwnershipControls",
        "OwnershipControlsNotFoundError",
    ),
    "publicAccessBlock": (
        "GetPublicAccessBlock", "PutPublicAccessBlock", "DeletePublicAccessBlock",
        "NoSuchPublicAccessBlockConfiguration",
    ),
    "versioning": ("GetBucketVersioning", "PutBucketVersioning", "", ""),
}  # fmt: skip
_CONFIGURING = [
    Operation(name, method, "bucket", frozenset({marker}))
    for marker, names in CONFIGURATIONS.items()
    for name, method in zip(names, ("GET", "PUT", "DELETE"), strict=False)
    if name
]
_OVERRIDES = " ".join(
    f"response-{name}"
    for name in (
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-type",
        "expires",
    )
)
_PAGE = "delimiter encoding-type max-keys prefix"

OPERATIONS: tuple[Operation, ...] = (
    _operation("ListBuckets GET service [max-buckets continuation-token prefix bucket-region]"),
    _operation("CreateBucket PUT bucket"),
    _operation("HeadBucket HEAD bucket"),
    _operation("DeleteBucket DELETE bucket"),
    _operation("GetBucketLocation GET bucket location"),
    _operation(f"ListObjects GET bucket [{_PAGE} marker]"),
    _operation(f"ListObjectsV2 GET bucket list-type [{_PAGE} continuation-token fetch-owner start-after]"),
    _operation(
        "ListMultipartUploads GET bucket uploads "
        "[delimiter encoding-type key-marker max-uploads prefix upload-id-marker]"
    ),
    _operation("DeleteObjects POST bucket delete"),
    *_CONFIGURING,
    _operation(f"GetObject GET object [{_OVERRIDES} versionId]"),
    _operation(f"HeadObject HEAD object [{_OVERRIDES} versionId]"),
    _operation("PutObject PUT object"),
    _operation("CopyObject PUT object", copies=True),
    _operation("DeleteObject DELETE object [versionId]"),
    _operation("GetObjectTagging GET object tagging [versionId]"),
    _operation("PutObjectTagging PUT object tagging [versionId]"),
    _operation("DeleteObjectTagging DELETE object tagging [versionId]"),
    _operation("CreateMultipartUpload POST object uploads"),
    _operation("UploadPart PUT object uploadId partNumber"),
    _operation("UploadPartCopy PUT object uploadId partNumber", copies=True),
    _operation("ListParts GET object uploadId [max-parts part-number-marker]"),
    _operation("CompleteMultipartUpload POST object uploadId"),
    _operation("AbortMultipartUpload DELETE object uploadId"),
)


def operation_of(call: Call, operations: Iterable[Operation] = OPERATIONS) -> Operation:
    """Return the operation that a request is for.

    Raises:
        AwsError: `NotImplemented` (501) if the request is for none of them.
    """
    refused = sorted(name for name in call.headers if name.startswith(REFUSED_HEADERS))
    matching = [operation for operation in operations if operation.fits(call)]
    if matching and not refused:
        return matching[0]
    names = ", ".join(sorted(name for name in call.query if name not in ANYWHERE and not is_moved(name)))
    asked = f"{call.method} on {'the service' if call.level == 'service' else f'a {call.level}'}"
    with_names = f" with {names}" if names else ""
    with_headers = f" with the header {refused[0]}" if refused else ""
    raise AwsError(
        "NotImplemented",
        f"the embedded S3 does not model {asked}{with_names}{with_headers}; nothing was changed",
        501,
    )
