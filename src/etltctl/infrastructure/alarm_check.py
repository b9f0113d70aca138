"""A test message on the alarm topic: whether a person would hear of a failed job."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from etltctl.aws import Aws, translated
from etltctl.cloudformation import CloudFormation
from etltctl.errors import BlockedError
from etltctl.infrastructure.names import Names

if TYPE_CHECKING:
    from etltctl.settings import Settings

SUBJECT = "Test alarm of etltctl"


@dataclass(frozen=True)
class SentAlarm:
    """A message that SNS took, and the readers that have confirmed their subscription."""

    topic: str
    message_id: str
    readers: tuple[str, ...]


def send_test_alarm(settings: Settings) -> SentAlarm:
    """Publish a test message to the stack's alarm topic.

    Returns:
        The message's id and its readers.

    Raises:
        BlockedError: The stack has no topic, or no reader has confirmed a subscription.
    """
    aws, names = Aws.from_settings(settings), Names(settings)
    stack = CloudFormation(aws).find(names.stack)
    topic = stack.outputs.get("AlarmTopicArn", "") if stack is not None else ""
    if not topic:
        raise BlockedError(
            f"stack {names.stack} has no alarm topic yet; no message was sent",
            hint="etltctl infra deploy",
        )
    sns = aws.client("sns")
    with translated("sns", topic=topic):
        pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=topic)
        subscriptions = [one for page in pages for one in page["Subscriptions"]]
    # A subscription has an ARN while it is confirmed; before and after, SNS gives a word such as PendingConfirmation.
    readers = tuple(one["Endpoint"] for one in subscriptions if one["SubscriptionArn"].startswith("arn:"))
    if not readers:
        waiting = ", ".join(f"{one['Endpoint']} ({one['SubscriptionArn']})" for one in subscriptions)
        raise BlockedError(
            f"the alarms of stack {names.stack} have no confirmed reader: "
            + (f"{waiting}" if waiting else "its topic has no subscription")
            + "; no message was sent",
            hint="confirm the subscription in the e-mail from AWS"
            if waiting
            else "set infra.alarm_email, then etltctl infra deploy",
            topic=topic,
        )
    text = f"Alarms of stack {names.stack} arrive here. This one is a test; nothing has happened."
    with translated("sns", topic=topic):
        message_id = sns.publish(TopicArn=topic, Subject=SUBJECT, Message=text)["MessageId"]
    return SentAlarm(topic, message_id, readers)
