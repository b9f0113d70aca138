"""What is wrong with the connector of a source, as far as its files on this machine say."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from etltctl.errors import ConfigurationError
from etltctl.settings.connector_config import marked_secrets
from etltctl.settings.manifests import read_manifest, specification_of, stream_name
from etltctl.settings.sources import AirbyteSource

if TYPE_CHECKING:
    from etltctl.settings.model import Settings


def connector_problems(settings: Settings) -> Iterator[str]:
    """Yield each problem of the connectors, with the place of its setting in front.

    Args:
        settings: The settings, which load.
    """
    for name, source in settings.sources.items():
        if not isinstance(source, AirbyteSource):
            continue
        if source.manifest is not None:
            try:
                manifest = read_manifest(settings.manifest_path(name), f"sources.{name}.manifest")
            except ConfigurationError as error:
                yield f"{settings.place_of('sources', name, 'manifest')}: {error.message}"
            else:
                yield from _unknown_streams(settings, name, source, manifest)
        if source.requirements and not (settings.folder / source.requirements).is_file():
            place = settings.place_of("sources", name, "requirements")
            yield f"{place}: sources.{name}.requirements: there is no file {source.requirements}"


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
