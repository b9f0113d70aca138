"""The alarms: failed jobs, a machine in trouble, queries that scan too much, money; and a test that one arrives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from etltctl.aws import Aws, translated
from etltctl.cloudformation import CloudFormation
from etltctl.errors import BlockedError, NextStep, command
from etltctl.infrastructure.names import Names, Resource, Resources, filled, ref
from etltctl.infrastructure.storage import EVENTS, NOTIFIERS, key_arn

if TYPE_CHECKING:
    from etltctl.settings import Settings

SUBJECT = "Test alarm of etltctl"
DAY_S = 86_400
SCANS_A_DAY = 5  # whole scans of the most one query may read


def alarms(names: Names) -> Resources:
    """Return the topic, its readers, and everything that writes to it."""
    resources = {
        "AlarmTopic": {
            "Type": "AWS::SNS::Topic",
            "Properties": {"TopicName": names.topic, "KmsMasterKeyId": key_arn(names)},
        },
        "AlarmTopicPolicy": _topic_policy(),
        "JobFailures": _job_failures(names),
        **(_machine_alarms(names) if names.settings.infra.machine else {}),
        "ScannedTooMuch": _scanned_too_much(names),
    }
    if names.settings.infra.alarm_email:
        subscription = {"TopicArn": ref("AlarmTopic"), "Protocol": "email", "Endpoint": ref("AlarmEmail")}
        resources["AlarmSubscription"] = {"Type": "AWS::SNS::Subscription", "Properties": subscription}
    if names.settings.infra.monthly_budget_usd:
        resources["MonthlyBudget"] = _budget(names)
    return resources


def _topic_policy() -> Resource:
    publish = {"Effect": "Allow", "Action": "sns:Publish", "Resource": ref("AlarmTopic")}
    statements = [
        {
            "Sid": "AwsTellsUs",
            **publish,
            "Principal": {"Service": list(NOTIFIERS)},
            "Condition": {"StringEquals": {"aws:SourceAccount": ref("AWS::AccountId")}},
        },
        {"Sid": "EventsTellUs", **publish, "Principal": {"Service": EVENTS}},
    ]
    document = {"Version": "2012-10-17", "Statement": statements}
    properties = {"Topics": [ref("AlarmTopic")], "PolicyDocument": document}
    return {"Type": "AWS::SNS::TopicPolicy", "Properties": properties}


def _job_failures(names: Names) -> Resource:
    pattern = {
        "source": ["aws.glue"],
        "detail-type": ["Glue Job State Change"],
        # A run that a person stopped is not an alarm: STOPPED is left out on purpose.
        "detail": {"jobName": list(names.jobs.values()), "state": ["FAILED", "TIMEOUT"]},
    }
    return {
        "Type": "AWS::Events::Rule",
        "Properties": {
            "Name": f"{names.settings.project}-job-failures",
            "EventPattern": pattern,
            "Targets": [{"Id": "topic", "Arn": ref("AlarmTopic")}],
        },
    }


def _machine_alarms(names: Names) -> Resources:
    machine = [{"Name": "InstanceId", "Value": ref("AirflowMachine")}]
    # EC2 moves the machine to other hardware; its volume and its address come along. It acts on a fault of the host,
    # so only the alarm of the system check has it, not the one of a silent operating system.
    recover = filled("arn:${AWS::Partition}:automate:${AWS::Region}:ec2:recover")
    broken = {
        "Namespace": "AWS/EC2",
        "Dimensions": machine,
        "Statistic": "Maximum",
        "Period": 60,
        "EvaluationPeriods": 3,
        "Threshold": 1,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
    }
    return {
        "MachineBroken": _alarm(
            names, "machine-broken", [recover], **broken, MetricName="StatusCheckFailed_System"
        ),
        "MachineSilent": _alarm(
            names, "machine-silent", [], **broken, MetricName="StatusCheckFailed_Instance"
        ),
    }


def _scanned_too_much(names: Names) -> Resource:
    athena = names.settings.athena
    return _alarm(
        names,
        "scanned-too-much",
        [],
        Namespace="AWS/Athena",
        MetricName="ProcessedBytes",
        Dimensions=[{"Name": "WorkGroup", "Value": athena.workgroup}],
        Statistic="Sum",
        Period=DAY_S,
        EvaluationPeriods=1,
        # The workgroup cancels one query above the limit; only a sum over a day shows many queries below it.
        Threshold=SCANS_A_DAY * athena.max_scan_bytes,
        ComparisonOperator="GreaterThanThreshold",
    )


def _alarm(names: Names, name: str, actions: list[Any], **metric: Any) -> Resource:
    properties = {
        "AlarmName": f"{names.settings.project}-{name}",
        "AlarmActions": [*actions, ref("AlarmTopic")],
        # A machine that was replaced and a workgroup without queries report nothing, which is not a fault.
        "TreatMissingData": "notBreaching",
        **metric,
    }
    return {"Type": "AWS::CloudWatch::Alarm", "Properties": properties}


def _budget(names: Names) -> Resource:
    reader = [{"SubscriptionType": "SNS", "Address": ref("AlarmTopic")}]
    # The forecast comes while there is time to act; the actual amount comes when the money is spent.
    limits = (("FORECASTED", 80), ("ACTUAL", 100))
    notifications = [
        {
            "Notification": {
                "NotificationType": kind,
                "ComparisonOperator": "GREATER_THAN",
                "Threshold": percent,
                "ThresholdType": "PERCENTAGE",
            },
            "Subscribers": reader,
        }
        for kind, percent in limits
    ]
    budget = {
        "BudgetName": names.settings.project,
        "BudgetType": "COST",
        "TimeUnit": "MONTHLY",
        "BudgetLimit": {"Amount": ref("MonthlyBudgetUsd"), "Unit": "USD"},
    }
    properties = {"Budget": budget, "NotificationsWithSubscribers": notifications}
    return {"Type": "AWS::Budgets::Budget", "Properties": properties}


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
            hint=command("infra", "deploy"),
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
            else NextStep("set infra.alarm_email, then ", command("infra", "deploy")),
            topic=topic,
        )
    text = f"Alarms of stack {names.stack} arrive here. This one is a test; nothing has happened."
    with translated("sns", topic=topic):
        message_id = sns.publish(TopicArn=topic, Subject=SUBJECT, Message=text)["MessageId"]
    return SentAlarm(topic, message_id, readers)
