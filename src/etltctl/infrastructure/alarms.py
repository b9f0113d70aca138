"""What somebody is told of: failed jobs, a machine in trouble, queries that scan too much, money."""

from __future__ import annotations

from typing import Any

from etltctl.infrastructure.names import Names, Resource, Resources, filled, ref
from etltctl.infrastructure.storage import EVENTS, NOTIFIERS, key_arn

DAY_S = 86_400
SCANS_A_DAY = 5  # whole scans of the most one query may read


def alarms(names: Names) -> Resources:
    """The topic, who reads it, and everything that writes to it."""
    found = {
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
        found["AlarmSubscription"] = {"Type": "AWS::SNS::Subscription", "Properties": subscription}
    if names.settings.infra.monthly_budget_usd:
        found["MonthlyBudget"] = _budget(names)
    return found


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
        Threshold=SCANS_A_DAY * athena.max_scan_bytes,
        ComparisonOperator="GreaterThanThreshold",
    )


def _alarm(names: Names, name: str, actions: list[Any], **metric: Any) -> Resource:
    properties = {
        "AlarmName": f"{names.settings.project}-{name}",
        "AlarmActions": [*actions, ref("AlarmTopic")],
        "TreatMissingData": "notBreaching",
        **metric,
    }
    return {"Type": "AWS::CloudWatch::Alarm", "Properties": properties}


def _budget(names: Names) -> Resource:
    reader = [{"SubscriptionType": "SNS", "Address": ref("AlarmTopic")}]
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
