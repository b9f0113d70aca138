"""The calls that were made over the wire, as the embedded server noted them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

LINE = re.compile(r"INFO (\S+) (\S+) (\S+) (\S+) \d+ by (\S+)$", re.MULTILINE)
SERVICES = {"AWSGlue": "glue", "AmazonAthena": "athena", "Logs_20140328": "logs", "AmazonSSM": "ssm"}
OF_OBJECTS = {
    "GET": "GetObject",
    "HEAD": "HeadObject",
    "PUT": "PutObject",
    "DELETE": "DeleteObject",
    "POST": "CreateMultipartUpload",
}


@dataclass(frozen=True)
class Call:
    """One operation, and for S3 the bucket it was about."""

    name: str
    bucket: str = ""


# What the library calls in special cases that no run of the tests' small pipeline meets; tests/infra calls each.
SPECIAL = frozenset(
    {
        "glue:BatchCreatePartition", "glue:BatchDeletePartition",
        "glue:BatchUpdatePartition", "glue:CreateDatabase", "glue:DeleteTable",
        "glue:GetPartitions", "s3:DeleteObjects",
    }
)  # fmt: skip


def calls(log: Path, who: str) -> set[Call]:
    """Every AWS call that was signed by `who`, from the server's log."""
    text = log.read_text()
    found = (_call(*line[:4]) for line in LINE.findall(text) if line[4] == who)
    return {call for call in found if call is not None}


def _call(method: str, path: str, names: str, target: str) -> Call | None:
    if target != "-":
        service, _, operation = target.partition(".")
        return Call(f"{SERVICES.get(service, service)}:{operation}")
    bucket, _, key = path.strip("/").partition("/")
    if not bucket or bucket == "_etltctl":
        return None
    if names == "delete":
        return Call("s3:DeleteObjects", bucket)
    if key:
        return Call(f"s3:{OF_OBJECTS[method]}", bucket)
    return Call("s3:ListObjectsV2" if "list-type" in names else f"s3:{method} {names}", bucket)
