"""What the API accepts as a source, destination, connection or low-code manifest; everything else is a problem."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from etltctl.local.services.airbyte.connections import MASK
from etltctl.local.services.airbyte.streams import resolved_streams
from etltctl.local.services.airbyte.wire import ProblemError, bad_request, unprocessable
from etltctl.settings.connector_config import marked_secrets
from etltctl.settings.manifests import specification_of
from etltctl.settings.secrets import has_password

DECLARATIVE = "declarative"
ATLAS = "ATLAS_REPLICA_SET"
CLUSTERS = ("SELF_MANAGED_REPLICA_SET", ATLAS)
CODECS = ("UNCOMPRESSED", "SNAPPY", "GZIP", "LZ4", "ZSTD", "BROTLI")
STATUSES = ("active", "inactive")
# What the connectors' specifications mark as `airbyte_secret`. A low-code source names more: see `secret_names`.
SECRETS = frozenset({"password", "access_key_id", "secret_access_key"})
# Quartz counts from the seconds on and may end with a year; cron of Unix has five fields and no seconds.
QUARTZ_FIELDS = (6, 7)


def check_mongodb(configuration: Mapping[str, Any]) -> None:
    """Raise ProblemError unless source-mongodb-v2 could be configured so, and the embedded extractor as well."""
    database = _table(configuration, "database_config")
    if database.get("cluster_type") not in CLUSTERS:
        raise _invalid("database_config.cluster_type", f"must be one of {', '.join(CLUSTERS)}")
    # Only Atlas always has users. A replica set of one's own may be open on its network.
    for name in ("username", "password"):
        if database["cluster_type"] == ATLAS and not database.get(name):
            raise _invalid(f"database_config.{name}", "is required")
    # `sample:` is not an address of MongoDB: the settings use it for the sample that this server loads.
    address = str(database.get("connection_string", ""))
    if not address.startswith("mongodb") and address != "sample:":
        raise _invalid("database_config.connection_string", "must begin with mongodb:// or mongodb+srv://")
    names = database.get("databases")
    if not isinstance(names, list) or len(names) != 1:
        raise _invalid(
            "database_config.databases", "must be a list; the embedded Airbyte reads one database a source"
        )
    # Without a schema the connector writes each document into one column `data`: another table, not another option.
    if database.get("schema_enforced", True) is not True:
        raise _invalid("database_config.schema_enforced", "false is not modelled by the embedded Airbyte")


def check_s3(configuration: Mapping[str, Any]) -> None:
    """Raise ProblemError unless the S3 destination could be configured so with Parquet."""
    for name in ("s3_bucket_name", "s3_bucket_path", "s3_bucket_region"):
        value = configuration.get(name)
        # An empty region is one of the connector's own values: the region is then looked up.
        if not isinstance(value, str) or not (value or name == "s3_bucket_region"):
            raise _invalid(name, "is required")
    written = _table(configuration, "format")
    if written.get("format_type") != "Parquet":
        raise _invalid("format.format_type", "the embedded Airbyte writes Parquet only")
    if written.get("compression_codec", CODECS[0]) not in CODECS:
        raise _invalid("format.compression_codec", f"must be one of {', '.join(CODECS)}")


def check_declarative(configuration: Mapping[str, Any], manifest: Mapping[str, Any]) -> None:
    """Check a configuration by the manifest's own specification.

    Args:
        configuration: The configuration.
        manifest: The manifest.

    Raises:
        ProblemError: A field that is required is missing or empty.
    """
    for name in specification_of(manifest).get("required") or ():
        if configuration.get(name) in (None, ""):
            raise _invalid(name, "is required")


def check_manifest(manifest: Any) -> None:
    """Raise ProblemError unless this has the parts every low-code manifest needs."""
    if not isinstance(manifest, Mapping) or manifest.get("type") != "DeclarativeSource":
        raise unprocessable("the manifest is not of type DeclarativeSource")
    for part in ("version", "check", "streams"):
        if not manifest.get(part):
            raise unprocessable(f"the manifest has no {part}")
    names = stream_names(manifest)
    if not names:
        raise unprocessable("the manifest's streams are not a list")
    if not all(names):
        raise unprocessable("a stream of the manifest has no name")


def stream_names(manifest: Mapping[str, Any]) -> list[str]:
    """Return the names of the manifest's streams; of one that is a mere reference, its definition's."""
    return [str(stream.get("name") or "") for stream in resolved_streams(manifest)]


def check_connection(body: Mapping[str, Any]) -> None:
    """Raise ProblemError for a schedule, status or namespace that cannot be."""
    schedule = _table(body, "schedule")
    if schedule.get("scheduleType") not in ("manual", "cron"):
        raise _invalid("schedule.scheduleType", "must be manual or cron")
    if schedule["scheduleType"] == "cron":
        _check_cron(_expression(schedule))
    if body.get("status", "active") not in STATUSES:
        raise _invalid("status", f"must be one of {', '.join(STATUSES)}")
    # Airbyte's default is `destination`. Read as `source`, it would put the files into a folder that no one asked for.
    if body.get("namespaceDefinition", "destination") != "source" or body.get("prefix"):
        raise _invalid(
            "namespaceDefinition", "the embedded Airbyte writes the source's namespace, with no prefix"
        )


def _check_cron(expression: str) -> None:
    """Check a Quartz expression as far as Airbyte's own words for it go: at most once an hour."""
    fields = expression.split()
    if not fields:
        raise bad_request("Missing cron expression in the schedule.")
    if len(fields) not in QUARTZ_FIELDS:
        raise bad_request(
            f"The cron expression {expression} is not valid. Error: it is not a Quartz expression of 6 or 7 fields."
        )
    if not fields[0].isdigit() or (len(fields) == max(QUARTZ_FIELDS) and not fields[1].isdigit()):
        raise bad_request(
            f"The cron expression {expression} is not valid or is less than the one hour minimum. "
            "The seconds and minutes values cannot be `*`."
        )


