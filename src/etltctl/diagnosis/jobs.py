"""Glue's jobs, the lake's tables and Athena's workgroup: whether they are as the settings and the publishes say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from etltctl.catalog import Catalog
from etltctl.diagnosis.findings import Finding, fail, ok, unseen, warn
from etltctl.diagnosis.probe import Probe
from etltctl.errors import AccessError, NextStep, UnverifiedError, command
from etltctl.publishing import Lake
from etltctl.s3 import S3
from etltctl.values import S3Location

if TYPE_CHECKING:
    from etltctl.settings.services import GlueJob

BYTES_SHOWN = 1e9


def check_jobs(probe: Probe) -> Iterator[Finding]:
    """Every Glue job: that it is there, is what the settings say, and runs the script that is here."""
    for name, job in probe.settings.glue.jobs.items():
        try:
            definition = probe.inspection.job(probe.settings.glue.names.at_glue(name))
        except AccessError as error:
            yield unseen(f"job {name}", error)
            continue
        if definition is None:
            fix = NextStep(probe.provision_command, " makes it from the settings")
            yield fail(f"job {name}", f"Glue has no job {probe.settings.glue.names.at_glue(name)}", fix)
            continue
        # The console of AWS lets anyone change a job. The next deployment would undo that without a word.
        drifted = drift(definition, job)
        for what, theirs, ours, setting in drifted:
            fix = NextStep(probe.provision_command, f" changes the job; or change {setting}")
            yield warn(f"job {name}", f"{what} is {theirs} on the job and should be {ours}", fix)
        if not drifted:
            size = f"{definition.get('NumberOfWorkers')} × {definition.get('WorkerType')}"
            yield ok(f"job {name}", f"Glue {definition.get('GlueVersion')}, {size}, as the settings say")
        try:
            yield _check_script(probe, name, definition)
        except AccessError as error:
            yield unseen(f"job {name}: script", error)


def drift(definition: Mapping[str, Any], job: GlueJob) -> list[tuple[str, Any, Any, str]]:
    """Return what differs between a job's definition and its settings: what, theirs, ours, and the setting.

    `MaxRetries` should be 0 because Glue's retry would start next to the run that a caller watches. `MaxConcurrentRuns`
    should be 1 because two runs of a job would write versions of the same tables at once.
    """
    name = "glue.jobs.NAME"
    pairs = (
        (
            "Role",
            # Glue shows an ARN or a name, as the job was made; only the name is compared.
            str(definition.get("Role", "")).rpartition("/")[2],
            job.role.rpartition("/")[2],
            f"{name}.role",
        ),
        ("GlueVersion", definition.get("GlueVersion"), job.glue_version, f"{name}.glue_version"),
        ("WorkerType", definition.get("WorkerType"), job.worker_type, f"{name}.worker_type"),
        ("NumberOfWorkers", definition.get("NumberOfWorkers"), job.workers, f"{name}.workers"),
        ("Timeout", definition.get("Timeout"), job.timeout_minutes, f"{name}.timeout_minutes"),
        ("MaxRetries", definition.get("MaxRetries", 0), 0, "nothing: it is always 0"),
        (
            "MaxConcurrentRuns",
            definition.get("ExecutionProperty", {}).get("MaxConcurrentRuns", 1),
            1,
            "nothing: it is always 1",
        ),
    )
    return [pair for pair in pairs if pair[1] != pair[2]]


def check_databases(probe: Probe) -> Iterator[Finding]:
    """Check that the catalog has a database for each layer."""
    for layer, database in probe.settings.athena.databases.items():
        if probe.inspection.has_database(database):
            yield _check_tables(probe, layer, database)
        else:
            fix = NextStep(probe.provision_command, f" makes it; or name another in athena.databases.{layer}")
            yield fail(f"database {database}", "the catalog has no such database", fix)


def _check_tables(probe: Probe, layer: str, database: str) -> Finding:
    """Warn of a catalog without tables over a lake with files: it was lost, or no run has published yet."""
    subject, place = f"database {database}", probe.settings.lake.root(layer)
    # Both are asked: an empty catalog over an empty lake is a new installation.
    below = S3Location.parse(place).folder()
    if not probe.inspection.has_tables(database) and probe.inspection.has_objects(below.bucket, below.key):
        evidence = f"the catalog has no table of {layer}, but {place} holds files"
        return warn(
            subject,
            evidence,
            NextStep(command("athena", "refresh"), " makes the tables from what was published"),
        )
    return ok(subject, f"exists, for the layer {layer}")


def check_published_files(probe: Probe) -> Iterator[Finding]:
    """Compare the files of every current version with the list that was kept when it was published."""
    settings = probe.settings
    lake = Lake(settings, S3(probe.aws), Catalog(probe.aws))
    compared = 0
    # Only tables with versions have a list of files to compare with. A sync adds to bronze or replaces it.
    for table in settings.versioned_tables():
        try:
            compared += bool(lake.intact_location(table))
        except UnverifiedError as error:
            files = "; ".join(f"{kind}: {error.facts[kind]}" for kind in error.facts if kind != "table")
            yield fail(table, f"{error.message} ({files})", error.next_step, error.exit_code)
    yield ok("published files", f"the files of {compared} tables are unchanged since they were published")


def check_workgroup(probe: Probe) -> Iterator[Finding]:
    """Check the workgroup: there, enabled, with its results where the settings say, and a cutoff."""
    athena = probe.settings.athena
    subject = f"workgroup {athena.workgroup}"
    definition = probe.inspection.workgroup(athena.workgroup)
    if definition is None:
        fix = NextStep(probe.provision_command, " makes it; or name another in athena.workgroup")
        yield fail(subject, "Athena has no such workgroup", fix)
        return
    state = definition.get("State", "ENABLED")
    if state != "ENABLED":
        update = f"aws athena update-work-group --work-group {athena.workgroup}"
        yield fail(subject, f"is {state}", f"{update} --state ENABLED")
    else:
        yield ok(subject, "is enabled")
    configuration = definition.get("Configuration", {})
    yield _check_cutoff(subject, configuration.get("BytesScannedCutoffPerQuery"), probe)
    place = configuration.get("ResultConfiguration", {}).get("OutputLocation", "")
    # Without enforcement the location that a query names wins, and etltctl always names one.
    enforced = configuration.get("EnforceWorkGroupConfiguration", False)
    if enforced and place and place.rstrip("/") != athena.output_location.rstrip("/"):
        evidence = f"puts results into {place}, whatever athena.output_location says"
        yield warn(f"{subject}: results", evidence, f'set athena.output_location = "{place}"')
    else:
        yield ok(f"{subject}: results", place or athena.output_location)


def _check_cutoff(subject: str, cutoff: int | None, probe: Probe) -> Finding:
    most = probe.settings.athena.max_scan_bytes
    subject = f"{subject}: cutoff"
    fix = (
        f"aws athena update-work-group --work-group {probe.settings.athena.workgroup} "
        f"--configuration-updates BytesScannedCutoffPerQuery={most}"
    )
    if not cutoff:
        return warn(subject, "no limit is set, so one query may scan all data", fix)
    evidence = (
        f"a query may scan {cutoff / BYTES_SHOWN:,.1f} GB; athena.max_scan is {most / BYTES_SHOWN:,.1f} GB"
    )
    return warn(subject, evidence, fix) if cutoff > most else ok(subject, evidence)


def _check_script(probe: Probe, name: str, definition: Mapping[str, Any]) -> Finding:
    """Compare the script on S3 with the one here: an old script would run unnoticed."""
    subject = f"job {name}: script"
    location = definition.get("Command", {}).get("ScriptLocation", "")
    here = probe.settings.script_path(name)
    place = S3Location.parse(location) if location else None
    there = probe.inspection.object_bytes(place.bucket, place.key) if place else None
    if there is None:
        return fail(
            subject,
            f"{location or 'no script'} is not on S3",
            NextStep(probe.provision_command, " puts it there"),
        )
    if not here.is_file():
        return fail(subject, f"{here} is missing", f"check glue.jobs.{name}.script")
    # Compared byte by byte: the script is small, and an ETag depends on how it was uploaded.
    if there != here.read_bytes():
        fix = NextStep(probe.provision_command, " uploads the one of this machine")
        return warn(subject, f"{location} differs from {here.name} on this machine", fix)
    return ok(subject, f"{location} is {here.name}")
