"""The CloudFormation template of one environment, made from its settings, and the parameters it is deployed with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from etltctl.errors import ConfigurationError
from etltctl.infrastructure.alarms import alarms
from etltctl.infrastructure.analytics import analytics, scripts_parameter
from etltctl.infrastructure.machine import machine
from etltctl.infrastructure.names import Names
from etltctl.infrastructure.roles import roles
from etltctl.infrastructure.sizes import policy_characters
from etltctl.infrastructure.storage import key_arn, storage
from etltctl.infrastructure.uploads import HASH_DIGITS, TEMPLATES, Uploads, uploads_of

if TYPE_CHECKING:
    from etltctl.settings import Settings

MOST_BYTES = 51_200  # of a template that is sent in a call
MOST_POLICY_CHARACTERS = 10_240  # of all inline policies of a role, blanks not counted
LONG_REGION = "ap-southeast-2"
MOST_BYTES_IN_S3 = 1_048_576  # of a template that CloudFormation reads from S3
NEWEST_IMAGE = "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id"


@dataclass(frozen=True)
class Blueprint:
    """What would be deployed: the template, its parameters, and the files that the resources point to.

    `parameters` lacks `ImageId` where the settings name no image.
    """

    names: Names
    template: Mapping[str, Any]
    parameters: Mapping[str, str]
    uploads: Uploads

    @cached_property
    def body(self) -> str:
        """The template as it is sent."""
        return json.dumps(self.template, separators=(",", ":"), ensure_ascii=False)

    @property
    def fits_a_call(self) -> bool:
        """Whether the template may be sent in a call."""
        return len(self.body.encode()) <= MOST_BYTES

    @property
    def location(self) -> str:
        """Where in S3 a template that is too large for a call is put, under a key made of its content."""
        # The same template has the same key, so planning twice uploads one object.
        digest = hashlib.sha256(self.body.encode()).hexdigest()[:HASH_DIGITS]
        return f"{self.names.settings.lake.scripts}/{TEMPLATES}/{digest}.json"

    def require_room(self, *, has_bucket: bool) -> None:
        """Refuse a template that CloudFormation cannot read.

        Args:
            has_bucket: Whether the stack has its scripts bucket, from which CloudFormation reads a larger template.

        Raises:
            ConfigurationError: The template, or the policy of a role, is too large.
        """
        self._require_short_policies()
        size, most = len(self.body.encode()), MOST_BYTES_IN_S3 if has_bucket else MOST_BYTES
        if size <= most:
            return
        larger = "" if has_bucket else " of a new stack, whose scripts bucket does not exist yet"
        raise ConfigurationError(
            f"the template of these settings has {size:,} bytes, and CloudFormation takes {most:,}{larger}; "
            "nothing was changed",
            hint="split the Glue jobs into two projects; a stack without Airflow's machine "
            "(infra.machine = false) is smaller too"
            + ("" if has_bucket else "; or deploy fewer jobs first, and all of them after that"),
        )

    def _require_short_policies(self) -> None:
        # The region stands in most ARNs. Where it is not set, the longest name leaves room for any.
        region = self.names.settings.aws.region or LONG_REGION
        for resource in self.template["Resources"].values():
            if resource["Type"] != "AWS::IAM::Role":
                continue
            size, role = policy_characters(resource, region), resource["Properties"]["RoleName"]
            if size > MOST_POLICY_CHARACTERS:
                raise ConfigurationError(
                    f"the policy of role {role} has {size:,} characters, and IAM takes {MOST_POLICY_CHARACTERS:,}; "
                    "nothing was changed",
                    hint="shorten the names it holds: project, glue.job_prefix and the buckets; or name fewer jobs",
                )


def blueprint(settings: Settings) -> Blueprint:
    """Return what these settings describe.

    Raises:
        ConfigurationError: A script or a file of the bundle is missing.
    """
    names = Names(settings)
    uploads = uploads_of(settings)
    hashes = {scripts_parameter(job): version for job, version in uploads.hashes.items()}
    defaults = {
        name: str(facts["Default"]) for name, facts in _parameters(names).items() if "Default" in facts
    }
    bundle = {"AirflowBundle": uploads.bundle_key} if settings.infra.machine else {}
    has_image = settings.infra.machine and settings.infra.image
    image = {"ImageId": settings.infra.image} if has_image else {}
    parameters = defaults | hashes | bundle | image
    return Blueprint(names, template_of(names), parameters, uploads)


def template_of(names: Names) -> dict[str, Any]:
    """Return the template: the same for the same settings, whatever is in the scripts."""
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": f"The lake {names.settings.project}: storage, Glue, catalog, Athena, Airflow, and who may what",
        "Parameters": _parameters(names),
        "Resources": {
            **storage(names),
            **analytics(names),
            **roles(names),
            **(machine(names) if names.settings.infra.machine else {}),
            **alarms(names),
        },
        "Outputs": _outputs(names),
    }


def export(settings: Settings) -> str:
    """Return the template that these settings make, as people read it; it needs no account."""
    return as_yaml(template_of(Names(settings)))


def as_yaml(template: Mapping[str, Any]) -> str:
    """Return a template as people read it: block texts, no aliases, keys in their order."""
    import yaml

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's own signature
            return True

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        style = "|" if "\n" in value else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Dumper.add_representer(str, text)
    header = (
        "# Written by the command `infra export` of etltctl from etltctl.toml; a change made here is lost.\n"
    )
    return header + str(yaml.dump(template, Dumper=Dumper, sort_keys=False, width=110, allow_unicode=True))


def _parameters(names: Names) -> dict[str, dict[str, Any]]:
    """Return what differs between two deployments of one template, with the settings' values as defaults."""
    infra = names.settings.infra
    of_machine: dict[str, dict[str, Any]] = {
        "InstanceType": _text(r"[a-z0-9-]+\.[a-z0-9]+", infra.instance_type),
        # A separate type: CloudFormation checks that the account sees the image before it makes anything.
        "ImageId": {
            "Type": "AWS::EC2::Image::Id",
            "Description": f"Ubuntu 24.04, such as {NEWEST_IMAGE} names",
        },
        "VolumeGb": _number(infra.volume_gb, least=20),
        "AirflowBundle": _text(r"airflow/[0-9a-f]+\.tar\.gz"),
    }
    parameters: dict[str, dict[str, Any]] = {
        **(of_machine if infra.machine else {}),
        "LogDays": _number(infra.log_days),
        "ResultDays": _number(infra.result_days),
        "OldVersionDays": _number(infra.old_version_days),
        # The hash of the scripts is a parameter, so a changed script is a changed job and the template stays the same.
        **{scripts_parameter(job): _text("[0-9a-f]+") for job in names.settings.glue.jobs},
    }
    if not infra.key_arn:
        parameters["KeyAliasName"] = _text("alias/[A-Za-z0-9/_-]+", names.key_alias)
    if infra.monthly_budget_usd:
        parameters["MonthlyBudgetUsd"] = _number(infra.monthly_budget_usd)
    if infra.alarm_email:
        parameters["AlarmEmail"] = _text(r"[^@\s]+@[^@\s]+", infra.alarm_email)
    return parameters


def _text(pattern: str, value: str = "") -> dict[str, Any]:
    return {"Type": "String", "AllowedPattern": pattern} | ({"Default": value} if value else {})


def _number(value: float, least: int = 1) -> dict[str, Any]:
    return {"Type": "Number", "MinValue": least, "Default": f"{value:g}"}


def _outputs(names: Names) -> dict[str, Any]:
    session = {
        "AirflowMachineId": {
            "Description": "aws ssm start-session --target THIS --document-name AWS-StartPortForwardingSession "
            "--parameters portNumber=8080,localPortNumber=8080",
            "Value": {"Ref": "AirflowMachine"},
        }
    }
    return {
        "OperatorRoleArn": {"Value": {"Fn::GetAtt": ["OperatorRole", "Arn"]}},
        "DeployerRoleArn": {"Value": {"Fn::GetAtt": ["DeployerRole", "Arn"]}},
        **(session if names.settings.infra.machine else {}),
        "AirbyteSecretName": {"Value": names.airbyte_secret},
        "AlarmTopicArn": {"Value": {"Ref": "AlarmTopic"}},
        "KeyArn": {"Value": key_arn(names)},
    }
