"""Resource types of storage and processing: S3, KMS, Glue, Athena, logs, Lake Formation."""

from __future__ import annotations

import json
from typing import Any

from support.cloudformation.kind import Clients, Kind, Made, Props


def _make_bucket(clients: Clients, props: Props) -> Made:
    clients("s3").create_bucket(Bucket=props["BucketName"])
    _configure_bucket(clients, props["BucketName"], props)
    return _bucket(props)


def _find_bucket(clients: Clients, props: Props) -> Made:
    clients("s3").head_bucket(Bucket=props["BucketName"])
    return _bucket(props)


def _bucket(props: Props) -> Made:
    return props["BucketName"], {"Arn": f"arn:aws:s3:::{props['BucketName']}"}


def _configure_bucket(clients: Clients, bucket: str, props: Props) -> None:
    """Configure the bucket; CloudFormation's property names differ from the API's in a few places."""
    s3 = clients("s3")
    if encryption := props.get("BucketEncryption"):
        rules = [
            {
                "BucketKeyEnabled": rule["BucketKeyEnabled"],
                "ApplyServerSideEncryptionByDefault": rule["ServerSideEncryptionByDefault"],
            }
            for rule in encryption["ServerSideEncryptionConfiguration"]
        ]
        s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": rules})
    if lifecycle := props.get("LifecycleConfiguration"):
        rules = [_lifecycle_rule(rule) for rule in lifecycle["Rules"]]
        s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})
    if ownership := props.get("OwnershipControls"):
        s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=ownership)
    if block := props.get("PublicAccessBlockConfiguration"):
        s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=block)
    if versioning := props.get("VersioningConfiguration"):
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration=versioning)


def _lifecycle_rule(rule: Props) -> dict[str, Any]:
    lifecycle: dict[str, Any] = {"ID": rule["Id"], "Status": rule["Status"], "Filter": {"Prefix": ""}}
    if abort := rule.get("AbortIncompleteMultipartUpload"):
        lifecycle["AbortIncompleteMultipartUpload"] = abort
    if old := rule.get("NoncurrentVersionExpiration"):
        lifecycle["NoncurrentVersionExpiration"] = {name: int(value) for name, value in old.items()}
    if rule.get("ExpiredObjectDeleteMarker"):
        lifecycle["Expiration"] = {"ExpiredObjectDeleteMarker": True}
    if days := rule.get("ExpirationInDays"):
        lifecycle["Expiration"] = {"Days": int(days)}
    return lifecycle


def _make_bucket_policy(clients: Clients, props: Props) -> Made:
    _change_bucket_policy(clients, props["Bucket"], props)
    return props["Bucket"], {}


def _change_bucket_policy(clients: Clients, bucket: str, props: Props) -> None:
    clients("s3").put_bucket_policy(Bucket=bucket, Policy=json.dumps(props["PolicyDocument"]))


def _make_key(clients: Clients, props: Props) -> Made:
    kms = clients("kms")
    policy = json.dumps(props["KeyPolicy"])
    answer = kms.create_key(Description=props.get("Description", ""), Policy=policy, Tags=_key_tags(props))
    key = answer["KeyMetadata"]
    if props.get("EnableKeyRotation"):
        kms.enable_key_rotation(KeyId=key["KeyId"])
    return key["KeyId"], {"Arn": key["Arn"]}


def _change_key(clients: Clients, key: str, props: Props) -> None:
    clients("kms").put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(props["KeyPolicy"]))
    clients("kms").tag_resource(KeyId=key, Tags=_key_tags(props))


def _key_tags(props: Props) -> list[dict[str, str]]:
    """Return tags in KMS's spelling."""
    return [{"TagKey": tag["Key"], "TagValue": tag["Value"]} for tag in props.get("Tags", ())]


def _make_alias(clients: Clients, props: Props) -> Made:
    clients("kms").create_alias(AliasName=props["AliasName"], TargetKeyId=props["TargetKeyId"])
    return props["AliasName"], {}


def _make_job(clients: Clients, props: Props) -> Made:
    clients("glue").create_job(**props)
    return props["Name"], {}


def _make_database(clients: Clients, props: Props) -> Made:
    clients("glue").create_database(DatabaseInput=props["DatabaseInput"])
    return props["DatabaseInput"]["Name"], {}


def _find_database(clients: Clients, props: Props) -> Made:
    name = props["DatabaseInput"]["Name"]
    clients("glue").get_database(Name=name)
    return name, {}


