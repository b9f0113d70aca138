"""What a refused AWS call says: which principal lacks which action on which resource."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from etltctl.errors import NextStep, command

# Operations whose permission has another name.
PERMISSION = {
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
    "s3:CopyObject": "s3:PutObject",
    "s3:DeleteObjects": "s3:DeleteObject",
    "s3:GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:CreateMultipartUpload": "s3:PutObject",
    "s3:UploadPart": "s3:PutObject",
    "s3:UploadPartCopy": "s3:PutObject",
    "s3:CompleteMultipartUpload": "s3:PutObject",
}
# What a call was about, by the names of an error's facts, the most exact first.
ABOUT = (
    "location", "table", "database", "job", "workgroup", "query", "secret", "bucket", "role", "principal", "event",
)  # fmt: skip
# AWS names principal and action, and sometimes the resource, quoted or not. S3 often says "Access Denied" and no more.
IAM = re.compile(
    r"User: (?P<principal>\S+) is not authorized to perform: (?P<action>[\w-]+:\w+)"
    r'(?: on resource: "?(?P<resource>[^\s"]+)"?)?'
)
LAKE_FORMATION = re.compile(
    r"Insufficient Lake Formation permission\(s\)"
    r"(?:: Required (?P<permission>[A-Z][\w ]*?) on (?P<object>\S+)| on (?P<location>s3\S+))"
)
GRANT = NextStep(
    "grant it in Lake Formation: add it to governance.grants, then: ",
    command("govern", "apply"),
    "; docs/governance.md lists what each step needs",
)


@dataclass(frozen=True)
class Denial:
    """A permission that is missing; what the service does not say is empty."""

    action: str
    resource: str = ""
    principal: str = ""
    is_lake_formation: bool = False

    @property
    def hint(self) -> NextStep:
        """What to do about it."""
        if self.is_lake_formation:
            return GRANT
        on = f" on {self.resource}" if self.resource else ""
        return NextStep(f"allow {self.action}{on} to {self.principal or 'the calling principal'} in IAM")

    @property
    def facts(self) -> dict[str, str]:
        """The particulars that are known, in the order in which they are read."""
        named = {"principal": self.principal, "action": self.action, "resource": self.resource}
        return {name: text for name, text in named.items() if text}


def denial_of(service: str, operation: str, text: str, facts: Mapping[str, object]) -> Denial:
    """Return what a refused call lacked.

    Args:
        service: The service, such as `glue`.
        operation: The operation, such as `GetTable`.
        text: The service's own words.
        facts: What the call was about, as the error's facts say it.
    """
    about = next((str(facts[name]) for name in ABOUT if facts.get(name)), "")
    if missing := LAKE_FORMATION.search(text):
        permission = (missing["permission"] or "DATA_LOCATION_ACCESS").replace(" ", "_").upper()
        return Denial(permission, missing["location"] or missing["object"], is_lake_formation=True)
    action = PERMISSION.get(f"{service}:{operation}", f"{service}:{operation}")
    refused = IAM.search(text)
    if refused is None:
        return Denial(action, about)
    return Denial(refused["action"], refused["resource"] or about, refused["principal"])
