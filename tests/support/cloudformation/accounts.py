"""Resource types of permissions and notices: IAM, SNS, EventBridge, alarms, budgets, parameters, secrets."""

from __future__ import annotations

import json
from typing import Any

from etltctl.local.kernel.accounts import ACCOUNT
from support.cloudformation.kind import Clients, Kind, Made, Props


def _make_role(clients: Clients, props: Props) -> Made:
    trust = json.dumps(props["AssumeRolePolicyDocument"])
    role = clients("iam").create_role(RoleName=props["RoleName"], AssumeRolePolicyDocument=trust)["Role"]
    _put_policies(clients, props["RoleName"], props)
    return props["RoleName"], {"Arn": role["Arn"], "RoleId": role["RoleId"]}


def _change_role(clients: Clients, name: str, props: Props) -> None:
    trust = json.dumps(props["AssumeRolePolicyDocument"])
    clients("iam").update_assume_role_policy(RoleName=name, PolicyDocument=trust)
    _put_policies(clients, name, props)


def _put_policies(clients: Clients, name: str, props: Props) -> None:
    for policy in props.get("Policies", ()):
        document = json.dumps(policy["PolicyDocument"])
        clients("iam").put_role_policy(
            RoleName=name, PolicyName=policy["PolicyName"], PolicyDocument=document
        )


def _delete_role(clients: Clients, name: str, _: Props) -> None:
    iam = clients("iam")
    for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        iam.delete_role_policy(RoleName=name, PolicyName=policy)
    iam.delete_role(RoleName=name)


def _make_profile(clients: Clients, props: Props) -> Made:
    iam, name = clients("iam"), props["InstanceProfileName"]
    profile = iam.create_instance_profile(InstanceProfileName=name)["InstanceProfile"]
    for role in props["Roles"]:
        iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=role)
    return name, {"Arn": profile["Arn"]}


def _delete_profile(clients: Clients, name: str, props: Props) -> None:
    for role in props["Roles"]:
        clients("iam").remove_role_from_instance_profile(InstanceProfileName=name, RoleName=role)
    clients("iam").delete_instance_profile(InstanceProfileName=name)


def _make_topic(clients: Clients, props: Props) -> Made:
    attributes = {"KmsMasterKeyId": props["KmsMasterKeyId"]}
    arn = clients("sns").create_topic(Name=props["TopicName"], Attributes=attributes)["TopicArn"]
    return arn, {"TopicName": props["TopicName"], "TopicArn": arn}


def _change_topic(clients: Clients, arn: str, props: Props) -> None:
    clients("sns").set_topic_attributes(
        TopicArn=arn, AttributeName="KmsMasterKeyId", AttributeValue=props["KmsMasterKeyId"]
    )


def _make_topic_policy(clients: Clients, props: Props) -> Made:
    _change_topic_policy(clients, "", props)
    return f"policy-of-{props['Topics'][0]}", {}


def _change_topic_policy(clients: Clients, _: str, props: Props) -> None:
    for topic in props["Topics"]:
        clients("sns").set_topic_attributes(
            TopicArn=topic, AttributeName="Policy", AttributeValue=json.dumps(props["PolicyDocument"])
        )


def _delete_topic_policy(clients: Clients, _: str, props: Props) -> None:
    """Do nothing: a topic always has a policy, which is deleted with the topic."""


def _make_subscription(clients: Clients, props: Props) -> Made:
    answer = clients("sns").subscribe(
        TopicArn=props["TopicArn"],
        Protocol=props["Protocol"],
        Endpoint=props["Endpoint"],
        ReturnSubscriptionArn=True,
    )
    return answer["SubscriptionArn"], {}


def _make_rule(clients: Clients, props: Props) -> Made:
    events, name = clients("events"), props["Name"]
    arn = events.put_rule(Name=name, EventPattern=json.dumps(props["EventPattern"]))["RuleArn"]
    events.put_targets(Rule=name, Targets=props["Targets"])
    return name, {"Arn": arn}


