"""The roles: of the operator, the deployer, the Glue jobs, and Lake Formation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from etltctl.extracting import EXTRACTS_FOLDER
from etltctl.infrastructure import calls
from etltctl.infrastructure.handlers import handler_statements
from etltctl.infrastructure.names import (
    DATA,
    Names,
    Resource,
    Resources,
    arn,
    filled,
    logical,
    ref,
)
from etltctl.infrastructure.storage import bucket_arn, key_arn, objects_arn
from etltctl.logs import GROUPS
from etltctl.permissions import OPERATOR
from etltctl.values import S3Location, TableName

OWN_ROLE = "arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:role/{}"

Statement = dict[str, Any]
Places = Sequence[str]


def roles(names: Names) -> Resources:
    """Return every role of the stack, and the profile that gives the operator's role to the Airflow machine."""
    account = {"AWS": filled("arn:${AWS::Partition}:iam::${AWS::AccountId}:root")}
    # People of the account assume the operator's role too; whether they may is decided by their own policies.
    machine = [{"Service": "ec2.amazonaws.com"}] if names.settings.infra.machine else []
    profile = {
        "Type": "AWS::IAM::InstanceProfile",
        "Properties": {"InstanceProfileName": names.operator, "Roles": [ref("OperatorRole")]},
    }
    resources = {
        "OperatorRole": _role(names.operator, [account, *machine], operator_statements(names)),
        **({"OperatorProfile": profile} if machine else {}),
        "DeployerRole": _role(names.deployer, [account], deployer_statements(names)),
        "LakeFormationRole": _role(
            names.registrar, [{"Service": "lakeformation.amazonaws.com"}], _registrar_statements(names)
        ),
    }
    for name, jobs in names.job_roles.items():
        resources[logical(name)] = _role(
            name, [{"Service": "glue.amazonaws.com"}], job_statements(names, jobs)
        )
    return resources


def operator_statements(names: Names) -> list[Statement]:
    """Return what the operator's calls need, what Athena and S3 do in its name, and what its machine needs."""
    settings = names.settings
    table = OPERATOR
    lake = [getattr(settings.lake, layer) for layer in DATA]
    results = settings.athena.output_location
    kept = [settings.state] if S3Location.is_one(settings.state) else []
    catalog = _catalog(names)
    topics = sorted({each.topic for each in settings.notify.values() if each.kind == "sns"})
    return [
        _allow("Jobs", table["jobs"], [arn("glue", f"job/{job}") for job in names.jobs.values()]),
        *_definition_statements(names),
        _allow("Catalog", table["catalog"], catalog),
        _allow("Queries", table["workgroup"], [arn("athena", f"workgroup/{settings.athena.workgroup}")]),
        _allow("Logs", table["logs"], _log_arns(names)),
        *_on_objects("Lake", table["lake"], lake),
        *_on_objects("State", table["state"], kept),
        # Secrets Manager ends the ARN of a secret with six random characters.
        _allow("Secrets", table["secrets"], [arn("secretsmanager", f"secret:{names.airbyte_secret}-*")]),
        _allow("Parameters", table["parameters"], [arn("ssm", f"parameter/{settings.project}/*")]),
        _allow("Preflight", table["preflight"], [filled(OWN_ROLE.format(names.operator))]),
        *([_allow("Notifications", table["notifications"], topics)] if topics else []),
        _allow("AthenaReadsCatalog", calls.ATHENA_READS_CATALOG, catalog),
        *_on_objects("AthenaWritesResults", calls.ATHENA_WRITES_RESULTS, [results]),
        *_on_objects("AthenaWritesTables", calls.ATHENA_WRITES_TABLES, _query_roots(names)),
        _allow("Extracts", calls.EXTRACTS, [objects_arn(f"{results.rstrip('/')}/{EXTRACTS_FOLDER}")]),
        _allow("AthenaReadsGovernedTables", ["lakeformation:GetDataAccess"], ["*"]),
        *([_allow("Governance", calls.GOVERNED, ["*"])] if settings.governance.is_configured else []),
        _allow("Key", calls.KEY_USE, [key_arn(names)]),
        *(_machine_statements(names) if settings.infra.machine else []),
    ]


def _definition_statements(names: Names) -> list[Statement]:
    """Return what etltctl calls to see whether the code of incremental jobs has changed."""
    settings = names.settings
    jobs = [name for key, name in names.jobs.items() if settings.glue.jobs[key].incremental]
    if not jobs:
        return []
    return [
        _allow("Definitions", OPERATOR["definitions"], [arn("glue", f"job/{job}") for job in jobs]),
        _allow("Scripts", OPERATOR["scripts"], [bucket_arn(settings.lake.scripts)]),
    ]


def _machine_statements(names: Names) -> list[Statement]:
    """Return what the Airflow machine does with the operator's role."""
    return [
        _allow("Bundle", ["s3:GetObject"], [objects_arn(f"{names.settings.lake.scripts}/airflow")]),
        _allow("SessionManager", calls.SESSION_MANAGER, ["*"]),
        _allow("Alarm", calls.MACHINE_ALARM, [arn("sns", names.topic)]),
        {
            **_allow("OwnVolume", calls.OWN_VOLUME, [arn("ec2", "instance/*"), arn("ec2", "volume/*")]),
            "Condition": {"StringEquals": {"aws:ResourceTag/Name": names.machine_tag["Value"]}},
        },
    ]


