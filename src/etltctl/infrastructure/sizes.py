"""What a plan's resources are called, how large they are, and what the stack costs in a month."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from etltctl.infrastructure.machine import ROOT_GB
from etltctl.infrastructure.names import Names

# List prices of us-east-2 in US dollars (2026-11). The others come by use: Glue, Athena, S3, KMS requests, logs.
HOURS = 730  # of a month, as AWS counts them
MACHINE_HOUR = {
    "t3.medium": 0.0416,
    "t3.large": 0.0832,
    "t3.xlarge": 0.1664,
    "t3.2xlarge": 0.3328,
    "t3a.large": 0.0752,
    "t3a.xlarge": 0.1504,
    "m5.large": 0.096,
    "m6i.large": 0.096,
    "m7i.large": 0.1008,
}
DISK_GB_MONTH = 0.08
ADDRESS_HOUR = 0.005
KEY_MONTH, SECRET_MONTH, ALARM_MONTH = 1.0, 0.4, 0.1

# As long as every ARN of a key.
KEY_ARN = f"arn:aws:kms:us-east-2:{12 * '0'}:key/{36 * '0'}"

NAMES = (
    "BucketName", "DatabaseName", "RoleName", "InstanceProfileName", "TopicName", "AlarmName", "LogGroupName",
    "AliasName", "Name", "Endpoint", "ResourceArn",
)  # fmt: skip


@dataclass(frozen=True)
class Cost:
    """What a part of the stack costs in a month; None where the price is not known."""

    part: str
    usd: float | None


def monthly_costs(names: Names, template: Mapping[str, Any]) -> list[Cost]:
    """Return the fixed costs of the stack in a month, in US dollars at the list prices of us-east-2."""
    infra = names.settings.infra
    kinds = [facts["Type"] for facts in template["Resources"].values()]
    alarms = kinds.count("AWS::CloudWatch::Alarm")
    keys = kinds.count("AWS::KMS::Key")
    small = Cost("key, secret and alarms", KEY_MONTH * keys + SECRET_MONTH + ALARM_MONTH * alarms)
    if not infra.machine:
        return [small]
    hour = MACHINE_HOUR.get(infra.instance_type)
    disks = infra.volume_gb + ROOT_GB
    return [
        Cost(f"machine {infra.instance_type}", None if hour is None else hour * HOURS),
        Cost(f"disks of {disks} GB", disks * DISK_GB_MONTH),
        Cost("public address", ADDRESS_HOUR * HOURS),
        small,
    ]


def costs_text(costs: list[Cost]) -> str:
    """Return the costs in a sentence."""
    known = sum(cost.usd for cost in costs if cost.usd is not None)
    parts = [f"{cost.part} {'?' if cost.usd is None else f'{cost.usd:.0f}'}" for cost in costs]
    least = "more than" if any(cost.usd is None for cost in costs) else "about"
    return (
        f"The stack costs {least} {known:.0f} US dollars a month, at the list prices of us-east-2: "
        f"{', '.join(parts)}. Glue, Athena, S3 and logs come on top, by use."
    )


def policy_characters(role: Mapping[str, Any], region: str) -> int:
    """Return how long a role's policies are as IAM counts: without blanks, and with every name filled in.

    Args:
        role: A role of the template.
        region: The region of the stack.
    """
    values = {"AWS::Partition": "aws", "AWS::Region": region, "AWS::AccountId": 12 * "0"}

    def filled_in(value: Any) -> Any:
        if isinstance(value, list):
            return [filled_in(each) for each in value]
        if not isinstance(value, dict):
            return value
        # Only a key's ARN is long enough to matter; IAM counts what CloudFormation fills in.
        if "Fn::GetAtt" in value:
            return KEY_ARN
        if "Fn::Sub" in value or "Ref" in value:
            text = str(value.get("Fn::Sub") or f"${{{value['Ref']}}}")
            for name, known in values.items():
                text = text.replace(f"${{{name}}}", known)
            return text
        return {name: filled_in(each) for name, each in value.items()}

    documents = [filled_in(policy["PolicyDocument"]) for policy in role["Properties"].get("Policies", [])]
    return sum(len(re.sub(r"\s", "", json.dumps(document))) for document in documents)


def name_of(resource: Mapping[str, Any], parameters: Mapping[str, str]) -> str:
    """Return the name that the template gives a resource; empty if AWS names it."""
    properties = resource.get("Properties", {})
    named = (_value(properties[key], parameters) for key in NAMES if key in properties)
    return next((name for name in named if name), "")


def size_of(resource: Mapping[str, Any], parameters: Mapping[str, str]) -> str:
    """Return how large a machine, a volume, a job or a budget is; empty for anything else."""
    properties = resource.get("Properties", {})

    def value(key: str) -> str:
        return _value(properties.get(key, ""), parameters)

    match resource.get("Type"):
        case "AWS::EC2::Instance":
            return value("InstanceType")
        case "AWS::EC2::Volume":
            return f"{value('Size')} GB {value('VolumeType')}"
        case "AWS::Glue::Job":
            return f"{value('NumberOfWorkers')} × {value('WorkerType')}, at most {value('Timeout')} min"
        case "AWS::Budgets::Budget":
            return f"{_value(properties['Budget']['BudgetLimit']['Amount'], parameters)} USD a month"
    return ""


def _value(value: Any, parameters: Mapping[str, str]) -> str:
    """Return a plain value or a parameter's; empty for what only CloudFormation knows."""
    if isinstance(value, dict):
        return parameters.get(str(value.get("Ref", "")), "")
    return str(value)
