"""The key and the buckets: nothing public, nothing unencrypted, nothing lost by mistake."""

from __future__ import annotations

from typing import Any

from etltctl.infrastructure.names import (
    Names,
    Resource,
    Resources,
    attribute,
    bucket_of,
    filled,
    logical,
    ref,
)
from etltctl.values import S3Location

# A bucket outlives its stack; it goes only with a first deployment that fails, while it is still empty.
KEPT = {"DeletionPolicy": "RetainExceptOnCreate", "UpdateReplacePolicy": "Retain"}
# These name the account that they act for, and their statements ask for it. EventBridge does not where the topic is
# encrypted: SNS documents that its key and its topic must allow events.amazonaws.com without aws:SourceAccount.
NOTIFIERS = ("budgets.amazonaws.com", "cloudwatch.amazonaws.com")
EVENTS = "events.amazonaws.com"
ABORT_UPLOADS_DAYS = 7
# A lease is written again four times a minute and a ledger at every event: the last versions are enough to go back to.
REWRITTEN = {"NoncurrentDays": 1, "NewerNoncurrentVersions": 3}


def key_arn(names: Names) -> Any:
    """Return the key that encrypts everything: the stack's, or the one that the settings name."""
    return names.settings.infra.key_arn or attribute("Key", "Arn")


def storage(names: Names) -> Resources:
    """Return the key with its alias, and every bucket with its policy."""
    resources = {} if names.settings.infra.key_arn else _key(names)
    for purpose, bucket in names.buckets.items():
        name = logical(purpose, "bucket")
        resources[name] = _bucket(names, purpose, bucket)
        resources[f"{name}Policy"] = _policy(name)
    return resources


def bucket_arn(place: str | S3Location) -> dict[str, str]:
    """Return the bucket of an s3:// location, as policies name it."""
    return filled(f"arn:${{AWS::Partition}}:s3:::{bucket_of(place)}")


def objects_arn(place: str) -> dict[str, str]:
    """Return every object below an s3:// location, as policies name them."""
    folder = S3Location.parse(place).folder()
    return filled(f"arn:${{AWS::Partition}}:s3:::{folder.bucket}/{folder.key}*")


def _key(names: Names) -> Resources:
    account = {"AWS": filled("arn:${AWS::Partition}:iam::${AWS::AccountId}:root")}
    statements = [
        {
            # Without this statement IAM policies could grant nothing on the key, and a mistake would lock everyone out.
            "Sid": "TheAccountDecidesThroughItsRoles",
            "Effect": "Allow",
            "Principal": account,
            "Action": "kms:*",
            "Resource": "*",
        },
        {
            "Sid": "AlarmsGoToAnEncryptedTopic",
            "Effect": "Allow",
            "Principal": {"Service": list(NOTIFIERS)},
            "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
            "Resource": "*",
            "Condition": {"StringEquals": {"aws:SourceAccount": ref("AWS::AccountId")}},
        },
        {
            "Sid": "EventsGoToAnEncryptedTopic",
            "Effect": "Allow",
            "Principal": {"Service": EVENTS},
            "Action": ["kms:Decrypt", "kms:GenerateDataKey"],
            "Resource": "*",
        },
    ]
    key = {
        "Description": filled("Encrypts the lake of stack ${AWS::StackName}"),
        "EnableKeyRotation": True,
        "KeyPolicy": {"Version": "2012-10-17", "Statement": statements},
        "Tags": [names.key_tag],
    }
    return {
        "Key": {"Type": "AWS::KMS::Key", **KEPT, "Properties": key},
        "KeyAlias": {
            "Type": "AWS::KMS::Alias",
            "Properties": {"AliasName": ref("KeyAliasName"), "TargetKeyId": ref("Key")},
        },
    }


def _bucket(names: Names, purpose: str, bucket: str) -> Resource:
    encryption = {
        "BucketKeyEnabled": True,  # one call to KMS for many objects
        "ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key_arn(names)},
    }
    return {
        "Type": "AWS::S3::Bucket",
        **KEPT,
        "Properties": {
            "BucketName": bucket,
            "BucketEncryption": {"ServerSideEncryptionConfiguration": [encryption]},
            "LifecycleConfiguration": {"Rules": _rules(purpose)},
            # Objects that another account writes belong to the bucket's owner, and ACLs are off.
            "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]},
            "PublicAccessBlockConfiguration": {
                "BlockPublicAcls": True,
                "BlockPublicPolicy": True,
                "IgnorePublicAcls": True,
                "RestrictPublicBuckets": True,
            },
            "VersioningConfiguration": {"Status": "Enabled"},
        },
    }


def _rules(purpose: str) -> list[dict[str, Any]]:
    tidy = {
        "Id": "tidy",
        "Status": "Enabled",
        "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": ABORT_UPLOADS_DAYS},
        "NoncurrentVersionExpiration": {"NoncurrentDays": ref("OldVersionDays")},
        "ExpiredObjectDeleteMarker": True,  # else every object that was ever deleted leaves one for ever
    }
    # Results can be asked for again, so they expire; data and scripts never do.
    if purpose == "results":
        return [tidy, {"Id": "results", "Status": "Enabled", "ExpirationInDays": ref("ResultDays")}]
    if purpose == "state":
        return [tidy, {"Id": "rewritten", "Status": "Enabled", "NoncurrentVersionExpiration": REWRITTEN}]
    return [tidy]


def _policy(bucket: str) -> Resource:
    # Both ARNs: actions on the bucket and actions on its objects are matched apart.
    everything = [attribute(bucket, "Arn"), filled(f"${{{bucket}.Arn}}/*")]
    refused = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": everything}
    statements = [
        {**refused, "Sid": "TlsOnly", "Condition": {"Bool": {"aws:SecureTransport": "false"}}},
        {**refused, "Sid": "NoOldTls", "Condition": {"NumericLessThan": {"s3:TlsVersion": "1.2"}}},
    ]
    document = {"Version": "2012-10-17", "Statement": statements}
    properties = {"Bucket": ref(bucket), "PolicyDocument": document}
    return {"Type": "AWS::S3::BucketPolicy", "Properties": properties}