def deployer_statements(names: Names) -> list[Statement]:
    """Return what `etltctl infra` calls, and what CloudFormation does for every type in the deployer's name."""
    table, scripts = calls.DEPLOYER, names.settings.lake.scripts
    governance = names.settings.governance
    secrets = (names.airbyte_secret, f"{names.airbyte_secret}-*")
    image = (
        "arn:${AWS::Partition}:ssm:*:*:parameter/aws/service/canonical/*"  # Canonical's, not the account's
    )
    return [
        _allow("Stack", table["stack"], [arn("cloudformation", f"stack/{names.stack}/*")]),
        *_on_objects("Scripts", (*table["scripts"], *calls.TEMPLATE_READ), [scripts]),
        _allow("Images", table["images"], [filled(image)]),
        # A secret that does not exist yet has no suffix by which IAM could know it.
        _allow("Secrets", table["secrets"], [arn("secretsmanager", f"secret:{name}") for name in secrets]),
        _allow("Alarms", table["alarms"], [arn("sns", names.topic)]),
        *([_allow("Governance", calls.DEPLOYER_OF_GOVERNED, ["*"])] if governance.is_configured else []),
        _allow("Key", calls.KEY_USE, [key_arn(names)]),
        *handler_statements(names),
    ]


def job_statements(names: Names, jobs: Iterable[str]) -> list[Statement]:
    """Return what the jobs read and write, their scripts, their logs and metrics; no catalog, no other bucket."""
    settings = names.settings
    facts = [settings.glue.jobs[job] for job in jobs]
    reads = _roots(names, (table for job in facts for table in job.reads))
    writes = _roots(names, (table for job in facts for table in job.writes))
    both = sorted({*reads, *writes})
    metrics = _allow("Metrics", calls.GLUE_METRICS, ["*"])
    # PutMetricData knows no resources; the namespace is the only thing that limits it.
    metrics["Condition"] = {"StringLike": {"cloudwatch:namespace": ["Glue", "/aws-glue/*"]}}
    return [
        _allow("Scripts", ["s3:GetObject"], [objects_arn(f"{settings.lake.scripts}/glue_jobs")]),
        _allow("List", calls.SPARK_LISTS, [bucket_arn(place) for place in both]),
        _allow("Read", calls.SPARK_READS, [objects_arn(place) for place in both]),
        _allow("Write", calls.SPARK_WRITES, [objects_arn(place) for place in writes]),
        _allow("Key", calls.KEY_USE, [key_arn(names)]),
        _allow("Logs", calls.GLUE_LOGS, _log_arns(names)),
        metrics,
    ]


def _registrar_statements(names: Names) -> list[Statement]:
    lake = [getattr(names.settings.lake, layer) for layer in DATA]
    return [
        _allow("List", ["s3:ListBucket"], _unique(bucket_arn(place) for place in lake)),
        _allow(
            "Objects", ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], [objects_arn(p) for p in lake]
        ),
        _allow("Key", calls.KEY_USE, [key_arn(names)]),
    ]


def _roots(names: Names, tables: Iterable[str]) -> list[str]:
    lake = names.settings.lake
    layers = {TableName.parse(table).layer for table in tables}
    # Rejected rows lie in the bucket of the layer that rejected them.
    return sorted({getattr(lake, layer.removesuffix("_rejects")) for layer in layers})


def _query_roots(names: Names) -> list[str]:
    """Return the layers into which queries of the settings write; none without such queries."""
    return _roots(names, (sql.writes for sql in names.settings.sql.values()))


def _catalog(names: Names) -> list[Any]:
    databases = names.settings.athena.databases.values()
    return [
        arn("glue", "catalog"),
        *(arn("glue", f"database/{name}") for name in databases),
        *(arn("glue", f"table/{name}/*") for name in databases),
    ]


def _log_arns(names: Names) -> list[Any]:
    return [arn("logs", f"log-group:{names.settings.log_group_prefix}/{kind}:*") for kind in GROUPS]


def _on_objects(sid: str, table: Iterable[str], places: Places) -> list[Statement]:
    """Return a statement for the buckets and one for their objects, because S3 keeps their actions apart."""
    actions = calls.permissions(table)
    on_buckets = [action for action in actions if action in calls.ON_BUCKETS]
    on_objects = [action for action in actions if action not in calls.ON_BUCKETS]
    if not places:
        return []
    return [
        _allow(f"{sid}Buckets", on_buckets, _unique(bucket_arn(place) for place in places)),
        _allow(f"{sid}Objects", on_objects, [objects_arn(place) for place in places]),
    ]


def _allow(sid: str, table: Iterable[str], resources: Sequence[Any]) -> Statement:
    return {"Sid": sid, "Effect": "Allow", "Action": calls.permissions(table), "Resource": list(resources)}


def _unique(values: Iterable[dict[str, str]]) -> list[Any]:
    # Two layers may share a bucket, and a policy counts every character twice that stands there twice.
    return list({str(value): value for value in values}.values())


def _role(name: str, trusted: Sequence[dict[str, Any]], statements: list[Statement]) -> Resource:
    trust = [{"Effect": "Allow", "Principal": who, "Action": "sts:AssumeRole"} for who in trusted]
    policy = {"Version": "2012-10-17", "Statement": statements}
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "RoleName": name,
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": trust},
            "Policies": [{"PolicyName": name, "PolicyDocument": policy}],
        },
    }
