"""The key of an earlier stack, which encrypts the buckets and the secret that stayed when that stack was destroyed.

A key has no name by which CloudFormation could take it in. Without `infra.key_arn` a stack makes a second key, and its
roles may use that one only: they could not read what lies in the buckets already.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from etltctl.aws import Aws, translated
from etltctl.errors import BlockedError, ServiceError
from etltctl.infrastructure.names import Names
from etltctl.infrastructure.secret import key_of_secret

if TYPE_CHECKING:
    from etltctl.infrastructure.planning import Change

KEY, BUCKET = "AWS::KMS::Key", "AWS::S3::Bucket"
MANAGED_BY_AWS = "alias/aws/"  # every role of the account may use such a key through its service


def require_earlier_key(aws: Aws, names: Names, changes: Iterable[Change]) -> None:
    """Refuse a plan that makes a key although an earlier one encrypts what the stack takes in.

    Args:
        aws: The account.
        names: The stack's names.
        changes: The plan's changes.

    Raises:
        BlockedError: A bucket that is imported, or the secret, has a key already.
    """
    every = list(changes)
    if not any(change.type == KEY and change.action == "add" for change in every):
        return
    buckets = [change.id for change in every if change.type == BUCKET and change.action == "import"]
    keys = {f"bucket {bucket}": _key_of_bucket(aws, bucket) for bucket in buckets}
    keys[f"secret {names.airbyte_secret}"] = key_of_secret(aws, names)
    foreign = {thing: key for thing, key in keys.items() if key and MANAGED_BY_AWS not in key}
    if foreign:
        raise BlockedError(
            f"the stack would make a new key, but another key encrypts {', '.join(foreign)}: the roles of the stack "
            "could not read what is there; nothing was changed, and the data stays as it is",
            hint=_hint(list(foreign.values())),
            **foreign,
        )


def _hint(keys: list[str]) -> str:
    """Return the setting to write. `infra.key_arn` takes one key: the one that encrypts most."""
    key = max(keys, key=keys.count)
    if ":key/" in key:
        return f'set infra.key_arn = "{key}" in etltctl.toml, then: etltctl infra plan'
    return (
        "set infra.key_arn in etltctl.toml to what this prints: "
        f"aws kms describe-key --key-id {key} --query KeyMetadata.Arn"
    )


def _key_of_bucket(aws: Aws, bucket: str) -> str:
    """Return the key of a bucket's default encryption; empty if it has none of KMS."""
    try:
        with translated("s3", bucket=bucket):
            answer = aws.client("s3").get_bucket_encryption(Bucket=bucket)
    except ServiceError as error:
        if error.code != "ServerSideEncryptionConfigurationNotFoundError":
            raise
        return ""
    rules = answer["ServerSideEncryptionConfiguration"]["Rules"]
    defaults = [rule.get("ApplyServerSideEncryptionByDefault", {}) for rule in rules]
    return next((str(one["KMSMasterKeyID"]) for one in defaults if one.get("KMSMasterKeyID")), "")
