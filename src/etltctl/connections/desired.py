"""The resources that the settings describe: a source, an S3 destination and a connection for each of `sources`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit, urlunsplit

from etltctl.airbyte.resources import Kind
from etltctl.errors import ConfigurationError
from etltctl.settings.connector_config import marked_secrets
from etltctl.settings.layers import KeyPath
from etltctl.settings.manifests import incremental_problem, read_manifest, specification_of
from etltctl.settings.secrets import REFERENCES
from etltctl.settings.toml_tables import leaves, with_leaves
from etltctl.values import S3Location, sounds_secret

if TYPE_CHECKING:
    from etltctl.settings import Settings
    from etltctl.settings.sources import AirbyteSource, AnySource, HttpSource, MongodbSource

Reveal = Callable[[str, str], str]
Path_ = tuple[str, ...]
DEFAULT_REGION = "us-east-1"


@dataclass(frozen=True)
class Desired:
    """One resource as it should be.

    `fields` are compared with what Airbyte shows. `unseen` are sent and never read back, such as a connector's type.
    `secrets` are sent, and compared by their hash alone, for Airbyte shows stars. `links` name other desired
    resources, whose ids are known only once they exist.
    """

    key: str
    kind: Kind
    name: str
    type: str
    fields: Mapping[Path_, Any]
    unseen: Mapping[Path_, Any] = field(default_factory=dict)
    secrets: Mapping[Path_, Any] = field(default_factory=dict, repr=False)
    links: Mapping[str, str] = field(default_factory=dict)


def desired_resources(settings: Settings, reveal: Reveal) -> list[Desired]:
    """Return every resource that the settings describe, each after those that it needs.

    Args:
        settings: The settings.
        reveal: Returns the value behind a reference; its second argument is the name of the setting.

    Raises:
        ConfigurationError: A secret has no value, or a manifest cannot be read.
    """
    resources: list[Desired] = []
    for name, source in settings.sources.items():
        if not source.is_described:
            _require_connection(name, source)
            continue  # the connection was made in Airbyte, and stays as it is there
        if source.connector is not None:
            resources.append(_definition(name, settings))
        resources += [
            _source(name, settings, reveal),
            _destination(name, settings, reveal),
            _connection(name, settings),
        ]
    return sorted(resources, key=lambda resource: list(Kind).index(resource.kind))


def _require_connection(name: str, source: AnySource) -> None:
    """Raise ConfigurationError unless the settings name the connection of a source that has no manifest."""
    if source.connection_id:
        return
    package = getattr(source, "package", None)
    what = f"runs the package {package}" if package else "names neither a manifest nor a package"
    raise ConfigurationError(
        f"sources.{name} {what}, and only a manifest can be made into a source of Airbyte; nothing was changed",
        hint=f"make the connection in Airbyte, with the streams of the settings, and set sources.{name}.connection_id",
    )


def named(source: str, settings: Settings) -> str:
    """Return the name in Airbyte of what belongs to the source. It has the project's: a workspace may serve several."""
    return f"{settings.project}-{source}"


def _definition(name: str, settings: Settings) -> Desired:
    manifest = read_manifest(settings.manifest_path(name), f"sources.{name}.manifest")
    title = named(name, settings)
    return Desired(f"definition:{name}", Kind.DEFINITION, title, "", {("manifest",): manifest})


def _mongodb_source(name: str, source: MongodbSource, settings: Settings, reveal: Reveal) -> Desired:
    setting = f"sources.{name}.uri"
    address, user, password, auth_source = split_uri(reveal(source.uri, setting), setting)
    database = ("configuration", "database_config")
    is_atlas = address.startswith("mongodb+srv:")
    if is_atlas and not (user and password):
        raise ConfigurationError(
            f"{setting} is an Atlas address without user and password, and Airbyte's connector requires both",
            hint="write it as mongodb+srv://USER:PASSWORD@HOST/",
        )
    fields: dict[Path_, Any] = {
        (*database, "cluster_type"): "ATLAS_REPLICA_SET" if is_atlas else "SELF_MANAGED_REPLICA_SET",
        (*database, "databases"): [source.database],
        (*database, "schema_enforced"): source.schema_enforced,
    }
    secrets = {
        (*database, "connection_string"): address,
        (*database, "username"): user,
        (*database, "password"): password,
        (*database, "auth_source"): auth_source if user else "",
    }
    return Desired(
        f"source:{name}",
        Kind.SOURCE,
        named(name, settings),
        "mongodb-v2",
        fields,
        unseen={("configuration", "sourceType"): "mongodb-v2"},
        secrets={path: value for path, value in secrets.items() if value},
    )


def _http_source(name: str, source: HttpSource, settings: Settings) -> Desired:
    fields: dict[Path_, Any] = {
        ("configuration", "base_url"): source.base_url,
        # The connector takes whole requests a second, and none would never end.
        ("configuration", "requests_per_second"): max(int(float(source.rate.partition("/")[0])), 1),
    }
    # No list of seasons means all of them; sent as an empty list, so that one that was there goes.
    fields["configuration", "seasons"] = [] if source.seasons == "all" else list(source.seasons)
    links = {"definitionId": f"definition:{name}"}
    return Desired(f"source:{name}", Kind.SOURCE, named(name, settings), "", fields, links=links)


