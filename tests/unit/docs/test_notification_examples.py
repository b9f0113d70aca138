"""The examples of messages in the documentation are what the receivers get."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest

from etltctl.observers.notifications.shapes import slack_message, sns_message, teams_message
from generate.notification_schema import notification_schema
from generate.schemas import TIME
from support.notifications import notification

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "get-notified.md"
LINK = "https://lake.example/runs/20261129-1242-mongodb-nfnv"


@pytest.fixture
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Times in messages are local, and those of the page are in UTC."""
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("_utc")
def test_the_examples_of_the_page_are_real() -> None:
    message = notification()
    examples = [
        json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    ]
    topic = "arn:aws:sns:eu-west-1:123456789012:lake-runs"
    assert examples == [
        slack_message(message, LINK),
        teams_message(message, LINK),
        message.document(LINK),
        sns_message(message, topic),
    ]


def test_every_message_is_as_its_published_schema_says() -> None:
    schema = notification_schema(TIME)
    jsonschema.Draft202012Validator.check_schema(schema)
    for changed in (notification(), notification(failure=None, outcome="recovered", usd=None, is_test=True)):
        jsonschema.validate(changed.document(), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(notification(outcome="broken").document(), schema)
