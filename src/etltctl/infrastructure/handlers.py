"""What CloudFormation does in the deployer's name, for every type of resource in the stack.

CloudFormation works with the rights of the caller that executes the change set. The actions are those of the types'
handlers, narrowed to the names of this project wherever the service's actions know resources. An asterisk stands where
a role's 10,240 characters would not hold every read and every setting of a bucket by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from etltctl.infrastructure.names import Names, arn, filled
from etltctl.infrastructure.storage import bucket_arn
from etltctl.values import S3Location

# By type; every type of the template is here, and no other: a test compares.
ACTIONS: Mapping[str, tuple[str, ...]] = {
    "AWS::KMS::Key": (
        "kms:CreateKey", "kms:DescribeKey", "kms:EnableKeyRotation", "kms:GetKey*", "kms:ListResourceTags",
        "kms:PutKeyPolicy", "kms:ScheduleKeyDeletion", "kms:TagResource", "kms:UntagResource",
        "kms:UpdateKeyDescription",
    ),
    "AWS::KMS::Alias": ("kms:CreateAlias", "kms:DeleteAlias", "kms:ListAliases", "kms:UpdateAlias"),
    "AWS::S3::Bucket": (
        "s3:CreateBucket", "s3:DeleteBucket", "s3:GetA*Configuration", "s3:GetBucket*",
        "s3:GetEncryptionConfiguration", "s3:GetI*Configuration", "s3:GetLifecycleConfiguration",
        "s3:GetMetricsConfiguration", "s3:GetReplicationConfiguration", "s3:ListBucket", "s3:ListTagsForResource",
        "s3:PutBucketOwnershipControls", "s3:PutBucketPublicAccessBlock",
        "s3:PutBucketTagging", "s3:PutBucketVersioning",
        "s3:PutEncryptionConfiguration", "s3:PutLifecycleConfiguration",
    ),
    "AWS::S3::BucketPolicy": ("s3:DeleteBucketPolicy", "s3:PutBucketPolicy"),
    "AWS::IAM::Role": (
        "iam:CreateRole", "iam:DeleteRole*", "iam:GetRole*", "iam:List*RolePolicies", "iam:PassRole",
        "iam:PutRolePolicy", "iam:TagRole", "iam:UntagRole", "iam:UpdateAssumeRolePolicy", "iam:UpdateRole",
    ),
    "AWS::IAM::InstanceProfile": (
        "iam:AddRoleToInstanceProfile", "iam:CreateInstanceProfile", "iam:DeleteInstanceProfile",
        "iam:GetInstanceProfile", "iam:RemoveRoleFromInstanceProfile",
    ),
    "AWS::Glue::Job": (
        "glue:CreateJob", "glue:DeleteJob", "glue:GetJob", "glue:GetTags", "glue:TagResource", "glue:UntagResource",
        "glue:UpdateJob",
    ),
    "AWS::Glue::Database": (
        "glue:CreateDatabase", "glue:DeleteDatabase", "glue:GetDatabase", "glue:UpdateDatabase",
        "lakeformation:DescribeLakeFormationIdentityCenterConfiguration", "lakeformation:ListResources",
    ),
    "AWS::Athena::WorkGroup": (
        "athena:CreateWorkGroup", "athena:DeleteWorkGroup", "athena:GetWorkGroup", "athena:ListTagsForResource",
        "athena:UpdateWorkGroup",
    ),
    "AWS::Logs::LogGroup": (
        "logs:CreateLogGroup", "logs:DeleteLogGroup", "logs:DescribeIndexPolicies", "logs:DescribeLogGroups",
        "logs:DescribeResourcePolicies", "logs:GetDataProtectionPolicy", "logs:ListTagsForResource",
        "logs:PutRetentionPolicy",
        "logs:TagResource", "logs:UntagResource",
    ),
    "AWS::LakeFormation::Resource": (
        "lakeformation:DeregisterResource", "lakeformation:DescribeResource", "lakeformation:RegisterResource",
        "lakeformation:UpdateResource",
    ),
    # A grant on a location reads no table, so the handler's glue:GetDatabase and glue:GetTable are left out.
    "AWS::LakeFormation::PrincipalPermissions": (
        "lakeformation:GrantPermissions", "lakeformation:ListPermissions", "lakeformation:RevokePermissions",
    ),
    "AWS::EC2::VPC": ("ec2:CreateVpc", "ec2:DeleteVpc", "ec2:Describe*", "ec2:ModifyVpcAttribute"),
    "AWS::EC2::Subnet": ("ec2:CreateSubnet", "ec2:DeleteSubnet", "ec2:ModifySubnetAttribute"),
    "AWS::EC2::InternetGateway": ("ec2:CreateInternetGateway", "ec2:DeleteInternetGateway"),
    "AWS::EC2::VPCGatewayAttachment": ("ec2:AttachInternetGateway", "ec2:DetachInternetGateway"),
    "AWS::EC2::RouteTable": ("ec2:CreateRouteTable", "ec2:DeleteRouteTable"),
    "AWS::EC2::Route": ("ec2:CreateRoute", "ec2:DeleteRoute", "ec2:ReplaceRoute"),
    "AWS::EC2::SubnetRouteTableAssociation": (
        "ec2:AssociateRouteTable", "ec2:DisassociateRouteTable", "ec2:ReplaceRouteTableAssociation",
    ),
    "AWS::EC2::VPCEndpoint": ("ec2:CreateVpcEndpoint", "ec2:DeleteVpcEndpoints", "ec2:ModifyVpcEndpoint"),
    "AWS::EC2::SecurityGroup": (
        "ec2:AuthorizeSecurityGroupEgress", "ec2:CreateSecurityGroup", "ec2:DeleteSecurityGroup",
        "ec2:RevokeSecurityGroupEgress", "ec2:UpdateSecurityGroupRuleDescriptionsEgress",
    ),
    "AWS::EC2::Instance": (
        "ec2:CreateTags", "ec2:DeleteTags", "ec2:AssociateIamInstanceProfile", "ec2:ModifyInstanceAttribute",
        "ec2:ModifyInstanceMetadataOptions", "ec2:RunInstances", "ec2:StartInstances", "ec2:StopInstances",
        "ec2:TerminateInstances",
    ),
    "AWS::EC2::Volume": ("ec2:CreateSnapshot", "ec2:CreateVolume", "ec2:DeleteVolume", "ec2:ModifyVolume"),
    "AWS::SNS::Topic": (
        "sns:CreateTopic", "sns:DeleteTopic", "sns:GetDataProtectionPolicy", "sns:GetTopicAttributes",
        "sns:ListSubscriptionsByTopic", "sns:ListTagsForResource", "sns:SetTopicAttributes", "sns:TagResource",
    ),
    "AWS::SNS::TopicPolicy": (),
    "AWS::SNS::Subscription": ("sns:GetSubscriptionAttributes", "sns:Subscribe", "sns:Unsubscribe"),
    "AWS::Events::Rule": (
        "events:DeleteRule", "events:DescribeRule", "events:ListTagsForResource", "events:ListTargetsByRule",
        "events:PutRule", "events:PutTargets", "events:RemoveTargets",
    ),
    "AWS::CloudWatch::Alarm": (
        "cloudwatch:DeleteAlarms", "cloudwatch:DescribeAlarms", "cloudwatch:ListTagsForResource",
        "cloudwatch:PutMetricAlarm",
    ),
    "AWS::Budgets::Budget": ("budgets:ListTagsForResource", "budgets:ModifyBudget", "budgets:ViewBudget"),
    "AWS::SSM::Parameter": (
        "ssm:DeleteParameter", "ssm:GetParameters", "ssm:PutParameter", "ssm:AddTagsToResource",
        "ssm:ListTagsForResource",
    ),
}  # fmt: skip


# What knows no resources; a key has no name before it exists, and EC2's parts have none at all.
NOWHERE_IN_PARTICULAR = {
    "athena:ListTagsForResource", "logs:DescribeIndexPolicies",
    "kms:CreateKey", "kms:ListAliases", "lakeformation:DescribeLakeFormationIdentityCenterConfiguration",
    "lakeformation:ListResources", "logs:DescribeLogGroups", "logs:DescribeResourcePolicies",
    "sns:GetSubscriptionAttributes", "sns:Unsubscribe",
}  # fmt: skip

# What would take a machine, a volume or a key away, or open it: only on those that carry the stack's own name tag.
# A tag guards against a mistake, not against a deployer that means harm: it also writes its own role.
TAGGED_KEY = frozenset(
    {"kms:PutKeyPolicy", "kms:ScheduleKeyDeletion", "kms:UntagResource", "kms:UpdateKeyDescription"}
)
TAGGED_MACHINE = frozenset(
    {
        "ec2:AssociateIamInstanceProfile", "ec2:DeleteTags", "ec2:DeleteVolume", "ec2:ModifyInstanceAttribute",
        "ec2:ModifyInstanceMetadataOptions", "ec2:ModifyVolume",
        "ec2:StartInstances", "ec2:StopInstances", "ec2:TerminateInstances",
    }
)  # fmt: skip
MACHINE_ARNS = ("instance/*", "volume/*")
# New machines and volumes get their tags as they are made; what has the tag may get others.
MAKING = ("RunInstances", "CreateVolume")
OTHER_EC2_ARNS = (
    "internet-gateway/*", "route-table/*", "security-group/*", "subnet/*", "vpc/*", "vpc-endpoint/*", "snapshot/*",
)  # fmt: skip


# The statements of a stack with a machine alone; of EC2's types there is none by name.
OF_MACHINE = frozenset({"IAM::InstanceProfile", "SSM"})


def handler_statements(names: Names) -> list[dict[str, Any]]:
    """Return the actions of every type that the stack has, one statement a service and kind of name."""
    project = names.settings.project
    databases = _database_names(names)
    role_names = (names.operator, names.deployer, names.registrar, *names.job_roles)
    roles = [filled(f"arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:role/{name}") for name in role_names]
    profile = filled(f"arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:instance-profile/{names.operator}")
    places: dict[str, list[Any]] = {
        "KMS": [arn("kms", "key/*"), arn("kms", names.key_alias)],
        "S3": [bucket_arn(S3Location(bucket)) for bucket in names.buckets.values()],
        "IAM::Role": roles,
        "IAM::InstanceProfile": [profile],
        "Glue::Job": [arn("glue", f"job/{job}") for job in _job_names(names)],
        "Glue::Database": [
            arn("glue", "catalog"),
            *(arn("glue", f"database/{name}") for name in databases),
            *(arn("glue", f"table/{name}/*") for name in databases),
            arn("glue", "userDefinedFunction/*/*"),
        ],
        "Athena": [arn("athena", f"workgroup/{names.settings.athena.workgroup}")],
        "Logs": [arn("logs", f"log-group:{names.settings.log_group_prefix}/*")],
        "SNS": [arn("sns", names.topic)],
        "Events": [arn("events", f"rule/{project}-*")],
        "CloudWatch": [arn("cloudwatch", f"alarm:{project}-*")],
        "Budgets": [filled(f"arn:${{AWS::Partition}}:budgets::${{AWS::AccountId}}:budget/{project}")],
        "SSM": [arn("ssm", f"parameter/{project}/*")],
    }
    has_machine = names.settings.infra.machine
    # What is allowed on a tag, or for one service only, must not be allowed again here without it.
    apart = NOWHERE_IN_PARTICULAR | TAGGED_KEY | TAGGED_MACHINE | {"iam:PassRole", "ec2:CreateTags"}
    statements = [
        _allow(part.replace("::", ""), _actions(part) - apart, resources)
        for part, resources in places.items()
        if has_machine or part not in OF_MACHINE
    ]
    network = _actions("EC2") if has_machine else set()
    anywhere = (network | _actions("LakeFormation") | NOWHERE_IN_PARTICULAR) - (apart - NOWHERE_IN_PARTICULAR)
    # These calls know no resources; the region is what still limits them.
    region = {"aws:RequestedRegion": {"Ref": "AWS::Region"}}
    return [
        *statements,
        _allow("AnywhereInTheRegion", anywhere, ["*"], StringEquals=region),
        *_tagged(names),
        *_handed_on(names),
    ]


def _job_names(names: Names) -> list[str]:
    """Return the jobs' names at Glue; one pattern where they have a prefix."""
    prefix = names.settings.glue.job_prefix
    return [f"{prefix}*"] if prefix else list(names.jobs.values())