def _change_rule(clients: Clients, _: str, props: Props) -> Any:
    return _make_rule(clients, props)[1]


def _delete_rule(clients: Clients, name: str, props: Props) -> None:
    clients("events").remove_targets(Rule=name, Ids=[target["Id"] for target in props["Targets"]])
    clients("events").delete_rule(Name=name)


def _make_alarm(clients: Clients, props: Props) -> Made:
    clients("cloudwatch").put_metric_alarm(**props)
    return props["AlarmName"], {"Arn": f"arn:aws:cloudwatch:us-east-1:{ACCOUNT}:alarm:{props['AlarmName']}"}


def _change_alarm(clients: Clients, _: str, props: Props) -> Any:
    return _make_alarm(clients, props)[1]


def _make_budget(clients: Clients, props: Props) -> Made:
    clients("budgets").create_budget(
        AccountId=ACCOUNT,
        Budget=props["Budget"],
        NotificationsWithSubscribers=props["NotificationsWithSubscribers"],
    )
    return props["Budget"]["BudgetName"], {}


def _make_parameter(clients: Clients, props: Props) -> Made:
    clients("ssm").put_parameter(Name=props["Name"], Type=props["Type"], Value=props["Value"])
    return props["Name"], {"Value": props["Value"]}


def _change_parameter(clients: Clients, name: str, props: Props) -> Any:
    clients("ssm").put_parameter(Name=name, Value=props["Value"], Overwrite=True)
    return {"Value": props["Value"]}


def _make_secret(clients: Clients, props: Props) -> Made:
    secret = clients("secretsmanager").create_secret(
        Name=props["Name"], Description=props.get("Description", ""), KmsKeyId=props["KmsKeyId"]
    )
    return secret["ARN"], {"Id": secret["ARN"]}


def _change_secret(clients: Clients, arn: str, props: Props) -> None:
    clients("secretsmanager").update_secret(SecretId=arn, Description=props.get("Description", ""))


KINDS = {
    "AWS::IAM::Role": Kind(_make_role, _delete_role, frozenset({"RoleName"}), _change_role),
    "AWS::IAM::InstanceProfile": Kind(_make_profile, _delete_profile, frozenset({"InstanceProfileName"})),
    "AWS::SNS::Topic": Kind(
        _make_topic,
        lambda clients, arn, _: clients("sns").delete_topic(TopicArn=arn),
        frozenset({"TopicName"}),
        _change_topic,
    ),
    "AWS::SNS::TopicPolicy": Kind(
        _make_topic_policy, _delete_topic_policy, frozenset(), _change_topic_policy
    ),
    "AWS::SNS::Subscription": Kind(
        _make_subscription,
        lambda clients, arn, _: clients("sns").unsubscribe(SubscriptionArn=arn),
        frozenset({"TopicArn", "Protocol", "Endpoint"}),
    ),
    "AWS::Events::Rule": Kind(_make_rule, _delete_rule, frozenset({"Name"}), _change_rule),
    "AWS::CloudWatch::Alarm": Kind(
        _make_alarm,
        lambda clients, name, _: clients("cloudwatch").delete_alarms(AlarmNames=[name]),
        frozenset({"AlarmName"}),
        _change_alarm,
    ),
    "AWS::Budgets::Budget": Kind(
        _make_budget,
        lambda clients, name, _: clients("budgets").delete_budget(AccountId=ACCOUNT, BudgetName=name),
    ),
    "AWS::SSM::Parameter": Kind(
        _make_parameter,
        lambda clients, name, _: clients("ssm").delete_parameter(Name=name),
        frozenset({"Name"}),
        _change_parameter,
    ),
    "AWS::SecretsManager::Secret": Kind(
        _make_secret,
        lambda clients, arn, _: clients("secretsmanager").delete_secret(SecretId=arn),
        frozenset({"Name"}),
        _change_secret,
    ),
}
