"""The deployer's policy: every dangerous action has its condition, and the check of deploy/aws finds one without."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.template import WRITTEN, of_type


@pytest.fixture
def broken(tmp_path: Path) -> Callable[[str, str], str]:
    """Return a function that runs the check of deploy/aws on a changed template."""

    def check(old: str, new: str) -> str:
        (tmp_path / "check.py").write_text((WRITTEN.parent / "check.py").read_text())
        text = WRITTEN.read_text()
        assert old in text
        (tmp_path / "template.yaml").write_text(text.replace(old, new))
        done = subprocess.run(
            [sys.executable, tmp_path / "check.py"], capture_output=True, text=True, check=False
        )
        assert done.returncode == 1
        return done.stderr

    return check


def test_the_check_finds_a_misspelt_action_and_a_misspelt_module_of_cloud_init(
    broken: Callable[[str, str], str],
) -> None:
    assert "glue:StartJobsRun" in broken("glue:StartJobRun", "glue:StartJobsRun")
    assert "cloud-config" in broken("            packages: [", "            packagez: [")


def statements_of(role: str) -> dict[str, dict[str, Any]]:
    (policy,) = of_type("AWS::IAM::Role")[role]["Policies"]
    return {each["Sid"]: each for each in policy["PolicyDocument"]["Statement"]}


@pytest.mark.parametrize(
    ("action", "condition"),
    [
        ("kms:PutKeyPolicy", {"aws:ResourceTag/Name": "pi-m3-lake"}),
        ("kms:ScheduleKeyDeletion", {"aws:ResourceTag/Name": "pi-m3-lake"}),
        ("ec2:TerminateInstances", {"aws:ResourceTag/Name": "pi-m3-airflow"}),
        ("ec2:ModifyInstanceAttribute", {"aws:ResourceTag/Name": "pi-m3-airflow"}),
        ("ec2:DeleteVolume", {"aws:ResourceTag/Name": "pi-m3-airflow"}),
    ],
)
def test_the_deployer_deletes_only_resources_with_the_stack_s_tag(
    action: str, condition: dict[str, str]
) -> None:
    allowing = [each for each in statements_of("DeployerRole").values() if action in each["Action"]]
    assert [each["Condition"] for each in allowing] == [{"StringEquals": condition}]
    tagged = {"kms": "AWS::KMS::Key", "ec2": "AWS::EC2::Instance"}[action.partition(":")[0]]
    value = condition["aws:ResourceTag/Name"]
    assert [{"Key": "Name", "Value": value} in facts["Tags"] for facts in of_type(tagged).values()] == [True]


def test_a_role_is_passed_only_to_its_service() -> None:
    passing = [each for each in statements_of("DeployerRole").values() if "iam:PassRole" in each["Action"]]
    services = {
        each["Condition"]["StringEquals"]["iam:PassedToService"]: [
            place["Fn::Sub"].rpartition("/")[2] for place in each["Resource"]
        ]
        for each in passing
    }
    assert services == {
        "ec2.amazonaws.com": ["pi-m3-operator"],
        "glue.amazonaws.com": ["pi-m3-glue"],
        "lakeformation.amazonaws.com": ["pi-m3-lake-formation"],
    }


def test_only_the_stack_s_machines_and_volumes_can_be_tagged() -> None:
    tagging = [each for each in statements_of("DeployerRole").values() if "ec2:CreateTags" in each["Action"]]
    on_machines = [each for each in tagging if any("instance/" in str(place) for place in each["Resource"])]
    assert [each["Condition"]["StringEquals"] for each in on_machines] == [
        {"ec2:CreateAction": ["RunInstances", "CreateVolume"]},
        {"aws:ResourceTag/Name": "pi-m3-airflow"},
    ]


@pytest.mark.parametrize("action", ["kms:ScheduleKeyDeletion", "ec2:TerminateInstances", "iam:PassRole"])
def test_the_check_finds_a_dangerous_action_without_its_condition(
    broken: Callable[[str, str], str], action: str
) -> None:
    harmless = {"kms": "kms:CreateKey", "ec2": "ec2:CreateVpc", "iam": "iam:UpdateRole"}[action[:3]]
    assert f"allows {action} without the condition" in broken(f"- {harmless}\n", f"- {action}\n")
