"""Settings of the CloudFormation stack."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from etltctl.settings.section import Section

# What CloudWatch Logs accepts.
Retention = Literal[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653
]


def _matching(pattern: str, like: str) -> AfterValidator:
    def check(text: str) -> str:
        if text and not re.fullmatch(pattern, text):
            raise ValueError(f"must be {like}, got {text!r}")
        return text

    return AfterValidator(check)


StackName = Annotated[
    str, _matching(r"[A-Za-z][A-Za-z0-9-]{0,127}", "letters, digits and hyphens like 'pi-m3'")
]
KeyAlias = Annotated[str, _matching(r"alias/(?!aws/)[A-Za-z0-9/_-]+", "an alias like 'alias/pi-m3'")]
KeyArn = Annotated[
    str, _matching(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[A-Za-z0-9-]+", "the ARN of a KMS key")
]
Image = Annotated[str, _matching(r"ami-[0-9a-f]+", "an image's id like 'ami-0abc…'")]
Email = Annotated[str, _matching(r"[^@\s]+@[^@\s]+", "an e-mail address")]


class Infra(Section):
    """The stack of an environment on AWS.

    Empty names follow the project's: stack `PROJECT`, key `alias/PROJECT`. With `key_arn` the stack uses a key that
    exists, such as the one that an earlier stack left, and makes none. `image` is the newest Ubuntu at the first
    deployment and stays what it was after that, because another image means another machine. Days are counted from an
    object's or a line's creation. A stack takes in a bucket, a database, a log group or the secret that exists only if
    `adopt` names it, or is "all". Money is US dollars a month; a budget of 0 makes none. `machine = false` makes no
    machine, network, volume or bundle: use it if you already run Airflow, or run etltctl by hand.
    """

    stack: StackName = ""
    key_alias: KeyAlias = ""
    key_arn: KeyArn = ""
    adopt: list[str] | Literal["all"] = []
    machine: bool = True
    instance_type: str = "t3.large"
    image: Image = ""
    volume_gb: int = Field(default=40, ge=20, le=16384)
    log_days: Retention = 30
    result_days: int = Field(default=14, ge=1)
    old_version_days: int = Field(default=30, ge=1)
    monthly_budget_usd: float = Field(default=100.0, ge=0)
    alarm_email: Email = ""
