"""Makes a described stack exist: buckets, scripts, Glue jobs, databases and the workgroup, however often asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etltctl.local.kernel.json_protocol import AwsError
from etltctl.local.services.logs.service import GROUP_PREFIX

if TYPE_CHECKING:
    from etltctl.local.services.s3.directory import S3Directory

MODULE_SUFFIXES = (".py", ".zip", ".egg", ".whl")
Call = Callable[[str, dict[str, Any]], dict[str, Any]]


def provision(stack: Mapping[str, Any], directory: S3Directory, call: Call) -> None:
    """Everything of the stack but its connections; `call` performs an AWS operation. Raises AwsError, OSError."""
    for bucket in stack.get("buckets", ()):
        directory.create_bucket(bucket)
    for database in stack.get("databases", ()):
        _create(
            call, "AWSGlue.CreateDatabase", {"DatabaseInput": {"Name": database}}, "AlreadyExistsException"
        )
    if workgroup := stack.get("workgroup"):
        _provide_workgroup(workgroup, call)
    for job in stack.get("jobs", ()):
        _provide_job(job, directory, call)


def _provide_workgroup(workgroup: Mapping[str, Any], call: Call) -> None:
    # Enforced as in the project's template, so that no client's own location takes effect.
    place = workgroup["output_location"]
    cutoff = workgroup.get("max_scan_bytes")
    configuration = {
        "ResultConfiguration": {"OutputLocation": place},
        "EnforceWorkGroupConfiguration": True,
        **({"BytesScannedCutoffPerQuery": cutoff} if cutoff else {}),
    }
    request = {"Name": workgroup["name"], "Configuration": configuration}
    _create(call, "AmazonAthena.CreateWorkGroup", request, "InvalidRequestException")


def _provide_job(job: Mapping[str, Any], directory: S3Directory, call: Call) -> None:
    location = job["script_location"]
    folder = location.rpartition("/")[0]
    _upload(Path(job["script"]), location, directory)
    extra = [Path(file) for file in job.get("extra_files", ())]
    for file in extra:
        _upload(file, f"{folder}/{file.name}", directory)
    definition = _definition(job, [f"{folder}/{file.name}" for file in extra])
    # Replaced whole: UpdateJob too resets what it is not given.
    if not _is_there(definition, call):
        call("AWSGlue.DeleteJob", {"JobName": job["name"]})
        call("AWSGlue.CreateJob", definition)


def _definition(job: Mapping[str, Any], extra: list[str]) -> dict[str, Any]:
    """Glue puts modules on the import path and everything else into the working directory."""
    modules = [place for place in extra if place.endswith(MODULE_SUFFIXES)]
    files = {"--extra-py-files": modules, "--extra-files": [place for place in extra if place not in modules]}
    arguments = {"--job-language": "python"} | {
        name: ",".join(places) for name, places in files.items() if places
    }
    if prefix := job.get("log_group_prefix"):
        arguments[GROUP_PREFIX] = prefix
    return {
        "Name": job["name"],
        "Role": job.get("role") or "etltctl",
        "Command": {"Name": "glueetl", "ScriptLocation": job["script_location"], "PythonVersion": "3"},
        "DefaultArguments": arguments,
        "ExecutionProperty": {"MaxConcurrentRuns": 1},
        "MaxRetries": 0,
        "Timeout": job.get("timeout_minutes") or 45,
        "GlueVersion": job.get("glue_version") or "5.1",
        "WorkerType": job.get("worker_type") or "G.1X",
        "NumberOfWorkers": job.get("workers") or 2,
    }


def _is_there(definition: Mapping[str, Any], call: Call) -> bool:
    try:
        job = call("AWSGlue.GetJob", {"JobName": definition["Name"]})["Job"]
    except AwsError as error:
        # A job whose definition cannot be read is replaced by the definition of the stack.
        if error.code in {"EntityNotFoundException", "InternalFailure"}:
            return False
        raise
    return all(job.get(name) == value for name, value in definition.items())


def _upload(file: Path, location: str, directory: S3Directory) -> None:
    bucket, _, key = location.removeprefix("s3://").partition("/")
    directory.create_bucket(bucket)
    directory.put_object(bucket, key, file.read_bytes(), content_type="text/x-python")


def _create(call: Call, target: str, request: dict[str, Any], when_there: str) -> None:
    try:
        call(target, request)
    except AwsError as error:
        if error.code != when_there:
            raise
