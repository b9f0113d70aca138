"""Receivers of notifications: which settings are valid, and which addresses are secrets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from etltctl.errors import ConfigurationError
from etltctl.settings import Settings, load_settings
from etltctl.settings.doubts import doubts
from etltctl.settings.notify import SnsReceiver
from etltctl.settings.secrets import known_secrets

SLACK = "https://hooks.slack.com/services/T0/B0/x"


def loaded(folder: Path, text: str, **environ: str) -> Settings:
    (folder / "etltctl.toml").write_text(text)
    return load_settings(directory=folder, environ=environ, env="local")


def receiver(**values: Any) -> str:
    import json

    return "[notify.ops]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())


@pytest.mark.parametrize(
    ("kind", "url", "is_doubted"),
    [
        ("slack", SLACK, True),
        ("teams", "https://e.x/short", True),
        ("webhook", "https://alerts.corp/etltctl", False),
        ("webhook", "https://alerts.corp/hook?code=1", True),
        ("webhook", "https://user@alerts.corp/hook", True),
        ("webhook", "https://alerts.corp/a1b2c3d4e5f6a7b8", True),
        ("slack", "env:HOOK", False),
        ("teams", "ssm:/lake/teams", False),
    ],
)
def test_an_address_with_a_token_must_not_stand_in_the_file(
    tmp_path: Path, kind: str, url: str, is_doubted: bool
) -> None:
    settings = loaded(tmp_path, receiver(kind=kind, url=url))
    named = [doubt.text for doubt in doubts(settings, {}) if "notify.ops.url" in doubt.text]
    assert bool(named) is is_doubted
    assert not any(url in text for text in named)


def test_an_address_is_shown_with_stars_and_hidden_in_every_text(tmp_path: Path) -> None:
    settings = loaded(tmp_path, receiver(kind="slack", url=SLACK))
    shown = {value.key: value.value for value in settings.values()}
    assert shown["notify.ops.url"] == "***"
    assert SLACK not in repr(settings)
    assert SLACK in known_secrets(settings)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"kind": "slack"}, "url"),
        ({"kind": "pager", "url": "env:A"}, "kind"),
        ({"kind": "slack", "url": "env:A", "on": []}, "on"),
        ({"kind": "slack", "url": "env:A", "on": ["failed", "failed"]}, "only once"),
        ({"kind": "slack", "url": "env:A", "on": ["broken"]}, "on"),
        ({"kind": "slack", "url": "env:A", "pipelines": ["mongo"]}, "no pipeline is called mongo"),
        ({"kind": "sns", "topic": "runs"}, "must be the ARN of a topic"),
        ({"kind": "sns", "topic": "arn:aws:sns:eu-west-1:1:runs"}, "must be the ARN of a topic"),
        ({"kind": "webhook", "url": "env:A", "link": "https://e.x/{run}"}, "nothing else in braces"),
        ({"kind": "webhook", "url": "env:A", "link": "https://e.x/{run_id.a}"}, "nothing else in braces"),
        ({"kind": "webhook", "url": "env:A", "link": "javascript:x"}, "must begin with https://"),
    ],
)
def test_a_receiver_that_cannot_work_is_refused(tmp_path: Path, values: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        loaded(tmp_path, receiver(**values))
    assert says in " ".join(raised.value.problems)


@pytest.mark.parametrize(
    ("topic", "region"),
    [
        ("arn:aws:sns:eu-west-1:123456789012:runs", "eu-west-1"),
        ("arn:aws-cn:sns:cn-north-1:123456789012:runs.fifo", "cn-north-1"),
    ],
)
def test_a_topic_names_its_region(tmp_path: Path, topic: str, region: str) -> None:
    receiver_of_topic = loaded(tmp_path, receiver(kind="sns", topic=topic)).notify["ops"]
    assert isinstance(receiver_of_topic, SnsReceiver)
    assert receiver_of_topic.region == region
