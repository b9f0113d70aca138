"""The machine that Airflow runs on: a network without a way in, a volume that outlives it, an unattended start."""

from __future__ import annotations

from typing import Any

from etltctl.infrastructure.names import Names, Resources, attribute, filled, ref
from etltctl.settings.files import project_file
from etltctl.values import S3Location

CLOUD_CONFIG = "deploy/aws/cloud-config.yaml"
ANYWHERE = "0.0.0.0/0"
ROOT_GB = 16
KEPT_SIGNS = ("#!", "#cloud-config")


def machine(names: Names) -> Resources:
    """Return the network, the instance, its volume, and the name of the bundle that it runs.

    The machine attaches the volume itself. CloudFormation would attach it to a new machine before it ends the old one,
    and EC2 refuses that.
    """
    return {
        **_network(names),
        "AirflowVolume": {
            # Airflow's database lies on it: a volume that goes leaves a snapshot to restore from.
            "Type": "AWS::EC2::Volume",
            "DeletionPolicy": "Snapshot",
            "UpdateReplacePolicy": "Snapshot",
            "Properties": {
                "AvailabilityZone": attribute("Subnet", "AvailabilityZone"),
                "Size": ref("VolumeGb"),
                "VolumeType": "gp3",
                "Encrypted": True,
                "Tags": _tags(names),
            },
        },
        "AirflowMachine": {
            "Type": "AWS::EC2::Instance",
            # cloud-init downloads packages at the first start and would fail without a way out.
            "DependsOn": "DefaultRoute",
            "Properties": _instance(names),
        },
        "AirflowBundleName": {
            "Type": "AWS::SSM::Parameter",
            "Properties": {"Name": names.bundle_parameter, "Type": "String", "Value": ref("AirflowBundle")},
        },
    }


def cloud_config(names: Names) -> Any:
    """Return the machine's cloud-init file, with the stack's names filled in by CloudFormation.

    cloud-init writes it once in a machine's life. What may change later is therefore in the bundle.
    """
    named = {
        "AlarmTopic": ref("AlarmTopic"),
        "DataVolume": ref("AirflowVolume"),
        "BundleParameter": names.bundle_parameter,
        "ScriptsBucketName": S3Location.parse(names.settings.lake.scripts).path,
    }
    return {"Fn::Sub": [_without_comments(project_file(CLOUD_CONFIG).read_text("utf-8")), named]}


def _without_comments(text: str) -> str:
    """Leave out the lines that are comments: they would count in the 51,200 bytes of a template."""
    lines = text.splitlines(keepends=True)
    return "".join(
        line for line in lines if not line.lstrip().startswith("#") or line.lstrip().startswith(KEPT_SIGNS)
    )


def _instance(names: Names) -> dict[str, Any]:
    return {
        "ImageId": ref("ImageId"),
        "InstanceType": ref("InstanceType"),
        "IamInstanceProfile": ref("OperatorProfile"),
        "SubnetId": ref("Subnet"),
        "SecurityGroupIds": [attribute("AirflowSecurityGroup", "GroupId")],
        # Two hops: the containers are one further away from the machine's credentials than the machine.
        "MetadataOptions": {
            "HttpEndpoint": "enabled",
            # Version 2 of the metadata service only: a request that is tricked out of a container cannot get a token.
            "HttpTokens": "required",
            "HttpPutResponseHopLimit": 2,
        },
        "BlockDeviceMappings": [
            {
                "DeviceName": "/dev/sda1",
                "Ebs": {"VolumeSize": ROOT_GB, "VolumeType": "gp3", "Encrypted": True},
            }
        ],
        "PropagateTagsToVolumeOnCreation": True,
        "Tags": _tags(names),
        "UserData": {"Fn::Base64": cloud_config(names)},
    }


def _network(names: Names) -> Resources:
    """Return a public subnet, because a NAT gateway would cost more than the machine; nothing is let in."""
    vpc, table = ref("Vpc"), ref("RouteTable")
    group = {
        "GroupDescription": "Airflow: nothing in, everything out; people come through Session Manager",
        "VpcId": vpc,
        "SecurityGroupEgress": [
            {"IpProtocol": "-1", "CidrIp": ANYWHERE, "Description": "AWS, Airbyte, packages"}
        ],
        "SecurityGroupIngress": [],
    }
    s3 = {
        "VpcId": vpc,
        "VpcEndpointType": "Gateway",  # free, and keeps the lake's traffic inside AWS
        "ServiceName": filled("com.amazonaws.${AWS::Region}.s3"),
        "RouteTableIds": [table],
    }
    vpc_facts = {
        "CidrBlock": "10.20.0.0/24",
        "EnableDnsHostnames": True,
        "EnableDnsSupport": True,
        "Tags": _tags(names),
    }
    subnet = {"VpcId": vpc, "CidrBlock": "10.20.0.0/26", "MapPublicIpOnLaunch": True, "Tags": _tags(names)}
    route = {"RouteTableId": table, "DestinationCidrBlock": ANYWHERE, "GatewayId": ref("InternetGateway")}
    return {
        "Vpc": {"Type": "AWS::EC2::VPC", "Properties": vpc_facts},
        "InternetGateway": {"Type": "AWS::EC2::InternetGateway", "Properties": {"Tags": _tags(names)}},
        "InternetAttachment": {
            "Type": "AWS::EC2::VPCGatewayAttachment",
            "Properties": {"VpcId": vpc, "InternetGatewayId": ref("InternetGateway")},
        },
        "Subnet": {"Type": "AWS::EC2::Subnet", "Properties": subnet},
        "RouteTable": {"Type": "AWS::EC2::RouteTable", "Properties": {"VpcId": vpc, "Tags": _tags(names)}},
        "DefaultRoute": {"Type": "AWS::EC2::Route", "DependsOn": "InternetAttachment", "Properties": route},
        "SubnetRoutes": {
            "Type": "AWS::EC2::SubnetRouteTableAssociation",
            "Properties": {"SubnetId": ref("Subnet"), "RouteTableId": table},
        },
        "S3Endpoint": {"Type": "AWS::EC2::VPCEndpoint", "Properties": s3},
        "AirflowSecurityGroup": {"Type": "AWS::EC2::SecurityGroup", "Properties": group},
    }


def _tags(names: Names) -> list[dict[str, str]]:
    return [names.machine_tag]
