"""A message on its way to one receiver: the secret is resolved, the form chosen, and the call made."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from etltctl.aws import Aws, translated
from etltctl.observers.addresses import Address
from etltctl.observers.notifications.http import post
from etltctl.observers.notifications.notification import Notification
from etltctl.observers.notifications.shapes import slack_message, sns_message, teams_message
from etltctl.retrying import RetryPolicy

if TYPE_CHECKING:
    from etltctl.settings.notify import Receiver, SnsReceiver

SHAPES: dict[str, Callable[[Notification, str], dict[str, Any]]] = {
    "webhook": Notification.document,
    "slack": slack_message,
    "teams": teams_message,
}


def send(notification: Notification, name: str, receiver: Receiver, aws: Aws) -> None:
    """Send a message to one receiver.

    Args:
        notification: The message.
        name: The name of the receiver in the settings.
        receiver: The receiver.
        aws: The account, for secrets and topics.

    Raises:
        ConfigurationError: The secret has no value, or the address is not valid.
        EtltctlError: The receiver refused the message, or did not answer.
    """
    link = notification.linked(receiver.link)
    if receiver.kind == "sns":
        _publish(notification, name, receiver, aws, link)
        return
    setting = f"notify.{name}.url"
    address = Address(setting, aws.reveal(receiver.url, setting).strip(), receiver.kind)
    post(address, SHAPES[receiver.kind](notification, link))


def _publish(notification: Notification, name: str, receiver: SnsReceiver, aws: Aws, link: str) -> None:
    # A topic takes messages in its own region only. SNS may deliver a message twice in any case, so that a repeated
    # call does no harm of a new kind.
    policy = RetryPolicy(attempts=2)
    there = Aws(aws.profile, receiver.region, policy, aws.credentials, aws.route, aws.profile_place)
    with translated("sns", setting=f"notify.{name}.topic"):
        there.client("sns").publish(**sns_message(notification, receiver.topic, link))
