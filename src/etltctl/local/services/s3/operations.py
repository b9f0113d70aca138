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
# The Amazon's headers that are understood; one that ends with `-` stands for all that begin with it. To ignore
# another would store, return or delete something else than the caller means.
KNOWN_HEADERS = (
    "x-amz-acl",
    "x-amz-algorithm",
    "x-amz-api-version",
    "x-amz-bucket-object-lock-enabled",
    "x-amz-bypass-governance-retention",
    "x-amz-checksum-",
    "x-amz-content-sha256",
    "x-amz-copy-source",
    "x-amz-copy-source-if-",
    "x-amz-copy-source-range",
    "x-amz-credential",
    "x-amz-date",
    "x-amz-decoded-content-length",
    "x-amz-expected-bucket-owner",
    "x-amz-expires",
    "x-amz-max-parts",
    "x-amz-meta-",
    "x-amz-metadata-directive",
    "x-amz-mp-object-size",
    "x-amz-object-attributes",
    "x-amz-object-ownership",
    "x-amz-optional-object-attributes",
    "x-amz-part-number-marker",
    "x-amz-request-payer",
    "x-amz-sdk-",
    "x-amz-security-token",
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-server-side-encryption-bucket-key-enabled",
    "x-amz-server-side-encryption-context",
    "x-amz-signature",
    "x-amz-signedheaders",
    "x-amz-source-expected-bucket-owner",
    "x-amz-storage-class",
    "x-amz-tagging",
    "x-amz-tagging-directive",
    "x-amz-te",
    "x-amz-trailer",
    "x-amz-user-agent",
)
# Values that change nothing, of headers that have others. An account has one storage class and no access lists, and
# a lock would keep an object from being deleted.
HARMLESS: Mapping[str, frozenset[str]] = {
    "x-amz-acl": frozenset({"", "private", "bucket-owner-full-control", "bucket-owner-read"}),
    "x-amz-storage-class": frozenset({"", "STANDARD"}),
    "x-amz-bucket-object-lock-enabled": frozenset({"", "false", "False"}),
}


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
        # The one header that turns an operation into another one.
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
    _operation(f"ListObjectVersions GET bucket versions [{_PAGE} key-marker version-id-marker]"),
    _operation(
        "ListMultipartUploads GET bucket uploads "
        "[delimiter encoding-type key-marker max-uploads prefix upload-id-marker]"
    ),
    _operation("DeleteObjects POST bucket delete"),
    *_CONFIGURING,
    _operation(f"GetObject GET object [{_OVERRIDES} partNumber versionId]"),
    _operation(f"HeadObject HEAD object [{_OVERRIDES} partNumber versionId]"),
    _operation("GetObjectAttributes GET object attributes [versionId]"),
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
    refused = sorted(name for name in call.headers if not _is_understood(name, call.headers[name]))
    matching = [operation for operation in operations if operation.fits(call)]
    if matching and not refused:
        return matching[0]
    names = ", ".join(sorted(name for name in call.query if name not in ANYWHERE and not is_moved(name)))
    description = f"{call.method} on {'the service' if call.level == 'service' else f'a {call.level}'}"
    with_names = f" with {names}" if names else ""
    with_headers = f" with the header {refused[0]}: {call.headers[refused[0]]}" if refused else ""
    raise AwsError(
        "NotImplemented",
        f"the embedded S3 does not model {description}{with_names}{with_headers}; nothing was changed",
        501,
    )


def _is_understood(header: str, value: str) -> bool:
    if not header.startswith("x-amz-"):
        return True
    if not any(header == known or (known[-1] == "-" and header.startswith(known)) for known in KNOWN_HEADERS):
        return False
    return header not in HARMLESS or value in HARMLESS[header]
