"""Look-ups that ask a resource's service whether the resource of a stack exists."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

Client = Callable[[str], Any]
ACCOUNT = "123456789012"


def _listed(answer: Mapping[str, Any], member: str, key: str, value: str) -> Any:
    return {entry[key]: entry for entry in answer[member]}[value]


def _ec2(operation: str, argument: str, member: str) -> Callable[[Client, str], Any]:
    return lambda client, name: getattr(client("ec2"), operation)(**{argument: [name]})[member][0]


def _policy_of_topic(client: Client, name: str) -> Any:
    topic = name.removeprefix("policy-of-")
    policy = client("sns").get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"]
    return {entry["Sid"]: entry for entry in json.loads(policy)["Statement"]}["AwsTellsUs"]


def _attached_gateway(client: Client, name: str) -> Any:
    filters = [{"Name": "attachment.vpc-id", "Values": [name.partition("|")[2]]}]
    return client("ec2").describe_internet_gateways(Filters=filters)["InternetGateways"][0]


def _route(client: Client, name: str) -> Any:
    table, _, target = name.partition("|")
    routes = client("ec2").describe_route_tables(RouteTableIds=[table])["RouteTables"][0]
    return {entry.get("DestinationCidrBlock"): entry for entry in routes["Routes"]}[target]


def _association(client: Client, name: str) -> Any:
    tables = client("ec2").describe_route_tables()["RouteTables"]
    return {one["RouteTableAssociationId"]: one for table in tables for one in table["Associations"]}[name]


@contextmanager
def a_reader_of_alarms(checkout: Any) -> Iterator[str]:
    """Subscribe an address to the stack's alarms within the block."""
    sns, stack = checkout.client("sns"), checkout.project
    described = checkout.client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    outputs = {one["OutputKey"]: one["OutputValue"] for one in described["Outputs"]}
    subscription = sns.subscribe(
        TopicArn=outputs["AlarmTopicArn"],
        Protocol="email",
        Endpoint="oncall@example.org",
        ReturnSubscriptionArn=True,
    )["SubscriptionArn"]
    try:
        yield outputs["AlarmTopicArn"]
    finally:
        sns.unsubscribe(SubscriptionArn=subscription)


LOOK: dict[str, Callable[[Client, str], Any]] = {
    "AWS::Athena::WorkGroup": lambda c, n: c("athena").get_work_group(WorkGroup=n)["WorkGroup"]["Name"],
    "AWS::Budgets::Budget": lambda c, n: c("budgets").describe_budget(AccountId=ACCOUNT, BudgetName=n),
    "AWS::CloudWatch::Alarm": lambda c, n: c("cloudwatch").describe_alarms(AlarmNames=[n])["MetricAlarms"][0],
    "AWS::EC2::Instance": lambda c, n: c("ec2").describe_instances(InstanceIds=[n])["Reservations"][0],
    "AWS::EC2::InternetGateway": _ec2("describe_internet_gateways", "InternetGatewayIds", "InternetGateways"),
    "AWS::EC2::Route": _route,
    "AWS::EC2::RouteTable": _ec2("describe_route_tables", "RouteTableIds", "RouteTables"),
    "AWS::EC2::SecurityGroup": _ec2("describe_security_groups", "GroupIds", "SecurityGroups"),
    "AWS::EC2::Subnet": _ec2("describe_subnets", "SubnetIds", "Subnets"),
    "AWS::EC2::SubnetRouteTableAssociation": _association,
    "AWS::EC2::VPC": _ec2("describe_vpcs", "VpcIds", "Vpcs"),
    "AWS::EC2::VPCEndpoint": _ec2("describe_vpc_endpoints", "VpcEndpointIds", "VpcEndpoints"),
    "AWS::EC2::VPCGatewayAttachment": _attached_gateway,
    "AWS::EC2::Volume": _ec2("describe_volumes", "VolumeIds", "Volumes"),
    "AWS::Events::Rule": lambda c, n: c("events").list_targets_by_rule(Rule=n)["Targets"][0],
    "AWS::Glue::Database": lambda c, n: c("glue").get_database(Name=n),
    "AWS::Glue::Job": lambda c, n: c("glue").get_job(JobName=n),
    "AWS::IAM::InstanceProfile": lambda c, n: c("iam").get_instance_profile(InstanceProfileName=n)[
        "InstanceProfile"
    ]["Roles"][0],
    "AWS::IAM::Role": lambda c, n: c("iam").get_role_policy(
        RoleName=n, PolicyName=c("iam").list_role_policies(RoleName=n)["PolicyNames"][0]
    ),
    "AWS::KMS::Alias": lambda c, n: c("kms").describe_key(KeyId=n),
    "AWS::KMS::Key": lambda c, n: c("kms").describe_key(KeyId=n),
    "AWS::LakeFormation::PrincipalPermissions": lambda c, n: c("lakeformation").list_permissions(
        Principal={"DataLakePrincipalIdentifier": n.partition("|")[0]},
        Resource=json.loads(n.partition("|")[2]),
    )["PrincipalResourcePermissions"][0],
    "AWS::LakeFormation::Resource": lambda c, n: c("lakeformation").describe_resource(ResourceArn=n),
    "AWS::Logs::LogGroup": lambda c, n: _listed(
        c("logs").describe_log_groups(logGroupNamePrefix=n), "logGroups", "logGroupName", n
    )["retentionInDays"],
    "AWS::S3::Bucket": lambda c, n: c("s3").get_bucket_encryption(Bucket=n),
    "AWS::S3::BucketPolicy": lambda c, n: c("s3").get_bucket_policy(Bucket=n),
    "AWS::SNS::Subscription": lambda c, n: c("sns").get_subscription_attributes(SubscriptionArn=n),
    "AWS::SNS::Topic": lambda c, n: c("sns").get_topic_attributes(TopicArn=n),
    "AWS::SNS::TopicPolicy": _policy_of_topic,
    "AWS::SSM::Parameter": lambda c, n: c("ssm").get_parameter(Name=n),
}
