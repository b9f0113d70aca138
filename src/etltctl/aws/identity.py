"""The caller of AWS: its account, its ARN, and the principal whose policies count."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Identity:
    """The caller: the account's 12 digits, the ARN of the user or of the assumed role's session, STS's user id."""

    account: str
    arn: str
    user_id: str = ""

    @property
    def is_root(self) -> bool:
        """Whether the caller is the account's root user, who may do everything. STS gives it the account's id."""
        return self.arn.endswith(":root") or self.user_id == self.account

    @property
    def is_federated(self) -> bool:
        """Whether the caller is a federated user, who has no policies in IAM."""
        return ":federated-user/" in self.arn

    @property
    def principal(self) -> str:
        """The ARN of the user or role behind the session. STS leaves out the path of an assumed role."""
        # IAM's simulation takes the ARN of a role, and STS names the session that the role opened.
        session = re.fullmatch(r"(arn:[^:]+):sts::(\d+):assumed-role/([^/]+)/.+", self.arn)
        return f"{session[1]}:iam::{session[2]}:role/{session[3]}" if session else self.arn

    def arn_of(self, name: str) -> str:
        """Return the ARN that `role:NAME` or `user:NAME` stands for in this account; other text stays as it is."""
        kind, _, rest = name.partition(":")
        if kind not in {"role", "user"}:
            return name
        partition = ":".join(self.arn.split(":")[:2])
        return f"{partition}:iam::{self.account}:{kind}/{rest}"
