"""The secret that holds Airbyte's credentials. It is not part of the stack.

CloudFormation cannot take in a secret that an earlier stack left behind: it imports a resource by its primary
identifier, and that of AWS::SecretsManager::Secret is an ARN that only the service gives. So the secret is not in the
template; `etltctl infra deploy` makes it where it is missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from etltctl.aws import Aws, translated
from etltctl.infrastructure.names import Names
from etltctl.inspection import Inspection

SERVICE = "secretsmanager"
TYPE = "AWS::SecretsManager::Secret"
DESCRIPTION = "For Airbyte: client_id, client_secret, SOURCE_connection_id; put in by hand"


class SecretState(StrEnum):
    """Whether the secret is there, is missing, or waits for its deletion."""

    THERE = "there"
    MISSING = "missing"
    DELETED = "scheduled for deletion"


@dataclass(frozen=True)
class Secret:
    """The secret as it stands: its state, and the key that encrypts it, empty for AWS's own key."""

    state: SecretState
    key: str = ""

    @property
    def is_kept(self) -> bool:
        """Whether AWS has the secret, be it for some days only."""
        return self.state is not SecretState.MISSING


def read_secret(aws: Aws, names: Names) -> Secret:
    """Return the secret as it stands now."""
    name = names.airbyte_secret
    answer = Inspection(aws).read(SERVICE, "describe_secret", {"SecretId": name}, secret=name)
    if answer is None:
        return Secret(SecretState.MISSING)
    # A secret that waits for its deletion is still described, and its name is still taken.
    state = SecretState.DELETED if answer.get("DeletedDate") else SecretState.THERE
    return Secret(state, str(answer.get("KmsKeyId") or ""))


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
