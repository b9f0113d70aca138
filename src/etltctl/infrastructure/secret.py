"""The secret that holds Airbyte's credentials. It is not part of the stack.

CloudFormation cannot take in a secret that an earlier stack left behind: it imports a resource by its primary
identifier, and that of AWS::SecretsManager::Secret is an ARN that only the service gives. So the secret is not in the
template; `etltctl infra deploy` makes it where it is missing.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from etltctl.aws import Aws, translated
from etltctl.errors import ServiceError
from etltctl.infrastructure.names import Names

SERVICE = "secretsmanager"
TYPE = "AWS::SecretsManager::Secret"
DESCRIPTION = "For Airbyte: client_id, client_secret, SOURCE_connection_id; put in by hand"


class SecretState(StrEnum):
    """Whether the secret is there, is missing, or waits for its deletion."""

    THERE = "there"
    MISSING = "missing"
    DELETED = "scheduled for deletion"


def secret_state(aws: Aws, names: Names) -> SecretState:
    """Return how the secret stands."""
    secret = _described(aws, names)
    if secret is None:
        return SecretState.MISSING
    return SecretState.DELETED if secret.get("DeletedDate") else SecretState.THERE


def key_of_secret(aws: Aws, names: Names) -> str:
    """Return the key that encrypts the secret; empty if there is no secret, or AWS's own key encrypts it."""
    return str((_described(aws, names) or {}).get("KmsKeyId") or "")


def _described(aws: Aws, names: Names) -> dict[str, Any] | None:
    try:
        with translated(SERVICE, secret=names.airbyte_secret):
            return dict(aws.client(SERVICE).describe_secret(SecretId=names.airbyte_secret))
    except ServiceError as error:
        if error.code != "ResourceNotFoundException":
            raise
        return None


def keep_secret(aws: Aws, names: Names, state: SecretState, key: str) -> None:
    """Make the secret without a value, or take its deletion back.

    Args:
        aws: The account.
        names: The stack's names.
        state: How the secret stands.
        key: The ARN of the key that encrypts a new one.
    """
    client = aws.client(SERVICE)
    with translated(SERVICE, secret=names.airbyte_secret):
        if state is SecretState.MISSING:
            client.create_secret(Name=names.airbyte_secret, Description=DESCRIPTION, KmsKeyId=key)
        elif state is SecretState.DELETED:
            client.restore_secret(SecretId=names.airbyte_secret)
