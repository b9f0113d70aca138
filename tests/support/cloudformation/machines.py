"""EC2: a network with a machine in it. Resources are recorded; no machine runs."""

from __future__ import annotations

from typing import Any

from support.cloudformation.kind import Clients, Kind, Made, Props


def _make_vpc(clients: Clients, props: Props) -> Made:
    ec2 = clients("ec2")
    vpc = ec2.create_vpc(CidrBlock=props["CidrBlock"])["Vpc"]["VpcId"]
    for name in ("EnableDnsHostnames", "EnableDnsSupport"):
        ec2.modify_vpc_attribute(VpcId=vpc, **{name: {"Value": bool(props.get(name))}})
    return vpc, {"VpcId": vpc}


def _make_subnet(clients: Clients, props: Props) -> Made:
    subnet = clients("ec2").create_subnet(VpcId=props["VpcId"], CidrBlock=props["CidrBlock"])["Subnet"]
    is_public = {"Value": bool(props.get("MapPublicIpOnLaunch"))}
    clients("ec2").modify_subnet_attribute(SubnetId=subnet["SubnetId"], MapPublicIpOnLaunch=is_public)
    return subnet["SubnetId"], {"AvailabilityZone": subnet["AvailabilityZone"]}


def _make_gateway(clients: Clients, _: Props) -> Made:
    gateway = clients("ec2").create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    return gateway, {"InternetGatewayId": gateway}


def _attach_gateway(clients: Clients, props: Props) -> Made:
    clients("ec2").attach_internet_gateway(InternetGatewayId=props["InternetGatewayId"], VpcId=props["VpcId"])
    return f"IGW|{props['VpcId']}", {}


def _detach_gateway(clients: Clients, _: str, props: Props) -> None:
    clients("ec2").detach_internet_gateway(InternetGatewayId=props["InternetGatewayId"], VpcId=props["VpcId"])


def _make_route_table(clients: Clients, props: Props) -> Made:
    table = clients("ec2").create_route_table(VpcId=props["VpcId"])["RouteTable"]["RouteTableId"]
    return table, {"RouteTableId": table}


def _make_route(clients: Clients, props: Props) -> Made:
    clients("ec2").create_route(**props)
    return f"{props['RouteTableId']}|{props['DestinationCidrBlock']}", {}


def _delete_route(clients: Clients, _: str, props: Props) -> None:
    clients("ec2").delete_route(
        RouteTableId=props["RouteTableId"], DestinationCidrBlock=props["DestinationCidrBlock"]
    )


def _associate(clients: Clients, props: Props) -> Made:
    return clients("ec2").associate_route_table(**props)["AssociationId"], {}


def _make_endpoint(clients: Clients, props: Props) -> Made:
    return clients("ec2").create_vpc_endpoint(**props)["VpcEndpoint"]["VpcEndpointId"], {}


def _make_group(clients: Clients, props: Props) -> Made:
    name = f"stack-group-of-{props['VpcId']}"
    group = clients("ec2").create_security_group(
        GroupName=name, Description=props["GroupDescription"], VpcId=props["VpcId"]
    )["GroupId"]
    return group, {"GroupId": group}


def _make_volume(clients: Clients, props: Props) -> Made:
    facts = {**props, "Size": int(props["Size"])}
    facts.pop("Tags", None)
    return clients("ec2").create_volume(**facts)["VolumeId"], {}


def _change_volume(clients: Clients, volume: str, props: Props) -> None:
    clients("ec2").modify_volume(VolumeId=volume, Size=int(props["Size"]))


def _delete_volume(clients: Clients, volume: str, _: Props) -> None:
    clients("ec2").create_snapshot(VolumeId=volume)
    clients("ec2").delete_volume(VolumeId=volume)


def _attach_volume(clients: Clients, props: Props) -> Made:
    """Attach a volume unless a machine has it: EC2 refuses that, and the embedded EC2 does not."""
    (volume,) = clients("ec2").describe_volumes(VolumeIds=[props["VolumeId"]])["Volumes"]
    if volume["Attachments"]:
        message = f"{props['VolumeId']} is already attached to an instance"
        raise clients.refusal("VolumeInUse", message, "AttachVolume")
    clients("ec2").attach_volume(**props)
    return f"{props['VolumeId']}|{props['InstanceId']}", {}


