"""The names of the stack's parts: physical names follow the settings, logical ids follow the purpose."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from etltctl.errors import ConfigurationError, NextStep, command
from etltctl.values import S3Location

if TYPE_CHECKING:
    from etltctl.settings import Settings

Resource = dict[str, Any]
Resources = dict[str, Resource]

DATA = ("bronze", "silver", "gold")
MOST_PROJECT = 49  # characters: IAM allows 64 for `PROJECT-lake-formation`


@dataclass(frozen=True)
class Names:
    """The names of one environment's stack."""

    settings: Settings

    def require_valid(self) -> None:
        """Refuse names that CloudFormation or IAM would refuse half-way.

        Raises:
            ConfigurationError: The project or the stack cannot name what the stack makes.
        """
        rule = "must begin with a letter and have letters, digits and - only"
        for setting, name, most in (
            ("infra.stack", self.stack, 128),
            ("project", self.settings.project, MOST_PROJECT),
        ):
            if not re.fullmatch(rf"[A-Za-z][A-Za-z0-9-]{{0,{most - 1}}}", name):
                place = self.settings.place_of(*setting.split("."))
                raise ConfigurationError(
                    f"{place}: {setting} {rule}, at most {most} characters: it names a stack and roles; got {name!r}",
                    hint=NextStep(
                        "nothing was changed; write another name, then: ", command("infra", "plan")
                    ),
                )

    @property
    def stack(self) -> str:
        """The stack itself."""
        return self.settings.stack_name

    @property
    def key_alias(self) -> str:
        """The alias of the key."""
        return self.settings.infra.key_alias or f"alias/{self.settings.project}"

    @property
    def operator(self) -> str:
        """The role that runs pipelines."""
        return f"{self.settings.project}-operator"

    @property
    def deployer(self) -> str:
        """The role that changes the stack."""
        return f"{self.settings.project}-deployer"

    @property
    def registrar(self) -> str:
        """The role with which Lake Formation reads and writes the lake."""
        return f"{self.settings.project}-lake-formation"

    @cached_property
    def jobs(self) -> Mapping[str, str]:
        """The Glue jobs by their names in the settings, each with its name at Glue."""
        glue = self.settings.glue
        return {job: glue.names.at_glue(job) for job in glue.jobs}

    @property
    def airbyte_secret(self) -> str:
        """The secret with Airbyte's client id and secret."""
        return f"{self.settings.project}/airbyte"

    @property
    def bundle_parameter(self) -> str:
        """The parameter with the bundle that the Airflow machine runs."""
        return f"/{self.settings.project}/airflow/bundle"

    @property
    def topic(self) -> str:
        """The topic alarms go to."""
        return f"{self.settings.project}-alarms"

    @cached_property
    def buckets(self) -> Mapping[str, str]:
        """The buckets by what they are for; a bucket that serves two purposes has the first one's name."""
        lake = self.settings.lake
        places = {name: getattr(lake, name) for name in DATA} | {
            "scripts": lake.scripts,
            "results": self.settings.athena.output_location,
        }
        if S3Location.is_one(self.settings.state):
            places["state"] = self.settings.state
        buckets: dict[str, str] = {}
        for purpose, place in places.items():
            bucket = bucket_of(place)
            # CloudFormation fails on a second resource of the same bucket name.
            if bucket not in buckets.values():
                buckets[purpose] = bucket
        return buckets

    @property
    def machine_tag(self) -> dict[str, str]:
        """The tag of the machine, its volume and its network."""
        return {"Key": "Name", "Value": f"{self.settings.project}-airflow"}

    @property
    def key_tag(self) -> dict[str, str]:
        """The tag of the key that encrypts the lake."""
        return {"Key": "Name", "Value": f"{self.settings.project}-lake"}

    @cached_property
    def job_roles(self) -> Mapping[str, list[str]]:
        """The Glue jobs of every role that the stack makes; a role named by its ARN belongs to someone else."""
        roles: dict[str, list[str]] = {}
        for job, facts in self.settings.glue.jobs.items():
            if not facts.role.startswith("arn:"):
                roles.setdefault(facts.role, []).append(job)
        return roles


def bucket_of(place: str | S3Location) -> str:
    """Return the bucket of an s3:// location."""
    return S3Location.parse(place).bucket


def logical(*parts: str) -> str:
    """Return a logical id made of words: `bronze_to_silver`, `Job` → `BronzeToSilverJob`."""
    # A logical id takes letters and digits only. Two names that differ in signs alone would give the same id.
    words = "_".join(parts).replace("-", "_").replace(".", "_").replace("/", "_").split("_")
    return "".join(word[:1].upper() + word[1:] for word in words)


def ref(name: str) -> dict[str, str]:
    """Return a reference to another resource's name, or a parameter's value."""
    return {"Ref": name}


def attribute(name: str, member: str) -> dict[str, list[str]]:
    """Return a reference to an attribute of another resource."""
    # A list and not `name.member`: CloudFormation takes the text form only in YAML's short tags.
    return {"Fn::GetAtt": [name, member]}


def filled(text: str) -> dict[str, str]:
    """Return a text whose `${…}` CloudFormation fills in."""
    return {"Fn::Sub": text}


def arn(service: str, rest: str) -> dict[str, str]:
    """Return an ARN in this account and region."""
    return filled(f"arn:${{AWS::Partition}}:{service}:${{AWS::Region}}:${{AWS::AccountId}}:{rest}")
