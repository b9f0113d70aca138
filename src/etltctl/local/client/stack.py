"""What the settings need to exist before a pipeline can run, described for the embedded server to make.

On AWS the same things come from the project's infrastructure; nothing here starts any work.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from etltctl.errors import ConfigurationError
from etltctl.local.kernel.spark_use import uses_spark

if TYPE_CHECKING:
    from etltctl.settings import Settings


LEAST_LIMIT_BYTES = 10_000_000  # Athena takes no lower limit for a workgroup


def describe_stack(
    settings: Settings, environ: Mapping[str, str], next_jobs: Collection[str] = ()
) -> dict[str, Any]:
    """Describe buckets, databases, workgroup, Glue jobs and Airbyte connections as plain data.

    Args:
        settings: The project's settings.
        environ: The environment with the sources' secrets. A source whose secret is not set says so in place of it.
        next_jobs: The Glue jobs that will run after a sync. If one of them uses Spark, a JVM is warmed meanwhile.

    Raises:
        ConfigurationError: A Glue script is missing.
    """
    lake = settings.lake
    places = (lake.bronze, lake.silver, lake.gold, lake.scripts, settings.athena.output_location)
    return {
        "buckets": sorted({place.removeprefix("s3://").split("/")[0] for place in places}),
        "databases": list(settings.athena.databases.values()),
        "workgroup": {
            "name": settings.athena.workgroup,
            "output_location": settings.athena.output_location,
            "max_scan_bytes": max(settings.athena.max_scan_bytes, LEAST_LIMIT_BYTES),
        },
        "jobs": [_job(name, settings) for name in settings.glue.jobs],
        "roles": sorted(settings.governance.roles),
        "connections": [_connection(name, settings, environ) for name in settings.sources],
        "class_archive": settings.local.class_archive,
        "witness": settings.local.witness,
        "warm": any(_uses_spark(name, settings) for name in next_jobs if name in settings.glue.jobs),
        "data_pack": environ.get("ETLTCTL_DATA_PACK") or None,
    }


def _uses_spark(job: str, settings: Settings) -> bool:
    return uses_spark(settings.require_script(job), settings.extra_files(job))


def _job(name: str, settings: Settings) -> dict[str, Any]:
    job = settings.glue.jobs[name]
    script = settings.require_script(name)
    return {
        "name": settings.glue.names.at_glue(name),
        "script": str(script),
        "extra_files": [str(file) for file in settings.extra_files(name)],
        # Each job has a folder, as on AWS: scripts of the same name in two folders must not replace each other.
        "script_location": f"{settings.lake.scripts}/glue_jobs/{name}/{script.name}",
        "role": job.role,
        "glue_version": job.glue_version,
        "worker_type": job.worker_type,
        "workers": job.workers,
        "timeout_minutes": job.timeout_minutes,
        "log_group_prefix": settings.log_group_prefix,
    }


def _connection(name: str, settings: Settings, environ: Mapping[str, str]) -> dict[str, Any]:
    bucket, _, path = settings.lake.bronze.removeprefix("s3://").partition("/")
    source = settings.sources[name]
    prefix = "/".join(part for part in (path, source.prefix or name) if part)
    described = (
        _source(name, source, environ)
        if source.has_extractor
        else _connector(name, source, settings, environ)
    )
    return {
        "name": name,
        "bucket": bucket,
        "path": prefix,
        "sync_mode": source.sync_mode,
        "source": described,
    }


def _connector(name: str, source: Any, settings: Settings, environ: Mapping[str, str]) -> dict[str, Any]:
    """Describe a source of any connector, with the values of its secrets."""
    from etltctl.settings.connector_config import revealed_config

    described: dict[str, Any] = {
        "kind": source.kind,
        "streams": list(source.streams),
        "namespace": source.namespace,
        "quiet_minutes": source.quiet_minutes,
        "package": source.package,
        "manifest": str(settings.manifest_path(name)) if source.manifest else None,
    }
    if source.requirements:
        described["requirements"] = str(settings.folder / source.requirements)
    try:
        config, secrets = revealed_config(name, source.config, environ)
    except ConfigurationError as error:
        return {**described, "config": {}, "missing": _with_hint(error)}
    if not (source.manifest or source.package):
        described["missing"] = (
            f"sources.{name} names neither a manifest nor a package, so the embedded server has no connector to run; "
            f"set sources.{name}.manifest or .package, or name an environment on AWS"
        )
    return {**described, "config": config, "secrets": secrets}


def _with_hint(error: ConfigurationError) -> str:
    return f"{error.message} ({error.hint})" if error.hint else error.message


def _source(name: str, source: Any, environ: Mapping[str, str]) -> dict[str, Any]:
    from etltctl.settings.sources import HttpSource

    if isinstance(source, HttpSource):
        return {
            "kind": source.kind,
            "base_url": source.base_url,
            "seasons": source.seasons,
            "rate": source.rate,
            "streams": list(source.streams),
        }
    from etltctl.settings import resolve_secret

    try:
        address = {"uri": resolve_secret(source.uri, environ, setting=f"sources.{name}.uri")}
    except ConfigurationError as error:  # a sync of this source reports it; other commands do not need it
        address = {"uri": "", "missing": _with_hint(error)}
    return {
        "kind": source.kind,
        **address,
        "database": source.database,
        "collections": list(source.collections),
        "cursors": source.cursors,
    }
