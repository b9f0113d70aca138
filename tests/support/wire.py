"""The calls that were made over the wire, as the embedded server's witness recorded them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from etltctl.infrastructure.calls import ON_BUCKETS, PERMISSION
from etltctl.local.witness import read_seen

NEEDS_NO_PERMISSION = frozenset({"sts:GetCallerIdentity"})


@dataclass(frozen=True)
class Call:
    """One operation, and for S3 its bucket and key."""

    name: str
    resource: str = ""

    @property
    def bucket(self) -> str:
        """Return the bucket of a call to S3."""
        return self.resource.partition("/")[0]

    @property
    def action(self) -> str:
        """Return the IAM action that allows the call."""
        return PERMISSION.get(self.name, self.name)

    @property
    def arn(self) -> str:
        """Return the ARN that a policy must name; empty if the witness does not record it."""
        if not self.resource:
            return ""
        is_on_bucket = self.action in ON_BUCKETS
        # DeleteObjects names its keys in the body: any key of the bucket stands for them.
        place = self.bucket if is_on_bucket else f"{self.bucket}/{self.resource.partition('/')[2] or 'key'}"
        return f"arn:aws:s3:::{place}"


# Calls of a service that the embedded account does not have; tests with another server make them.
ELSEWHERE = frozenset({"sns:Publish"})
# Calls of special cases that no run of the tests' small pipeline makes; other tests make each of them.
SPECIAL = frozenset(
    {
        "athena:ListQueryExecutions", "glue:BatchCreatePartition", "glue:BatchDeletePartition",
        "glue:BatchUpdatePartition", "glue:CreateDatabase", "glue:DeleteTable",
        "glue:GetPartitions", "s3:AbortMultipartUpload", "s3:CompleteMultipartUpload", "s3:CreateMultipartUpload",
        "s3:DeleteObjects", "s3:HeadObject", "s3:UploadPartCopy",
    }
)  # fmt: skip


def calls(witness: Path, who: str) -> set[Call]:
    """Return every AWS call that `who` signed, from the witness's file."""
    requests = (seen for seen in read_seen(witness) if seen.caller == who)
    return {Call(f"{seen.service}:{seen.operation}", seen.resource) for seen in requests}


def flaws(witness: Path) -> set[str]:
    """Return what contradicts the services' models in a witness's file, and why any call in it was not checked."""
    seen = read_seen(witness)
    assert seen, f"{witness} holds no call"
    texts = {(call, text) for call in seen for text in (*call.violations, call.unchecked) if text}
    return {f"{call.service} {call.operation}: {text}" for call, text in texts}


def granting(statements: Iterable[Mapping[str, Any]], call: Call) -> list[str]:
    """Return the ids of a policy's statements that allow the call; those without a resource to compare count too."""
    return [
        statement["Sid"]
        for statement in statements
        if call.action in statement["Action"]
        and (not call.arn or any(fnmatchcase(call.arn, resource) for resource in statement["Resource"]))
    ]