def _database_names(names: Names) -> list[str]:
    """Return the databases' names; one pattern for names that follow from the project, because policies are short."""
    databases = names.settings.athena.databases
    prefixes = {name.removesuffix(f"_{layer}") for layer, name in databases.items()}
    if len(prefixes) == 1 and not prefixes & set(databases.values()):
        return [f"{prefixes.pop()}_*"]
    return list(databases.values())


def _tagged(names: Names) -> list[dict[str, Any]]:
    """Return the statements that allow actions only on the stack's key, machine and volume."""
    machines = [arn("ec2", place) for place in MACHINE_ARNS]
    key = {"aws:ResourceTag/Name": names.key_tag["Value"]}
    machine = {"aws:ResourceTag/Name": names.machine_tag["Value"]}
    new = {"ec2:CreateAction": list(MAKING)}
    # A snapshot has no account in its name.
    network = [filled(f"arn:${{AWS::Partition}}:ec2:${{AWS::Region}}:*:{place}") for place in OTHER_EC2_ARNS]
    own_key = _allow("OwnKey", TAGGED_KEY, [arn("kms", "key/*")], StringEquals=key)
    if not names.settings.infra.machine:
        return [own_key]
    return [
        own_key,
        _allow("OwnMachine", TAGGED_MACHINE, machines, StringEquals=machine),
        _allow("NewTags", {"ec2:CreateTags"}, machines, StringEquals=new),
        _allow("MoreTags", {"ec2:CreateTags"}, machines, StringEquals=machine),
        _allow("NetworkTags", {"ec2:CreateTags", "ec2:DeleteTags"}, network),
    ]