def _detach_volume(clients: Clients, _: str, props: Props) -> None:
    clients("ec2").detach_volume(VolumeId=props["VolumeId"], InstanceId=props["InstanceId"])


def _run_instance(clients: Clients, props: Props) -> Made:
    options: dict[str, Any] = {
        "ImageId": props["ImageId"],
        "InstanceType": props["InstanceType"],
        "IamInstanceProfile": {"Name": props["IamInstanceProfile"]},
        "SubnetId": props["SubnetId"],
        "SecurityGroupIds": props["SecurityGroupIds"],
        "MetadataOptions": props["MetadataOptions"],
        "BlockDeviceMappings": props["BlockDeviceMappings"],
        "TagSpecifications": [{"ResourceType": "instance", "Tags": props["Tags"]}],
        "UserData": _decoded(props["UserData"]),
    }
    instance = clients("ec2").run_instances(MinCount=1, MaxCount=1, **options)["Instances"][0]
    return instance["InstanceId"], {"PrivateIp": instance.get("PrivateIpAddress", "")}


def _change_instance(clients: Clients, instance: str, props: Props) -> None:
    clients("ec2").stop_instances(InstanceIds=[instance])
    instance_type = {"Value": props["InstanceType"]}
    clients("ec2").modify_instance_attribute(InstanceId=instance, InstanceType=instance_type)
    clients("ec2").start_instances(InstanceIds=[instance])


def _decoded(text: str) -> str:
    import base64

    return base64.b64decode(text).decode()  # boto3 encodes it


KINDS = {
    "AWS::EC2::VPC": Kind(
        _make_vpc, lambda clients, vpc, _: clients("ec2").delete_vpc(VpcId=vpc), frozenset({"CidrBlock"})
    ),
    "AWS::EC2::Subnet": Kind(
        _make_subnet,
        lambda clients, subnet, _: clients("ec2").delete_subnet(SubnetId=subnet),
        frozenset({"CidrBlock", "VpcId"}),
    ),
    "AWS::EC2::InternetGateway": Kind(
        _make_gateway,
        lambda clients, gateway, _: clients("ec2").delete_internet_gateway(InternetGatewayId=gateway),
    ),
    "AWS::EC2::VPCGatewayAttachment": Kind(_attach_gateway, _detach_gateway, frozenset({"VpcId"})),
    "AWS::EC2::RouteTable": Kind(
        _make_route_table,
        lambda clients, table, _: clients("ec2").delete_route_table(RouteTableId=table),
        frozenset({"VpcId"}),
    ),
    "AWS::EC2::Route": Kind(_make_route, _delete_route, frozenset({"RouteTableId", "DestinationCidrBlock"})),
    "AWS::EC2::SubnetRouteTableAssociation": Kind(
        _associate,
        lambda clients, one, _: clients("ec2").disassociate_route_table(AssociationId=one),
        frozenset({"RouteTableId", "SubnetId"}),
    ),
    "AWS::EC2::VPCEndpoint": Kind(
        _make_endpoint,
        lambda clients, endpoint, _: clients("ec2").delete_vpc_endpoints(VpcEndpointIds=[endpoint]),
        frozenset({"ServiceName", "VpcId"}),
    ),
    "AWS::EC2::SecurityGroup": Kind(
        _make_group,
        lambda clients, group, _: clients("ec2").delete_security_group(GroupId=group),
        frozenset({"GroupDescription", "VpcId"}),
    ),
    "AWS::EC2::Volume": Kind(
        _make_volume, _delete_volume, frozenset({"AvailabilityZone", "Encrypted"}), _change_volume
    ),
    "AWS::EC2::VolumeAttachment": Kind(
        _attach_volume, _detach_volume, frozenset({"Device", "InstanceId", "VolumeId"})
    ),
    "AWS::EC2::Instance": Kind(
        _run_instance,
        lambda clients, instance, _: clients("ec2").terminate_instances(InstanceIds=[instance]),
        frozenset({"ImageId", "SubnetId"}),
        _change_instance,
    ),
}
