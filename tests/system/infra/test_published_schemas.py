"""The template, and what the embedded CloudFormation does, against the resource schemas that AWS publishes.

cfn-lint ships those schemas: required properties, identifiers that only the service gives, and the permissions that
each type's handlers ask for.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from functools import cache
from typing import Any

import pytest
import yaml
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from etltctl.infrastructure import export
from etltctl.settings import load_settings
from support.checkout import Checkout
from support.cloudformation.kinds import KINDS
from support.stacks import create_stack, removed

TEMPLATE = yaml.safe_load(
    export(load_settings(env="aws", environ={}, flags={"infra.alarm_email": "me@example.org"}))
)
# Permissions that a handler needs only because of a property that the template does not set, by that property.
# `no one` are those of a change that no deployment of etltctl makes.
OF_PROPERTIES = {
    "athena": {"*:TagResource": "Tags", "*:UntagResource": "Tags", "iam:Create*": "no one", "s3:*": "no one"},
    "budgets": {"*agResource": "Tags", "billing:GetBillingViewData": "BillingViewArn"},
    "cloudwatch": {"*agResource": "Tags"},
    "events": {"*agResource": "Tags"},
    "glue": {"*Connection": "no one"},  # of federated databases, a part of DatabaseInput
    "iam": {
        "*tachRolePolicy": "ManagedPolicyArns",
        "*PermissionsBoundary": "PermissionsBoundary",
        "*RoleDescription": "Description",
    },
    "kms": {"*ableKey": "Enabled", "*DisableKeyRotation": "no one"},
    "sns": {
        "*PutDataProtectionPolicy": "DataProtectionPolicy",
        "*UntagResource": "Tags",
        "iam:*": "no one",
        "*SetSubscription*": "FilterPolicy",
    },
    "ssm": {"*TagsFromResource": "Tags"},
    "logs": {
        "*KmsKey": "KmsKeyId",
        "*DataProtectionPolicy": "DataProtectionPolicy",
        "*LogDelivery": "DataProtectionPolicy",
        "firehose:*": "DataProtectionPolicy",
        "s3:REST*": "DataProtectionPolicy",
        "*IndexPolicy": "FieldIndexPolicies",
        "*ResourcePolicy": "ResourcePolicyDocument",
        "*DeleteRetentionPolicy": "no one",
        "*BearerTokenAuthentication": "BearerTokenAuthenticationEnabled",
        "*DeletionProtection": "DeletionProtectionEnabled",
    },
    "ec2": {
        "*chVolume": "Volumes",
        "*IamInstanceProfile*": "no one",
        "*CreditSpecification": "CreditSpecification",
        "*MaintenanceOptions": "MaintenanceOptions",
        "*InstancePlacement": "Affinity",
        "*PrivateDnsNameOptions": "PrivateDnsNameOptions",
        "*onitorInstances": "Monitoring",
        "ssm:*Association*": "SsmAssociations",
        "*Ingress": "SecurityGroupIngress",
        "*SubnetCidrBlock": "Ipv6CidrBlock",
        "*EncryptionControl": "VpcEncryptionControl",
        "*VpcTenancy": "InstanceTenancy",
        "vpc-lattice:*": "ServiceNetworkArn",
        "vpce:AllowMultiRegion": "ServiceRegion",
        "*VpnGateway": "VpnGatewayId",
        "*CopyVolumes": "SourceVolumeId",
        "*ModifyVolumeAttribute": "AutoEnableIO",
        "kms:*": "KmsKeyId",
    },
    "s3": {
        "*Metadata*": "MetadataConfiguration",
        "s3tables:*": "MetadataTableConfiguration",
        "*Analytics*": "AnalyticsConfigurations",
        "*BucketC[oO]*": "CorsConfiguration",
        "*BucketEncryption": "no one",
        "*BucketLifecycle": "no one",
        "*Metrics*": "MetricsConfigurations",
        "*Replication*": "ReplicationConfiguration",
        "*Website": "WebsiteConfiguration",
        "*Accelerate*": "AccelerateConfiguration",
        "*Abac": "AbacStatus",
        "*Acl": "AccessControl",
        "*BucketLogging": "LoggingConfiguration",
        "*Notification": "NotificationConfiguration",
        "*ObjectLock*": "ObjectLockConfiguration",
        "*IntelligentTiering*": "IntelligentTieringConfigurations",
        "*Inventory*": "InventoryConfigurations",
        "*agResource": "Tags",
        "s3:DeleteObject": "no one",
    },
}


@cache
def schema(kind: str) -> dict[str, Any]:
    """Return the published schema of a type."""
    return dict(PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema)


def can_be_imported(kind: str) -> bool:
    """Return True if CloudFormation imports such a resource: its identifier is chosen by the template."""
    return not set(schema(kind)["primaryIdentifier"]) & set(schema(kind).get("readOnlyProperties") or ())


def test_the_embedded_cloudformation_imports_only_what_the_real_one_does() -> None:
    assert {kind for kind, facts in KINDS.items() if facts.find and not can_be_imported(kind)} == set()
    assert not can_be_imported("AWS::SecretsManager::Secret")


def test_resources_kept_after_a_removal_can_be_imported_or_have_generated_names() -> None:
    """A kept resource with a fixed name that cannot be imported would fail every later deployment."""
    kept = {
        facts["Type"]: facts["Properties"]
        for facts in TEMPLATE["Resources"].values()
        if facts.get("DeletionPolicy", "Delete") in {"Retain", "RetainExceptOnCreate"}
    }
    assert kept
    named = {kind for kind, properties in kept.items() if any("Name" in word for word in properties)}
    assert {kind for kind in named if not can_be_imported(kind)} == set()
    assert {kind for kind in named if KINDS[kind].find is None} == set()


def test_a_secret_that_a_stack_left_behind_stops_the_next_one(deployed: Checkout) -> None:
    """Like the real CloudFormation, the double does not import a secret, and the name stays taken."""
    key = "arn:aws:kms:us-east-1:123456789012:key/11111111-2222-3333-4444-555555555555"
    secret = {
        "Type": "AWS::SecretsManager::Secret",
        "DeletionPolicy": "Retain",
        "Properties": {"Name": "left/behind", "KmsKeyId": key},
    }
    template = {"Resources": {"Secret": secret}}
    assert create_stack(deployed, "first-owner", template) == {}
    removed(deployed, "first-owner")
    assert "ResourceExistsException" in create_stack(deployed, "second-owner", template)["Secret"]


@pytest.mark.parametrize("name", list(TEMPLATE["Resources"]))
def test_every_resource_has_what_its_schema_requires_and_sets_nothing_that_is_read_only(name: str) -> None:
    facts = TEMPLATE["Resources"][name]
    published = schema(facts["Type"])
    properties = set(facts["Properties"])
    assert set(published.get("required", ())) <= properties
    assert properties <= set(published["properties"])
    read_only = {path.removeprefix("/properties/") for path in published.get("readOnlyProperties") or ()}
    assert properties & read_only == set()


def deployer_actions() -> list[str]:
    (policy,) = TEMPLATE["Resources"]["DeployerRole"]["Properties"]["Policies"]
    return [action for one in policy["PolicyDocument"]["Statement"] for action in one["Action"]]


def is_asked_for(kind: str, permission: str) -> bool:
    """Return True unless the permission belongs to a property that no resource of the type sets."""
    values = [facts["Properties"] for facts in TEMPLATE["Resources"].values() if facts["Type"] == kind]
    for pattern, owner in OF_PROPERTIES.get(kind.split("::")[1].lower(), {}).items():
        if fnmatchcase(permission, pattern):
            return any(properties.get(owner) for properties in values)
    return True


@pytest.mark.parametrize("kind", sorted({facts["Type"] for facts in TEMPLATE["Resources"].values()}))
def test_the_deployer_has_every_permission_that_the_handlers_of_its_types_need(kind: str) -> None:
    """CloudFormation works with the deployer's rights; only other tools need the permissions of `list`."""
    handlers = schema(kind).get("handlers", {})
    needed = {p for name, facts in handlers.items() if name != "list" for p in facts.get("permissions", ())}
    granted = deployer_actions()
    lacking = {p for p in needed if not any(fnmatchcase(p, action) for action in granted)}
    assert {permission for permission in lacking if is_asked_for(kind, permission)} == set()