def _expression(schedule: Mapping[str, Any]) -> str:
    return str(schedule.get("cronExpression") or "").removesuffix("UTC").strip()


def schedule_answer(schedule: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schedule as the API answers it: an expression with its time zone, which is always UTC."""
    if schedule.get("scheduleType") != "cron":
        return {"scheduleType": schedule["scheduleType"]}
    return {"scheduleType": "cron", "cronExpression": f"{_expression(schedule)} UTC"}


def masked(configuration: Any, secrets: frozenset[str] = SECRETS) -> Any:
    """Return the configuration as it may be read back: secrets are stars, as is an address that holds a password.

    Args:
        configuration: The configuration, or a part of it.
        secrets: The names of the fields that are secrets.
    """
    if isinstance(configuration, Mapping):
        return {
            name: MASK if name in secrets and value else masked(value, secrets)
            for name, value in configuration.items()
        }
    if isinstance(configuration, list):
        return [masked(each, secrets) for each in configuration]
    # The whole address becomes the mask, so that `merged` knows it again when a client sends back what it read.
    if isinstance(configuration, str) and has_password(configuration):
        return MASK
    return configuration


def merged(old: Any, new: Any) -> Any:
    """Return the new values laid over the old ones; a mask that was read back keeps the secret it stands for.

    Args:
        old: The values so far.
        new: Those of the request.
    """
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return {**old, **{name: merged(old.get(name), value) for name, value in new.items()}}
    return _unmasked(old, new)


def _unmasked(old: Any, new: Any) -> Any:
    """Return the new value, with the old secret in the place of each mask."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        return {name: _unmasked(old.get(name), value) for name, value in new.items()}
    # Elements have no names. Only in a list of the same length does each still have its place.
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        return [_unmasked(*pair) for pair in zip(old, new, strict=True)]
    return old if new == MASK else new


def secret_names(manifest: Mapping[str, Any]) -> frozenset[str]:
    """Return the names of the secrets of a low-code source, at any depth of its specification."""
    return SECRETS | frozenset(marked_secrets(specification_of(manifest)))


def _table(configuration: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table = configuration.get(name)
    if not isinstance(table, Mapping):
        raise _invalid(name, "is required")
    return table


def _invalid(place: str, trouble: str) -> ProblemError:
    return unprocessable(
        f"The provided configuration does not fulfill the specification. Errors: $.{place}: {trouble}"
    )
