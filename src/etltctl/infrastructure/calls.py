"""The calls that etltctl makes, by role and kind of resource: the roles' policies are made of these tables.

A test records every call over the wire and compares: none may be missing here, none may be too many. A call that
was added to the code is added here as `service:Operation`, under the kind of resource it works on. The operator's
calls stand in `permissions.py`, because a run checks them before it starts.
"""

from __future__ import annotations

from collections.abc import Iterable

from etltctl.denials import PERMISSION
from etltctl.permissions import Calls

# What every step looks at before it starts, where Lake Formation governs anything. It knows no resources.
GOVERNED = (
    "lakeformation:GetDataLakeSettings", "lakeformation:GetResourceLFTags", "lakeformation:ListLakeFormationOptIns",
    "lakeformation:ListPermissions", "lakeformation:ListResources",
)  # fmt: skip

# What `etltctl infra plan|deploy|destroy` need for themselves.
DEPLOYER: Calls = {
    "stack": (
        "cloudformation:CreateChangeSet", "cloudformation:DescribeChangeSet", "cloudformation:ExecuteChangeSet",
        "cloudformation:DeleteChangeSet", "cloudformation:DescribeStacks", "cloudformation:DescribeStackEvents",
        "cloudformation:ListStackResources", "cloudformation:GetTemplate", "cloudformation:DeleteStack",
    ),
    "scripts": ("s3:ListObjectsV2", "s3:PutObject"),
    "images": ("ssm:GetParameter",),
    "secrets": ("secretsmanager:CreateSecret", "secretsmanager:DescribeSecret", "secretsmanager:RestoreSecret"),
    "alarms": ("sns:ListSubscriptionsByTopic", "sns:Publish"),
}  # fmt: skip
# A plan asks whether the names of new resources are taken, and by which key a bucket is encrypted. The policy allows
# these calls for CloudFormation's handlers, which make them as well. Every caller may ask STS for its identity.
DEPLOYER_OF_NEW_NAMES = (
    "athena:GetWorkGroup", "cloudwatch:DescribeAlarms", "events:DescribeRule", "glue:GetDatabase", "glue:GetJob",
    "iam:GetInstanceProfile", "iam:GetRole", "kms:ListAliases", "logs:DescribeLogGroups",
    "s3:GetBucketEncryption", "s3:HeadBucket", "sns:GetTopicAttributes", "ssm:GetParameters", "sts:GetCallerIdentity",
)  # fmt: skip
# A plan that registers locations asks which of them Lake Formation has already. It knows no resources.
DEPLOYER_OF_GOVERNED = ("lakeformation:ListResources",)

ON_BUCKETS = frozenset({"s3:ListBucket", "s3:GetBucketLocation", "s3:ListBucketMultipartUploads"})

# What Athena does in the name of the caller of a query; etltctl never calls these itself.
ATHENA_READS_CATALOG = ("glue:GetDatabase", "glue:GetDatabases", "glue:GetPartition", "glue:GetPartitions")
ATHENA_WRITES_RESULTS = (
    "s3:GetBucketLocation", "s3:ListBucket", "s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload",
    "s3:ListMultipartUploadParts",
)  # fmt: skip
# A step `sql:NAME` has Athena write into the lake. What else that takes, the operator's own calls have there.
ATHENA_WRITES_TABLES = ("s3:GetBucketLocation", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts")
# A Tableau export takes away what Athena unloaded for it; other results expire.
EXTRACTS = ("s3:DeleteObjects",)
# CloudFormation reads a template that is too large for a call in the deployer's name, from the scripts bucket.
TEMPLATE_READ = ("s3:GetObject",)
# What S3 does at KMS in the name of the caller that reads or writes an encrypted object.
KEY_USE = ("kms:Decrypt", "kms:GenerateDataKey")
# The Systems Manager agent, by which an administrator reaches the machine; the managed policy would also let the
# machine read every parameter of the account. These know no resources.
SESSION_MANAGER = (
    "ssm:UpdateInstanceInformation", "ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel",
    "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel",
)  # fmt: skip
# The machine attaches its volume at its first start, once the machine before it has let go.
OWN_VOLUME = ("ec2:AttachVolume",)
# It reports a bundle that does not start. Without it no alarm would come, because Airflow itself does not run.
MACHINE_ALARM = ("sns:Publish",)
# What Spark's file system (S3A) does to read a folder and to commit one.
SPARK_READS = ("s3:GetObject",)
SPARK_WRITES = ("s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts")
SPARK_LISTS = ("s3:ListBucket", "s3:GetBucketLocation", "s3:ListBucketMultipartUploads")
GLUE_LOGS = ("logs:CreateLogStream", "logs:PutLogEvents")
GLUE_METRICS = ("cloudwatch:PutMetricData",)


def permissions(calls: Iterable[str]) -> list[str]:
    """Return the IAM actions that allow the calls, sorted."""
    return sorted({PERMISSION.get(call, call) for call in calls})
