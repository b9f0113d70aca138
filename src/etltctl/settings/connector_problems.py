"""What is wrong with the connector of a source, as far as its files on this machine say."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from etltctl.errors import ConfigurationError
from etltctl.settings.config_keys import key_problems
from etltctl.settings.connector_config import marked_secrets
from etltctl.settings.manifests import (
    incremental_problem,
    read_manifest,
    specification_of,
    stream_name,
)
from etltctl.settings.secrets import FETCHED
from etltctl.settings.sources import AirbyteSource
from etltctl.settings.toml_tables import leaves
from etltctl.settings.unset_secrets import secrets_without_value

if TYPE_CHECKING:
    from etltctl.settings.model import Settings
    from etltctl.settings.synced_source import Source


def connector_problems(settings: Settings) -> Iterator[str]:
    """Yield each problem of the connectors, with the place of its setting in front.

    Args:
        settings: The settings, which load.
    """
    for name, source in settings.sources.items():
        if source.has_extractor and source.connector and not settings.environment.reads_sources_here:
            # Airbyte runs the manifest there. The embedded extractor needs none.
            yield from _unable_streams(settings, name, source)
        if not isinstance(source, AirbyteSource):
            continue
        yield from _start_problems(settings, name, source)


def _start_problems(settings: Settings, name: str, source: AirbyteSource) -> Iterator[str]:
    """Yield why the connector of a source is certain to fail, with the place of the setting in front.

    Args:
        settings: The settings.
        name: The name of the source.
        source: Its settings.
    """
    if source.manifest is not None:
        try:
            manifest = read_manifest(settings.manifest_path(name), f"sources.{name}.manifest")
        except ConfigurationError as error:
            yield f"{settings.place_of('sources', name, 'manifest')}: {error.message}"
        else:
            yield from _unknown_streams(settings, name, source, manifest)
            yield from _unable_streams(settings, name, source)
            yield from _wrong_keys(settings, name, source, manifest)
    if source.requirements and not (settings.folder / source.requirements).is_file():
        place = settings.place_of("sources", name, "requirements")
        yield f"{place}: sources.{name}.requirements: there is no file {source.requirements}"


def source_problems(settings: Settings, name: str) -> Iterator[str]:
    """Yield why a sync of a source is certain to fail, as far as this machine sees: unset secrets, its connector.

    Args:
        settings: The settings.
        name: The name of the source.
    """
    secrets = settings.environment.secrets_of_sync(name, settings.sources[name], settings.airbyte)
    yield from secrets_without_value(settings, secrets)
    yield from connector_faults(settings, name)


def connector_faults(settings: Settings, name: str) -> Iterator[str]:
    """Yield why the connector of a source cannot start on this machine; nothing if another machine starts it.

    Args:
        settings: The settings.
        name: The name of the source.
    """
    source = settings.sources[name]
    if not isinstance(source, AirbyteSource) or not settings.environment.reads_sources_here:
        return
    if not (source.manifest or source.package):
        yield (
            f"{settings.place_of('sources', name)}: sources.{name} names neither a manifest nor a package, so the "
            f"embedded server has no connector to run; set sources.{name}.manifest or .package, or name an "
            "environment on AWS"
        )
    for path, value in leaves(source.config, in_lists=True):
        if isinstance(value, str) and value.startswith(FETCHED):
            key = ".".join(("sources", name, "config", *path))
            place = settings.place_of("sources", name, "config", *path)
            yield f"{place}: {key} is {value}, which needs an environment on AWS"
    yield from _start_problems(settings, name, source)


def marked_of_manifest(settings: Settings, name: str) -> frozenset[str]:
    """Return the keys of a source's `config` that its manifest marks as secrets; none if no manifest can be read.

    Args:
        settings: The settings.
        name: The name of the source.
    """
    source = settings.sources[name]
    # The manifest of the Formula 1 API is large, and its source has no `config`.
    if not isinstance(source, AirbyteSource) or source.manifest is None:
        return frozenset()
    try:
        manifest = read_manifest(settings.manifest_path(name), f"sources.{name}.manifest")
    except (ConfigurationError, OSError, ValueError):  # a path may be too long, or none at all
        return frozenset()
    return frozenset(marked_secrets(specification_of(manifest)))


def _unknown_streams(
    settings: Settings, name: str, source: AirbyteSource, manifest: Mapping[str, Any]
) -> Iterator[str]:
    """Yield each stream that a manifest with fixed streams does not have."""
    streams = manifest.get("streams")
    # Dynamic streams are known to the connector alone.
    if not isinstance(streams, list) or manifest.get("dynamic_streams"):
        return
    known = [stream_name(stream, manifest) for stream in streams]
    for stream in source.streams:
        if all(known) and stream not in known:
            near = difflib.get_close_matches(stream, known, n=1)
            guess = f"did you mean {near[0]}?" if near else f"it has: {', '.join(known)}"
            place = settings.place_of("sources", name, "streams")
            yield f"{place}: sources.{name}.streams: the manifest has no stream {stream}; {guess}"


def _unable_streams(settings: Settings, name: str, source: Source) -> Iterator[str]:
    """Yield which streams are to be read incrementally, and the manifest can only read whole."""
    if not source.is_incremental:
        return
    try:
        problem = incremental_problem(settings, name)
    except ConfigurationError:  # another problem reports it, or the plan of the connections does
        return
    if problem:
        yield f"{settings.place_of('sources', name, 'sync_mode')}: {': '.join(problem)}"


def _wrong_keys(
    settings: Settings, name: str, source: AirbyteSource, manifest: Mapping[str, Any]
) -> Iterator[str]:
    """Yield each key of the configuration that the connector does not have, or that it requires and is not there."""
    for key, problem in key_problems(source.config, manifest):
        path = ("sources", name, "config", *([key] if key else []))
        yield f"{settings.place_of(*path)}: {'.'.join(path)}: {problem}"
