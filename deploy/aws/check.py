"""Checks what cfn-lint does not look into: every policy's actions and resources, the machine's cloud-init, the sizes.

Run by `make check`; prints what is wrong and exits 1.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import warnings
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import yaml
from cloud_init_models import CloudInit
from typeguard import CollectionCheckStrategy, TypeCheckError, check_type

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # parliament's way of finding its own files is deprecated
    from parliament import analyze_policy_string

FOLDER = Path(__file__).parent
TEMPLATE_BYTES = 51_200  # in one call to CloudFormation
ROLE_CHARACTERS = 10_240  # all inline policies of a role, blanks not counted
USER_DATA_BYTES = 16_384
KNOWN = {"AWS::Partition": "aws", "AWS::Region": "us-east-2", "AWS::AccountId": "123456789012"}

# What parliament finds and why it stays.
ACCEPTED = {
    (
        "DeployerRole",
        "RESOURCE_POLICY_PRIVILEGE_ESCALATION",
    ): "who makes a bucket's policy can let anybody in",
    (
        "DeployerRole",
        "RESOURCE_STAR",
    ): "EC2's parts and keys have no names before they exist; the region is the fence",
}

# What takes a machine, a volume or a key away, or hands a role on, and the condition that says whose or to whom.
FENCED = {
    "iam:PassRole": "iam:PassedToService",
    **dict.fromkeys(("kms:PutKeyPolicy", "kms:ScheduleKeyDeletion"), "aws:ResourceTag/Name"),
    **dict.fromkeys(
        ("ec2:DeleteVolume", "ec2:ModifyInstanceAttribute", "ec2:ModifyVolume", "ec2:TerminateInstances"),
        "aws:ResourceTag/Name",
    ),
}


def main() -> int:
    """Return the number of problems, at most 1."""
    template = yaml.safe_load((FOLDER / "template.yaml").read_text("utf-8"))
    problems = [
        *policy_problems(template),
        *fence_problems(template),
        *machine_problems(template),
        *size_problems(template),
    ]
    for problem in problems:
        sys.stderr.write(f"{problem}\n")
    if not problems:
        sys.stdout.write("Policies, cloud-init and sizes of deploy/aws: no problems\n")
    return min(len(problems), 1)


def policy_problems(template: dict[str, Any]) -> Iterator[str]:
    """Return what parliament finds in the policies of the roles."""
    for name, document in role_policies(template):
        for finding in analyze_policy_string(json.dumps(document)).findings:
            if (name, finding.issue) not in ACCEPTED:
                yield f"{name}: {finding.issue} {finding.detail} {finding.location.get('string', '')}"


def fence_problems(template: dict[str, Any]) -> Iterator[str]:
    """Return the dangerous actions that a role has without the condition that belongs to them."""
    for name, document in role_policies(template):
        for statement in document["Statement"]:
            conditions = {key for test in statement.get("Condition", {}).values() for key in test}
            for action, needed in FENCED.items():
                if needed not in conditions and any(fnmatch(action, each) for each in statement["Action"]):
                    yield f"{name}: {statement['Sid']} allows {action} without the condition {needed}"


def machine_problems(template: dict[str, Any]) -> Iterator[str]:
    """Return what cloud-init's schema, and bash, say of the user data."""
    text = user_data(template)
    config = yaml.safe_load(text)
    try:
        check_type(config, CloudInit, collection_check_strategy=CollectionCheckStrategy.ALL_ITEMS)
    except TypeCheckError as error:
        yield f"cloud-config: {error}"
    if not text.startswith("#cloud-config\n"):
        yield "cloud-config: the first line must be #cloud-config"
    for file in config["write_files"]:
        if file["content"].startswith("#!/bin/bash"):
            done = subprocess.run(
                ["bash", "-n"], input=file["content"], text=True, capture_output=True, check=False
            )
            if done.returncode:
                yield f"{file['path']}: {done.stderr}"


def size_problems(template: dict[str, Any]) -> Iterator[str]:
    """Return what AWS would refuse for its size."""
    size = len(json.dumps(template, separators=(",", ":")).encode())
    if size > TEMPLATE_BYTES:
        yield f"the template has {size} bytes, CloudFormation takes {TEMPLATE_BYTES}"
    for name, document in role_policies(template):
        length = len(json.dumps(document, separators=(",", ":")))
        if length > ROLE_CHARACTERS:
            yield f"the policy of {name} has {length} characters, IAM takes {ROLE_CHARACTERS}"
    if len(user_data(template).encode()) > USER_DATA_BYTES:
        yield f"the user data is larger than the {USER_DATA_BYTES} bytes EC2 takes"


def role_policies(template: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Every role's policy with its names filled in."""
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::IAM::Role":
            for policy in resource["Properties"]["Policies"]:
                yield name, resolved(policy["PolicyDocument"])


def user_data(template: dict[str, Any]) -> str:
    """Return the machine's user data with its names filled in."""
    text: str = resolved(template["Resources"]["AirflowMachine"]["Properties"]["UserData"]["Fn::Base64"])
    return text


def resolved(value: Any) -> Any:
    """Return the value with CloudFormation's functions answered as they would be in one account."""
    if isinstance(value, list):
        return [resolved(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "Ref" in value:
        return KNOWN.get(value["Ref"], value["Ref"])
    if "Fn::GetAtt" in value:
        return "arn:aws:kms:us-east-2:123456789012:key/00000000-0000-0000-0000-000000000000"
    if "Fn::Sub" in value:
        template = value["Fn::Sub"]
        text, names = template if isinstance(template, list) else (template, {})
        known = KNOWN | {name: str(resolved(each)) for name, each in names.items()}
        return re.sub(r"\$\{([^}]+)\}", lambda match: known[match[1]], text)
    return {name: resolved(item) for name, item in value.items()}


if __name__ == "__main__":
    sys.exit(main())
