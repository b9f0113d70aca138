"""Airbyte: whether it answers, lets us in, and has the connections, active and writing to where bronze is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from etltctl.airbyte.health import greet
from etltctl.airbyte.transport import public_api_url
from etltctl.connections import connection_id
from etltctl.diagnosis.findings import Finding, fail, failed, ok, shortened, skip, warn
from etltctl.diagnosis.probe import Probe
from etltctl.errors import ConfigurationError, EtltctlError
from etltctl.values import S3Location

ACTIVE = "active"


def check_api(probe: Probe) -> Iterator[Finding]:
    """Whether Airbyte answers at the URL that is used, and takes the client id and secret."""
    url = public_api_url(probe.settings.airbyte.url)
    try:
        answer = greet(url)
    except EtltctlError as error:
        yield failed("address", error)
    else:
        yield ok("address", f"{url} answers: {shortened(answer)}")
    # A token that opens no workspace is valid and of no use, so they are counted.
    workspaces = probe.airbyte.resources.workspaces()
    yield ok("credentials", f"the token gives access to {len(workspaces)} workspace(s)")


def check_connections(probe: Probe) -> Iterator[Finding]:
    """Check the connection of every source."""
    try:
        probe.airbyte  # noqa: B018  asked for, and kept
    except EtltctlError as error:
        yield skip("connections", f"not checked: {shortened(error.message)}")
        return
    for name in probe.settings.sources:
        subject = f"connection of {name}"
        try:
            connection = probe.airbyte.connection(connection_id(name, probe.settings, probe.aws))
        except EtltctlError as error:
            yield failed(subject, error)
            continue
        yield _check_status(subject, connection)
        yield _check_destination(f"{subject}: writes", name, connection, probe)


def _check_status(subject: str, connection: Mapping[str, Any]) -> Finding:
    status = str(connection.get("status", ACTIVE))
    reason = f" ({connection['statusReason']})" if connection.get("statusReason") else ""
    if status != ACTIVE:
        fix = "check the connection in Airbyte; enabling it again may clear what it has synced"
        return fail(subject, f"{connection.get('name')} is {status}{reason}: no sync can start", fix)
    # etltctl starts every sync; one that Airbyte starts as well could replace files while a job reads them.
    schedule = (connection.get("schedule") or {}).get("scheduleType", "manual")
    if schedule != "manual":
        evidence = f"{connection.get('name')} is active, and Airbyte starts it by itself as well ({schedule})"
        return warn(subject, evidence, "set its schedule to manual: two runs would share the connection")
    return ok(subject, f"{connection.get('name')} is {status}, started by hand only")


def _check_destination(subject: str, name: str, connection: Mapping[str, Any], probe: Probe) -> Finding:
    """Whether the destination is S3 at bronze, in Parquet: rows that land elsewhere are found missing too late."""
    try:
        destination = probe.airbyte.destination(str(connection.get("destinationId", "")))
    except ConfigurationError as error:
        return skip(subject, shortened(error.message))
    configuration = destination.get("configuration") or {}
    bucket, path = (
        configuration.get("s3_bucket_name"),
        str(configuration.get("s3_bucket_path") or "").strip("/"),
    )
    lands = f"s3://{bucket}/{path}".rstrip("/")
    streams = list(probe.settings.stream_locations(name).values())
    expected_bucket = S3Location.parse(probe.settings.lake.bronze).bucket
    # Destinations of other kinds keep their place under other names.
    if bucket is None:
        return skip(subject, f"destination {destination.get('name')} does not tell its bucket")
    if bucket != expected_bucket or not all(place.startswith(f"{lands}/") for place in streams):
        fix = f"set the destination's bucket and path so that streams land like {streams[0]}"
        return fail(subject, f"writes to {lands}, but bronze is read from {streams[0]}", fix)
    kind = str((configuration.get("format") or {}).get("format_type", "Parquet"))
    if kind.lower() != "parquet":
        return fail(subject, f"{kind} to {lands}", "set the destination's format to Parquet")
    return ok(subject, f"Parquet to {lands}/")
