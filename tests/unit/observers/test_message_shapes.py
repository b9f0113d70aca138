"""Each receiver gets a message in its form, shown as it is and within its limits."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator

from etltctl.observers.notifications.notification import FailureText
from etltctl.observers.notifications.shapes import slack_message, sns_message, teams_message
from support.notifications import FAILURE, notification

TOPIC = "arn:aws:sns:eu-west-1:123456789012:runs"
# What Slack and Teams would read as a mention, a link, bold letters, a list, a picture, or an entity.
HOSTILE = "<!channel> <@U1> <http://e.x|y> *b* _i_ ~s~ `c` [l](http://e.x) :tada: &amp; # h\n- x\r\x00\x1b <at>a</at>"
WORST = "&\U0001f600\ud800" * 5_000


def texts(value: Any) -> Iterator[dict[str, Any]]:
    """Yield every object with a text, at any depth."""
    if isinstance(value, dict):
        if isinstance(value.get("text"), str):
            yield value
        for each in value.values():
            yield from texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from texts(each)


def hostile(text: str) -> Any:
    return notification(
        pipeline=text,
        run_id=text,
        env=text,
        failure=FailureText(text, text, f"c {text}", f"p {text}", f"n {text}"),
    )


def test_slack_shows_every_text_as_it_is() -> None:
    message = slack_message(hostile(HOSTILE), "https://e.x/1")
    for block in message["blocks"]:
        for text in texts(block):
            assert text["type"] == "plain_text"
            assert text["emoji"] is False
    whole = json.dumps(message)
    assert not set("<>") & set(whole)
    proof = message["blocks"][3]["text"]["text"]
    assert html.unescape(proof).startswith("Proof: p <!channel> <@U1> <http://e.x|y> *b* _i_")
    assert (message["mrkdwn"], message["unfurl_links"]) == (False, False)


@pytest.mark.parametrize("text", [WORST, "x" * 10_000, "&" * 10_000])
def test_slack_s_limits_hold_for_the_worst_text(text: str) -> None:
    message = slack_message(hostile(text), "https://e.x/1")
    header, *sections, _ = message["blocks"]
    assert len(header["text"]["text"].encode("utf-16-le", "replace")) // 2 <= 150
    for section in sections:
        shown = section["text"]["text"]
        assert 0 < len(shown.encode("utf-16-le", "replace")) // 2 <= 3_000
        assert "&" not in shown.replace("&amp;", ""), "an entity is cut"


def test_teams_gets_one_card_whose_texts_no_markdown_reads() -> None:
    message = teams_message(hostile(HOSTILE), "https://e.x/1")
    (attachment,) = message["attachments"]
    assert message["type"] == "message"
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card = attachment["content"]
    assert (card["type"], card["actions"]) == (
        "AdaptiveCard",
        [{"type": "Action.OpenUrl", "title": "Open", "url": "https://e.x/1"}],
    )
    assert {block["type"] for block in card["body"]} == {"RichTextBlock"}
    assert {run["type"] for block in card["body"] for run in block["inlines"]} == {"TextRun"}


@pytest.mark.parametrize("text", [WORST, '"' * 10_000])
def test_teams_limit_of_28_kilobytes_holds_for_the_worst_text(text: str) -> None:
    body = json.dumps(teams_message(hostile(text), "https://e.x/1"), ensure_ascii=False)
    assert len(body.encode("utf-8", "replace")) < 28_000


@pytest.mark.parametrize("text", ["mongodb", HOSTILE, WORST, "", "é" * 300])
@pytest.mark.parametrize("topic", [TOPIC, f"{TOPIC}.fifo"])
def test_sns_gets_arguments_of_its_model_and_a_subject_that_it_takes(text: str, topic: str) -> None:
    message = sns_message(hostile(text), topic, "https://e.x/1")
    shape = botocore.session.get_session().get_service_model("sns").operation_model("Publish").input_shape
    assert not ParamValidator().validate(message, shape).has_errors()
    subject = message["Subject"]
    assert subject.isascii()
    assert subject.isprintable()
    assert 0 < len(subject) < 100
    assert not subject.startswith(" ")
    assert len(message["Message"].encode("utf-8", "replace")) < 262_144
    assert all(each["StringValue"] for each in message["MessageAttributes"].values())
    assert len(message.get("MessageGroupId", "")) <= 128


def test_a_message_without_a_failure_has_no_reasons() -> None:
    message = notification(failure=None, outcome="succeeded")
    assert "Cause" not in message.text()
    assert message.document()["failure"] is None
    assert len(slack_message(message)["blocks"]) == 2
    assert "actions" not in teams_message(message)["attachments"][0]["content"]


def test_a_link_has_the_names_of_the_run_quoted() -> None:
    message = notification(run_id="a/b c", failure=FAILURE)
    assert message.linked("https://e.x/{env}/{run_id}?p={pipeline}") == "https://e.x/aws/a%2Fb%20c?p=mongodb"
    assert message.linked(None) == ""


def test_the_text_names_outcome_run_duration_cost_and_the_three_lines_of_why() -> None:
    lines = notification().text("https://e.x").splitlines()
    assert lines[0] == "mongodb failed (aws)"
    assert "Duration: 7 min 30 s" in lines
    assert "Cost: 1.25 USD" in lines
    assert lines[-4:] == [
        "Cause: G117 an executor ran out of memory",
        "Proof: executor-4: java.lang.OutOfMemoryError: Java heap space",
        "Next: etltctl --env aws retry 20261129-1242-mongodb-nfnv",
        "More: https://e.x",
    ]
