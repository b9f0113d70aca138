"""Settings of the CloudFormation stack."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from etltctl.settings.section import MAX_DAYS, Section, Text, Whole

# What CloudWatch Logs accepts.
Retention = Literal[
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653
]


def _matching(pattern: str, like: str) -> AfterValidator:
    def check(text: str) -> str:
        # Empty stands for the name that follows from the project.
        if text and not re.fullmatch(pattern, text):
            raise ValueError(f"must be {like}, got {text!r}")
        return text

    return AfterValidator(check)


StackName = Annotated[
    str, _matching(r"[A-Za-z][A-Za-z0-9-]{0,127}", "letters, digits and hyphens like 'pi-m3'")
]
# `alias/aws/` belongs to AWS's own keys, and no policy can be set on those.
KeyAlias = Annotated[str, _matching(r"alias/(?!aws/)[A-Za-z0-9/_-]+", "an alias like 'alias/pi-m3'")]
KeyArn = Annotated[
    str, _matching(r"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[A-Za-z0-9-]+", "the ARN of a KMS key")
]
Image = Annotated[str, _matching(r"ami-[0-9a-f]+", "an image's id like 'ami-0abc…'")]
Email = Annotated[str, _matching(r"[^@\s]+@[^@\s]+", "an e-mail address")]


def _exact_names(names: list[str] | str) -> list[str] | str:
    # `all` is a text and not a list. Its own letters are not names.
    for name in names if isinstance(names, list) else ():
        if not name.strip() or any(letter in name for letter in "*?[]"):
            raise ValueError(
                f"must have the exact names of resources, without wildcards, or be 'all', got {name!r}"
            )
    return names


class Infra(Section):
    """The CloudFormation stack that `etltctl infra` plans and deploys."""

    stack: StackName = Field(default="", description="the stack's name; the project's unless set")
    key_alias: KeyAlias = Field(
        default="", description="the alias of the key that encrypts the lake; `alias/PROJECT` unless set"
    )
    key_arn: KeyArn = Field(
        default="",
        description=(
            "an existing key to use, such as one that an earlier stack left; the stack then makes none"
        ),
    )
    adopt: Annotated[list[str] | Literal["all"], AfterValidator(_exact_names)] = Field(
        default=[],
        description=(
            "existing buckets, databases, log groups and the secret that the stack may take in, or `all`"
        ),
    )
    machine: bool = Field(
        default=True,
        description=(
            "whether the stack has a machine that runs Airflow, with its network and volume; set `false` "
            "if you already run Airflow, or run etltctl by hand"
        ),
    )
    instance_type: Text = Field(default="t3.large", description="the type of the machine")
    image: Image = Field(
        default="",
        description=(
            "the image of the machine; unless set, the newest Ubuntu at the first deployment, and the "
            "same one after that, because another image makes another machine"
        ),
    )
    volume_gb: int = Field(default=40, ge=20, le=16384, description="the size of the machine's volume")
    log_days: Annotated[Retention, Whole] = Field(
        default=30, description="how long log lines are kept, from their creation"
    )
    result_days: int = Field(
        default=14, ge=1, le=MAX_DAYS, description="how long query results are kept, from their creation"
    )
    old_version_days: int = Field(
        default=30, ge=1, le=MAX_DAYS, description="how long replaced versions of objects are kept"
    )
    monthly_budget_usd: float = Field(
        default=100.0,
        ge=0,
        description="an alarm is sent if a month costs more, in US dollars; 0 makes no budget",
    )
    alarm_email: Email = Field(default="", description="the address for alarms")
