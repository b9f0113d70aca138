"""Alarms: EventBridge may write to an encrypted topic, and a test message reaches its readers."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.account import a_reader_of_alarms
from support.checkout import Checkout
from support.relay import relayed

PROJECT = Path(__file__).parents[3]
RESOURCES = yaml.safe_load((PROJECT / "deploy" / "aws" / "template.yaml").read_text("utf-8"))["Resources"]
POLICIES = {
    "key": RESOURCES["Key"]["Properties"]["KeyPolicy"],
    "topic": RESOURCES["AlarmTopicPolicy"]["Properties"]["PolicyDocument"],
}


def allowing(policy: str, service: str) -> list[dict[str, Any]]:
    """Return the statements of a policy that name the service."""
    statements: list[dict[str, Any]] = POLICIES[policy]["Statement"]
    return [s for s in statements if service in s["Principal"].get("Service", ())]


@pytest.mark.parametrize("policy", ["key", "topic"])
def test_eventbridge_is_allowed_without_a_condition_that_it_does_not_meet(policy: str) -> None:
    """SNS documents that aws:SourceAccount is not supported for EventBridge and encrypted topics."""
    (statement,) = allowing(policy, "events.amazonaws.com")
    assert statement["Effect"] == "Allow"
    assert "Condition" not in statement


@pytest.mark.parametrize("policy", ["key", "topic"])
@pytest.mark.parametrize("service", ["budgets.amazonaws.com", "cloudwatch.amazonaws.com"])
def test_the_other_statements_are_limited_to_this_account(policy: str, service: str) -> None:
    (statement,) = allowing(policy, service)
    assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


def test_every_rule_and_alarm_writes_to_the_topic_that_the_policies_allow() -> None:
    targets = [
        target["Arn"]
        for facts in RESOURCES.values()
        if facts["Type"] == "AWS::Events::Rule"
        for target in facts["Properties"]["Targets"]
    ]
    assert targets == [{"Ref": "AlarmTopic"}]
    assert RESOURCES["AlarmTopicPolicy"]["Properties"]["Topics"] == targets


def test_a_test_alarm_names_the_readers_that_it_reaches(deployed: Checkout) -> None:
    with a_reader_of_alarms(deployed) as topic:
        report = json.loads(deployed.run("infra", "test-alarm", "-o", "json").stdout)
    assert (report["topic"], report["readers"]) == (topic, ["oncall@example.org"])
    assert report["message_id"]


def test_a_test_alarm_without_a_reader_is_refused(deployed: Checkout) -> None:
    errors = deployed.run("infra", "test-alarm", code=5).stderr
    assert "its topic has no subscription; no message was sent" in errors
    assert "infra.alarm_email" in errors


def answers_with(status: str) -> Callable[[bytes, bytes], bytes]:
    """Return a function that replaces a subscription's ARN by SNS's status for it."""
    return lambda _, body: re.sub(rb"<SubscriptionArn>[^<]*<", f"<SubscriptionArn>{status}<".encode(), body)


@pytest.mark.parametrize("status", ["PendingConfirmation", "Deleted"])
def test_an_unconfirmed_reader_is_named(deployed: Checkout, status: str) -> None:
    assert deployed.account is not None
    with a_reader_of_alarms(deployed), relayed(deployed.account.port, answers_with(status)) as url:
        other = replace(deployed, environ={**deployed.environ, "AWS_ENDPOINT_URL": url})
        errors = other.run("infra", "test-alarm", code=5).stderr
    assert f"no confirmed reader: oncall@example.org ({status}); no message was sent" in errors
