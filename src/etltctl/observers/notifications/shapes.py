"""The message about the end of a run as Slack and Microsoft Teams take it, literal and within their limits."""

from __future__ import annotations

from typing import Any

from etltctl.observers.notifications.notification import Notification
from etltctl.tabulating import one_line

# Slack: https://docs.slack.dev/reference/block-kit/blocks (header: 150 characters, text of a section: 3,000).
SLACK_HEADER, SLACK_TEXT = 150, 3_000
# Slack reads these three in every text, and asks that they are written as entities.
SLACK_CONTROL = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
CARD = "application/vnd.microsoft.card.adaptive"
CARD_SCHEMA = "http://adaptivecards.io/schemas/adaptive-card.json"
CARD_VERSION = "1.4"  # Teams shows cards of up to 1.5; 1.4 has all that is used here
COLOURS = {"succeeded": "Good", "recovered": "Good", "detached": "Warning", "interrupted": "Warning"}


def slack_message(notification: Notification, link: str = "") -> dict[str, Any]:
    """Return the message for an incoming webhook of Slack.

    All texts are of type `plain_text`: in `mrkdwn`, a name with `_` or `*` would turn into italic or bold letters, and
    there is no way to escape them.

    Args:
        notification: The message.
        link: An address to add.
    """
    facts = "\n".join(f"{name}: {text}" for name, text in notification.facts)
    sections = [facts, *(f"{name}: {text}" for name, text in notification.reasons)]
    button = {"type": "button", "text": _slack_text("Open", SLACK_HEADER), "url": link}
    return {
        # What a notification of the device shows, and clients that show no blocks.
        "text": _slack_escaped(notification.title, SLACK_TEXT),
        "mrkdwn": False,
        "unfurl_links": False,
        "unfurl_media": False,
        "blocks": [
            {"type": "header", "text": _slack_text(notification.title, SLACK_HEADER)},
            *({"type": "section", "text": _slack_text(text, SLACK_TEXT)} for text in sections),
            *([{"type": "actions", "elements": [button]}] if link else []),
        ],
    }


def _slack_text(text: str, limit: int) -> dict[str, Any]:
    # Without `emoji: false`, the `:00:` of a time may become a picture.
    return {"type": "plain_text", "text": _slack_escaped(text, limit), "emoji": False}


def _slack_escaped(text: str, limit: int) -> str:
    """Return the text as Slack shows it unchanged, cut between characters and never within an entity."""
    parts: list[str] = []
    length = 0
    for character in text:
        part = SLACK_CONTROL.get(character, character)
        # Slack counts as JavaScript does: a character beyond the basic plane counts twice.
        length += len(part.encode("utf-16-le", "replace")) // 2
        if length > limit - 1:
            return "".join([*parts, "…"])
        parts.append(part)
    return "".join(parts)


def teams_message(notification: Notification, link: str = "") -> dict[str, Any]:
    """Return the message for a webhook of Teams' app Workflows: one Adaptive Card.

    All texts are runs of a `RichTextBlock`, which are shown as they are. A `TextBlock` and a `FactSet` read Markdown.

    Args:
        notification: The message.
        link: An address to add.
    """
    colour = COLOURS.get(notification.outcome, "Attention")
    title = {"type": "TextRun", "text": notification.title, "weight": "Bolder", "color": colour}
    lines = [*notification.facts, *notification.reasons]
    action = {"type": "Action.OpenUrl", "title": "Open", "url": link}
    card = {
        "$schema": CARD_SCHEMA,
        "type": "AdaptiveCard",
        "version": CARD_VERSION,
        "fallbackText": notification.title,
        "msteams": {"width": "Full"},
        "body": [
            {"type": "RichTextBlock", "inlines": [{**title, "size": "Medium"}]},
            *({"type": "RichTextBlock", "spacing": "Small", "inlines": _runs(*line)} for line in lines),
        ],
        **({"actions": [action]} if link else {}),
    }
    return {"type": "message", "attachments": [{"contentType": CARD, "contentUrl": None, "content": card}]}


def _runs(name: str, text: str) -> list[dict[str, Any]]:
    return [
        {"type": "TextRun", "text": f"{name}: ", "weight": "Bolder"},
        {"type": "TextRun", "text": text or "-"},
    ]


def sns_message(notification: Notification, topic: str, link: str = "") -> dict[str, Any]:
    """Return the arguments of SNS's Publish.

    Args:
        notification: The message.
        topic: The ARN of the topic.
        link: An address to add.
    """
    attributes = {"outcome": notification.outcome, "pipeline": notification.pipeline, "env": notification.env}
    message = {
        "TopicArn": topic,
        "Subject": _subject(notification.title),
        "Message": notification.text(link),
        # An attribute without a value is refused.
        "MessageAttributes": {
            name: {"DataType": "String", "StringValue": one_line(value, 200)}
            for name, value in attributes.items()
            if value.strip()
        },
    }
    if topic.endswith(".fifo"):
        group = "".join(c if c.isascii() and c.isalnum() else "-" for c in notification.pipeline)[:128]
        message |= {"MessageGroupId": group or "run", "MessageDeduplicationId": _digest(notification.id)}
    return message


def _subject(title: str) -> str:
    """Return a subject as SNS takes it: ASCII, fewer than 100 characters, not beginning with a blank."""
    ascii_text = title.encode("ascii", "replace").decode("ascii")
    return one_line(ascii_text, 10_000)[:99]


def _digest(text: str) -> str:
    from hashlib import sha256

    # The id of a run may be longer than the 128 characters that SNS takes.
    return sha256(text.encode("utf-8", "replace")).hexdigest()
