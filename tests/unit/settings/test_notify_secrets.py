"""The doctor checks that the address of every receiver has a value, and shows none of them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from etltctl.diagnosis.config import check_secrets
from etltctl.diagnosis.probe import Probe
from etltctl.settings import load_settings

TOKEN = "https://hooks.slack.com/services/T0/B0/verysecret"
PROJECT = f"""
[notify.set]
kind = "slack"
url = "env:HOOK"
[notify.unset]
kind = "teams"
url = "env:NOT_SET_AT_ALL"
[notify.written]
kind = "slack"
url = "{TOKEN}"
[notify.plain]
kind = "webhook"
url = "http://127.0.0.1:9/hook"
[notify.topic]
kind = "sns"
topic = "arn:aws:sns:eu-west-1:123456789012:runs"
"""


def test_each_secret_of_a_receiver_has_a_finding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK", TOKEN)
    monkeypatch.delenv("NOT_SET_AT_ALL", raising=False)
    (tmp_path / "etltctl.toml").write_text(PROJECT)
    probe = Probe(load_settings(directory=tmp_path, environ={}, env="local"), time.time)
    findings = {each.subject: each for each in check_secrets(probe) if each.subject.startswith("notify.")}
    assert {name: str(each.status) for name, each in findings.items()} == {
        "notify.set.url": "ok",
        "notify.unset.url": "fail",
        "notify.written.url": "warn",
    }
    assert "NOT_SET_AT_ALL is not set" in findings["notify.unset.url"].evidence
    assert "verysecret" not in repr(findings)
