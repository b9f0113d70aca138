"""Settings of notifications: `[notify.NAME]`, one for each receiver of a message about the end of a run."""

from __future__ import annotations

import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from etltctl.settings.section import Distinct, Secret, Section, Text, Texts

RunEnd = Literal["failed", "succeeded", "recovered", "interrupted", "detached"]
RunEnds = Annotated[list[RunEnd], Field(min_length=1), Distinct]
# A topic's ARN has the partition, the region, the account, and at most 256 characters of a name.
TOPIC_ARN = re.compile(r"arn:aws[a-z-]*:sns:(?P<region>[a-z0-9-]+):\d{12}:[A-Za-z0-9_-]{1,251}(\.fifo)?")
LEAST_TOKEN = 16  # characters of a part of a path that is more likely a token than a name
ENDS_TEXT = (
    "the ends of a run that are sent: `failed` (also a run whose rows could not be verified), `succeeded` (every "
    "success), `recovered` (the success of a run that had failed before), `interrupted`, `detached`"
)
URL_TEXT = "secret: {}; `env:NAME`, `file:PATH`, `ssm:/path` or `secretsmanager:id#key`"


def _topic(text: str) -> str:
    if not TOPIC_ARN.fullmatch(text):
        raise ValueError(
            f"must be the ARN of a topic like arn:aws:sns:eu-west-1:123456789012:NAME, got {text!r}"
        )
    return text


def _link(text: str) -> str:
    try:
        filled = text.format(run_id="r", pipeline="p", env="e")
    except (KeyError, IndexError, ValueError, AttributeError) as error:
        raise ValueError(
            f"may have {{run_id}}, {{pipeline}} and {{env}} in it, and nothing else in braces, got {text!r}"
        ) from error
    if urlsplit(filled).scheme not in ("http", "https"):
        raise ValueError(f"must begin with https:// or http://, got {text!r}")
    return text


class _Receiver(Section):
    on: RunEnds = Field(default=["failed", "recovered"], description=ENDS_TEXT)
    pipelines: Texts = Field(
        default=[], description="the pipelines whose runs are sent; of all runs unless set"
    )
    link: Annotated[Text, AfterValidator(_link)] | None = Field(
        default=None,
        description=(
            "an address that the message links to, such as that of the report; `{run_id}`, `{pipeline}` and `{env}` "
            "in it are filled in"
        ),
    )


class WebhookReceiver(_Receiver):
    """A receiver of a JSON document, whose form is published as `etltctl.notification/1`."""

    kind: Literal["webhook"] = Field(description="a JSON document is sent")
    url: Secret = Field(min_length=1, description=URL_TEXT.format("the address that takes the document"))


class SlackReceiver(_Receiver):
    """A channel of Slack, through an incoming webhook."""

    kind: Literal["slack"] = Field(description="a message to a channel of Slack is sent")
    url: Secret = Field(min_length=1, description=URL_TEXT.format("the address of the incoming webhook"))


class TeamsReceiver(_Receiver):
    """A channel of Microsoft Teams, through a webhook of its app Workflows."""

    kind: Literal["teams"] = Field(description="an Adaptive Card to a channel of Microsoft Teams is sent")
    url: Secret = Field(min_length=1, description=URL_TEXT.format("the address of the workflow's webhook"))


class SnsReceiver(_Receiver):
    """A topic of Amazon SNS, in any region."""

    kind: Literal["sns"] = Field(description="a text to a topic of Amazon SNS is sent")
    topic: Annotated[str, AfterValidator(_topic)] = Field(description="the ARN of the topic")

    @property
    def region(self) -> str:
        """The region of the topic, which alone takes its messages."""
        match = TOPIC_ARN.fullmatch(self.topic)
        assert match is not None  # checked when the settings were loaded
        return match["region"]


Receiver = WebhookReceiver | SlackReceiver | TeamsReceiver | SnsReceiver
ReceiverSetting = Annotated[Receiver, Field(discriminator="kind")]


def holds_token(kind: str, url: str) -> bool:
    """Return whether an address that is written out is a secret: every holder of it may post.

    Args:
        kind: The kind of the receiver. The addresses of Slack and Teams always hold a token.
        url: The address.
    """
    parts = urlsplit(url)
    is_long = any(len(part) >= LEAST_TOKEN for part in parts.path.split("/"))
    return kind != "webhook" or bool(parts.query) or "@" in parts.netloc or is_long
