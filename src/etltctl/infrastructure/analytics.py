"""The parts that work on the lake: Glue jobs, databases, the workgroup, logs, and Lake Formation's locations."""

from __future__ import annotations

from typing import Any

from etltctl.infrastructure.names import (
    DATA,
    Names,
    Resource,
    Resources,
    attribute,
    bucket_of,
    filled,
    logical,
    ref,
)
from etltctl.infrastructure.storage import KEPT, bucket_arn, key_arn
from etltctl.infrastructure.uploads import job_files, script_folder
from etltctl.logs import GROUP_PREFIX, GROUPS
from etltctl.values import S3Location

MODULE_SUFFIXES = (".py", ".zip", ".egg", ".whl")


def analytics(names: Names) -> Resources:
    """Return the jobs with their scripts, the databases, the workgroup, logs and locations."""
    settings = names.settings
    jobs = {logical(name, "job"): _job(names, name) for name in settings.glue.jobs}
    databases = {
        logical(layer, "database"): _database(database)
        for layer, database in settings.athena.databases.items()
    }
    logs = {
        logical("glue", kind, "logs"): _log_group(f"{settings.log_group_prefix}/{kind}") for kind in GROUPS
    }
    return {**jobs, **databases, "Workgroup": _workgroup(names), **logs, **_locations(names)}


def scripts_parameter(job: str) -> str:
    """Return the name of the parameter with the hash of a job's files."""
    return logical(job, "scripts")


def _job(names: Names, name: str) -> Resource:
    facts = names.settings.glue.jobs[name]
    folder = script_folder(names.settings, name, f"${{{scripts_parameter(name)}}}")
    files = [f"{folder}/{file}" for file in job_files(names.settings, name)]
    role = facts.role if facts.role.startswith("arn:") else attribute(logical(facts.role), "Arn")
    return {
        "Type": "AWS::Glue::Job",
        "Properties": {
            "Name": names.jobs[name],
            "Role": role,
            "Command": {"Name": "glueetl", "PythonVersion": "3", "ScriptLocation": filled(files[0])},
            "DefaultArguments": _arguments(names, files[1:]),
            "GlueVersion": facts.glue_version,
            "WorkerType": facts.worker_type,
            "NumberOfWorkers": facts.workers,
            "Timeout": facts.timeout_minutes,
            # A second run, or one that Glue starts by itself, would be paid for while no program watches it.
            "ExecutionProperty": {"MaxConcurrentRuns": 1},
            "MaxRetries": 0,
            "JobRunQueuingEnabled": False,
        },
    }


def _arguments(names: Names, extra: list[str]) -> dict[str, Any]:
    """Return a job's arguments. Glue puts modules on the import path and other files into the working directory."""
    modules = [place for place in extra if place.endswith(MODULE_SUFFIXES)]
    files = [place for place in extra if place not in modules]
    shipped = {"--extra-py-files": ",".join(modules), "--extra-files": ",".join(files)}
    return {
        "--job-language": "python",
        "--job-bookmark-option": "job-bookmark-disable",
        "--enable-metrics": "true",
        "--enable-observability-metrics": "true",
        "--enable-job-insights": "true",
        # The groups that Glue takes otherwise belong to all jobs of the account, and so does how long they keep lines.
        GROUP_PREFIX: names.settings.log_group_prefix,
    } | {name: filled(places) for name, places in shipped.items() if places}


def _database(name: str) -> Resource:
    properties = {"CatalogId": ref("AWS::AccountId"), "DatabaseName": name, "DatabaseInput": {"Name": name}}
    return {"Type": "AWS::Glue::Database", **KEPT, "Properties": properties}


def _workgroup(names: Names) -> Resource:
    athena = names.settings.athena
    result = {
        "OutputLocation": athena.output_location,
        "EncryptionConfiguration": {"EncryptionOption": "SSE_KMS", "KmsKey": key_arn(names)},
        # Bucket names are global: results must not go to a bucket that another account made under the same name.
        "ExpectedBucketOwner": ref("AWS::AccountId"),
    }
    configuration: dict[str, Any] = {
        # Else a client could write its results, unencrypted, to a bucket of its choice.
        "EnforceWorkGroupConfiguration": True,
        "PublishCloudWatchMetricsEnabled": True,
        "BytesScannedCutoffPerQuery": athena.max_scan_bytes,
        "EngineVersion": {"SelectedEngineVersion": "Athena engine version 3"},
        "ResultConfiguration": result,
    }
    return {
        "Type": "AWS::Athena::WorkGroup",
        "Properties": {
            "Name": athena.workgroup,
            "RecursiveDeleteOption": True,  # the history of queries goes with it, no data does
            "WorkGroupConfiguration": configuration,
        },
    }


def _log_group(name: str) -> Resource:
    return {
        "Type": "AWS::Logs::LogGroup",
        **KEPT,
        "Properties": {"LogGroupName": name, "RetentionInDays": ref("LogDays")},
    }


def _locations(names: Names) -> Resources:
    """Return the locations of the governed layers, each with what the operator needs to publish to it.

    A location that is registered, hybrid or not, refuses every table and partition that points to it unless its maker
    holds DATA_LOCATION_ACCESS. So a layer that nothing governs is not registered.
    """
    resources: Resources = {}
    for layer, place in _registered(names).items():
        resources[logical(layer, "location")] = _location(names, layer, place)
        resources[logical(layer, "access")] = _access(logical(layer, "location"), place)
    return resources


def _registered(names: Names) -> dict[str, str]:
    """Return where the layers lie whose locations the stack registers.

    There are none where `governance.location_role` names another role: then `etltctl govern apply` registers them.
    """
    governance, lake = names.settings.governance, names.settings.lake
    role = governance.location_role or ""
    if role and role != f"role:{names.registrar}" and not role.endswith(f":role/{names.registrar}"):
        return {}
    places = {layer: getattr(lake, layer) for layer in DATA if layer in governance.layers}
    return {
        layer: place
        for layer, place in places.items()
        # A location covers what lies below it, so one within another needs no registration.
        if not any(place.startswith(f"{other}/") for other in places.values())
    }


def _location(names: Names, layer: str, place: str) -> Resource:
    governance = names.settings.governance
    purposes = {bucket: purpose for purpose, bucket in names.buckets.items()}
    return {
        "Type": "AWS::LakeFormation::Resource",
        "DependsOn": logical(purposes[bucket_of(place)], "bucket"),
        "Properties": {
            "ResourceArn": _location_arn(place),
            "RoleArn": attribute("LakeFormationRole", "Arn"),
            "UseServiceLinkedRole": False,
            "HybridAccessEnabled": governance.zones[governance.layers[layer]].hybrid,
        },
    }


def _access(location: str, place: str) -> Resource:
    """Return the operator's grant on a location. CloudFormation can make it if its caller administers the data lake.

    The stack makes no administrator: AWS::LakeFormation::DataLakeSettings would replace all others of the account.
    """
    resource = {"CatalogId": ref("AWS::AccountId"), "ResourceArn": _location_arn(place)}
    return {
        "Type": "AWS::LakeFormation::PrincipalPermissions",
        "DependsOn": location,
        "Properties": {
            "Principal": {"DataLakePrincipalIdentifier": attribute("OperatorRole", "Arn")},
            "Resource": {"DataLocation": resource},
            "Permissions": ["DATA_LOCATION_ACCESS"],
            "PermissionsWithGrantOption": [],
        },
    }


def _location_arn(place: str) -> dict[str, str]:
    key = S3Location.parse(place).key
    rest = f"/{key}" if key else ""
    return filled(f"{bucket_arn(place)['Fn::Sub']}{rest}")