def _connector_source(name: str, source: AirbyteSource, settings: Settings, reveal: Reveal) -> Desired:
    """Return the source of a low-code connector: what is a reference or marked as a secret is compared by its hash."""
    manifest = read_manifest(settings.manifest_path(name), f"sources.{name}.manifest")
    marked = frozenset(marked_secrets(specification_of(manifest)))
    fields: dict[Path_, Any] = {}
    secrets: dict[Path_, Any] = {}
    for path, value in leaves(source.config, ("configuration",)):
        setting = ".".join(("sources", name, "config", *path[1:]))
        revealed = _revealed(value, setting, reveal)
        is_hidden = revealed != value or path[-1] in marked or sounds_secret(path[-1])
        (secrets if is_hidden else fields)[path] = revealed
    links = {"definitionId": f"definition:{name}"}
    return Desired(
        f"source:{name}", Kind.SOURCE, named(name, settings), "", fields, secrets=secrets, links=links
    )


def _revealed(value: Any, setting: str, reveal: Reveal) -> Any:
    """Return a value of a configuration, perhaps a list, with the values of the references in it."""

    def revealed(_: KeyPath, each: Any) -> Any:
        return reveal(each, setting) if isinstance(each, str) and each.startswith(REFERENCES) else each

    return with_leaves(value, revealed)


def _source(name: str, settings: Settings, reveal: Reveal) -> Desired:
    """Return the source by its kind."""
    from etltctl.settings.sources import HttpSource, MongodbSource

    source = settings.sources[name]
    if isinstance(source, MongodbSource):
        return _mongodb_source(name, source, settings, reveal)
    if isinstance(source, HttpSource):
        return _http_source(name, source, settings)
    return _connector_source(name, source, settings, reveal)


def _destination(name: str, settings: Settings, reveal: Reveal) -> Desired:
    """Return the destination of one source: it has one path, and every source has its own folder in bronze."""
    target = settings.airbyte.destination
    bronze = S3Location.parse(settings.lake.bronze)
    folder = "/".join(part for part in (bronze.key, settings.sources[name].prefix or name) if part)
    fields: dict[Path_, Any] = {
        ("configuration", "s3_bucket_name"): bronze.bucket,
        ("configuration", "s3_bucket_path"): folder,
        ("configuration", "s3_bucket_region"): target.region or settings.aws.region or DEFAULT_REGION,
        ("configuration", "format", "format_type"): "Parquet",
        ("configuration", "format", "compression_codec"): target.codec,
    }
    if target.role_arn:
        fields["configuration", "role_arn"] = target.role_arn
    secrets: dict[Path_, str] = {
        ("configuration", key): reveal(reference, f"airbyte.destination.{key}")
        for key in ("access_key_id", "secret_access_key")
        if (reference := getattr(target, key))
    }
    unseen: dict[Path_, Any] = {("configuration", "destinationType"): "s3"}
    title = f"{named(name, settings)}-bronze"
    return Desired(f"destination:{name}", Kind.DESTINATION, title, "s3", fields, unseen, secrets)


def _connection(name: str, settings: Settings) -> Desired:
    source = settings.sources[name]
    if source.connector is not None and source.is_incremental:
        _require_incremental(name, settings)
    fields: dict[Path_, Any] = {
        ("schedule",): source.schedule,
        ("status",): "active",
        # The database's name becomes the namespace, which Airbyte's path in bronze holds.
        ("namespaceDefinition",): "source",
        ("prefix",): "",
        ("nonBreakingSchemaUpdatesBehavior",): source.schema_changes,
        **{("streams", stream): source.sync_mode for stream in source.names},
    }
    if source.airbyte_namespace:
        fields |= {("namespace", stream): source.airbyte_namespace for stream in source.names}
    links = {"sourceId": f"source:{name}", "destinationId": f"destination:{name}"}
    return Desired(f"connection:{name}", Kind.CONNECTION, named(name, settings), "", fields, links=links)


def _require_incremental(name: str, settings: Settings) -> None:
    """Check that a low-code connector reads every stream incrementally: Airbyte refuses the mode otherwise."""
    if problem := incremental_problem(settings, name):
        what, fix = problem
        raise ConfigurationError(
            f"{what}: Airbyte would refuse the connection; nothing was changed", hint=fix
        )


def split_uri(uri: str, setting: str) -> tuple[str, str, str, str]:
    """Return address, user, password and authentication database of a MongoDB URI, which Airbyte takes one by one.

    Args:
        uri: The address.
        setting: The name of the setting, for the error.

    Raises:
        ConfigurationError: It is not a MongoDB URI. The error does not show it: it may hold a password.
    """
    # The embedded server's own data, which is not an address of a database.
    if uri == "sample:":
        return uri, "", "", ""
    try:
        parts = urlsplit(uri)
    except ValueError as error:
        raise ConfigurationError(f"{setting} is not a MongoDB address") from error
    if parts.scheme not in ("mongodb", "mongodb+srv") or not parts.netloc:
        raise ConfigurationError(
            f"{setting} is not a MongoDB address", hint="write it as mongodb://HOST:PORT/?replicaSet=NAME"
        )
    credentials, _, hosts = parts.netloc.rpartition("@")
    user, _, password = credentials.partition(":")
    options = dict(option.partition("=")[::2] for option in parts.query.split("&") if option)
    # Airbyte's connector wants it as a field and refuses an address that repeats it.
    auth_source = options.pop("authSource", "") or parts.path.strip("/") or "admin"
    query = "&".join(f"{name}={value}" for name, value in options.items())
    address = urlunsplit((parts.scheme, hosts, "/", query, ""))
    return address, unquote(user), unquote(password), auth_source