def _handed_on(names: Names) -> list[dict[str, Any]]:
    """Return the statements that let each role be passed to one service; the deployer's role to none."""
    roles_of = {
        "ec2.amazonaws.com": [names.operator] if names.settings.infra.machine else [],
        "glue.amazonaws.com": list(names.job_roles),
        "lakeformation.amazonaws.com": [names.registrar],
    }
    return [
        _allow(
            f"Pass{service.partition('.')[0].capitalize()}",
            {"iam:PassRole"},
            [filled(f"arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:role/{name}") for name in roles],
            StringEquals={"iam:PassedToService": service},
        )
        for service, roles in roles_of.items()
        if roles
    ]


def _allow(sid: str, actions: Iterable[str], resources: list[Any], **condition: Any) -> dict[str, Any]:
    statement = {
        "Sid": f"CloudFormation{sid}",
        "Effect": "Allow",
        "Action": sorted(actions),
        # One text is shorter than a list of one; the whole policy may have 10,240 characters.
        "Resource": resources[0] if resources == ["*"] else resources,
    }
    return statement | ({"Condition": condition} if condition else {})


def _actions(part: str) -> set[str]:
    prefix = f"AWS::{part}"
    return {
        name for kind, names in ACTIONS.items() if f"{kind}::".startswith(f"{prefix}::") for name in names
    }