def _make_workgroup(clients: Clients, props: Props) -> Made:
    clients("athena").create_work_group(Name=props["Name"], Configuration=props["WorkGroupConfiguration"])
    return props["Name"], {}


def _make_log_group(clients: Clients, props: Props) -> Made:
    clients("logs").create_log_group(logGroupName=props["LogGroupName"])
    _change_log_group(clients, props["LogGroupName"], props)
    return _log_group(props)


def _change_log_group(clients: Clients, name: str, props: Props) -> None:
    clients("logs").put_retention_policy(logGroupName=name, retentionInDays=int(props["RetentionInDays"]))


def _find_log_group(clients: Clients, props: Props) -> Made:
    name = props["LogGroupName"]
    groups = clients("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    return {group["logGroupName"]: _log_group(props) for group in groups}[name]


def _log_group(props: Props) -> Made:
    name = props["LogGroupName"]
    return name, {"Arn": f"arn:aws:logs:us-east-1:123456789012:log-group:{name}:*"}


def _make_location(clients: Clients, props: Props) -> Made:
    clients("lakeformation").register_resource(
        ResourceArn=props["ResourceArn"],
        RoleArn=props["RoleArn"],
        HybridAccessEnabled=bool(props.get("HybridAccessEnabled")),
    )
    return props["ResourceArn"], {}


def _change_location(clients: Clients, arn: str, props: Props) -> None:
    hybrid = bool(props.get("HybridAccessEnabled"))
    clients("lakeformation").update_resource(
        ResourceArn=arn, RoleArn=props["RoleArn"], HybridAccessEnabled=hybrid
    )


def _make_permissions(clients: Clients, props: Props) -> Made:
    clients("lakeformation").grant_permissions(**_permissions(props))
    principal, resource = props["Principal"]["DataLakePrincipalIdentifier"], json.dumps(props["Resource"])
    names = {"PrincipalIdentifier": principal, "ResourceIdentifier": resource}
    return "|".join(names.values()), names


def _permissions(props: Props) -> dict[str, Any]:
    members = ("Principal", "Resource", "Permissions", "PermissionsWithGrantOption")
    return {member: props[member] for member in members}


KINDS = {
    "AWS::S3::Bucket": Kind(
        _make_bucket,
        lambda clients, bucket, _: clients("s3").delete_bucket(Bucket=bucket),
        frozenset({"BucketName"}),
        _configure_bucket,
        _find_bucket,
    ),
    "AWS::S3::BucketPolicy": Kind(
        _make_bucket_policy,
        lambda clients, bucket, _: clients("s3").delete_bucket_policy(Bucket=bucket),
        frozenset({"Bucket"}),
        _change_bucket_policy,
    ),
    "AWS::KMS::Key": Kind(
        _make_key,
        lambda clients, key, _: clients("kms").schedule_key_deletion(KeyId=key),
        frozenset({"KeySpec", "KeyUsage"}),
        _change_key,
    ),
    "AWS::KMS::Alias": Kind(
        _make_alias,
        lambda clients, alias, _: clients("kms").delete_alias(AliasName=alias),
        frozenset({"AliasName"}),
    ),
    "AWS::Glue::Job": Kind(
        _make_job, lambda clients, job, _: clients("glue").delete_job(JobName=job), frozenset({"Name"})
    ),
    "AWS::Glue::Database": Kind(
        _make_database,
        lambda clients, name, _: clients("glue").delete_database(Name=name),
        frozenset({"CatalogId", "DatabaseName", "DatabaseInput"}),
        find=_find_database,
    ),
    "AWS::Athena::WorkGroup": Kind(
        _make_workgroup,
        lambda clients, name, _: clients("athena").delete_work_group(WorkGroup=name),
        frozenset({"Name"}),
    ),
    "AWS::Logs::LogGroup": Kind(
        _make_log_group,
        lambda clients, name, _: clients("logs").delete_log_group(logGroupName=name),
        frozenset({"LogGroupName"}),
        _change_log_group,
        _find_log_group,
    ),
    "AWS::LakeFormation::Resource": Kind(
        _make_location,
        lambda clients, arn, _: clients("lakeformation").deregister_resource(ResourceArn=arn),
        frozenset({"ResourceArn"}),
        _change_location,
    ),
    "AWS::LakeFormation::PrincipalPermissions": Kind(
        _make_permissions,
        lambda clients, _, props: clients("lakeformation").revoke_permissions(**_permissions(props)),
        frozenset({"Catalog", "Principal", "Resource", "Permissions", "PermissionsWithGrantOption"}),
    ),
}
