"""Low-code manifests as they are read without airbyte-cdk: the specification, and the streams with their references."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from etltctl.errors import ConfigurationError
from etltctl.settings.files import read_text
from etltctl.values import INCREMENTAL, OVERWRITE

if TYPE_CHECKING:
    from pathlib import Path

    from yaml.nodes import Node

    from etltctl.settings.model import Settings

# Characters and values, each alias counted as what it stands for. The largest public manifests have below a million.
MAX_SIZE = 20_000_000


def read_manifest(file: Path, setting: str = "") -> dict[str, Any]:
    """Return the manifest of a low-code connector as an object.

    Args:
        file: The file.
        setting: The name of the setting, for the error.

    Raises:
        ConfigurationError: The file cannot be read, is too large, or is not a manifest.
    """
    import yaml

    place = f"{setting}: " if setting else ""
    try:
        manifest = _parse(read_text(file))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise ConfigurationError(f"{place}cannot read {file}: {error}") from error
    if not isinstance(manifest, dict) or manifest.get("type") != "DeclarativeSource":
        raise ConfigurationError(
            f"{place}{file} is not a low-code manifest: its type is not DeclarativeSource",
            hint="write one as connectors/source-f1/manifest.yaml is written",
        )
    return manifest


def _parse(text: str) -> Any:
    """Return the value of a YAML text whose aliases do not multiply it.

    An alias shares its value in memory. A merge (`<<`) and a value that is written as JSON repeat it each time, so that
    a text of 1 kB could become one of terabytes.
    """
    import yaml

    # libyaml is many times faster. A platform may lack it.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return None
        if _size(node, {}) > MAX_SIZE:
            raise ValueError(f"its aliases make it larger than {MAX_SIZE:,} characters")
        return loader.construct_document(node)
    finally:
        loader.dispose()


def _size(node: Node, sizes: dict[int, int | None]) -> int:
    """Return the characters and values of a node with every alias written out.

    Args:
        node: The node.
        sizes: The sizes that are known, by the node's id. None is that of a node around this one.
    """
    if id(node) in sizes:
        size = sizes[id(node)]
        if size is None:
            raise ValueError("an alias stands within the value that it names")
        return size
    sizes[id(node)] = None
    if isinstance(node.value, str):
        size = 1 + len(node.value)
    else:
        # The value of a table is a list of pairs.
        parts = (part for each in node.value for part in (each if isinstance(each, tuple) else (each,)))
        size = 1 + sum(_size(part, sizes) for part in parts)
    sizes[id(node)] = size
    return size


def specification_of(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the JSON schema of a low-code connector's configuration; empty if the manifest has none."""
    schema = resolved_part(manifest.get("spec"), manifest).get("connection_specification")
    return schema if isinstance(schema, Mapping) else {}


def resolved_part(part: Any, manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a part of a manifest with the fields of the definition that it refers to; empty if it is neither.

    Args:
        part: A table, such as an element of `streams`, or a reference such as `#/definitions/streams/ships`.
        manifest: The manifest.
    """
    if isinstance(part, str):
        part = {"$ref": part}
    if not isinstance(part, Mapping):
        return {}
    reference = part.get("$ref")
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return part
    target: Any = manifest
    for step in reference.removeprefix("#/").split("/"):
        target = target.get(step) if isinstance(target, Mapping) else None
    return {**target, **part} if isinstance(target, Mapping) else part


def can_be_incremental(stream: Any, manifest: Mapping[str, Any]) -> bool:
    """Return whether a stream of a manifest can be read from its state on.

    Args:
        stream: An element of `streams`.
        manifest: The manifest.
    """
    return bool(resolved_part(stream, manifest).get("incremental_sync"))


def streams_read_whole(names: Iterable[str], manifest: Mapping[str, Any]) -> list[str]:
    """Return those streams of a manifest that cannot be read from a state on; none if the connector alone knows them.

    Args:
        names: The names of the streams.
        manifest: The manifest.
    """
    streams = manifest.get("streams")
    if manifest.get("dynamic_streams") or not isinstance(streams, list):
        return []
    able = {stream_name(stream, manifest): can_be_incremental(stream, manifest) for stream in streams}
    return [name for name in names if able.get(name) is False]


def incremental_problem(settings: Settings, name: str) -> tuple[str, str] | None:
    """Return which streams of a source its manifest cannot read incrementally, and what to do about them.

    Args:
        settings: The settings.
        name: The name of the source, whose streams are to be read incrementally.

    Returns:
        The problem and the next step, in words; None if the manifest can read every stream.

    Raises:
        ConfigurationError: The manifest cannot be read.
    """
    source, setting, file = settings.sources[name], f"sources.{name}", settings.manifest_path(name)
    whole = streams_read_whole(source.names, read_manifest(file, f"{setting}.manifest"))
    if not whole:
        return None
    # The embedded extractor of the Formula 1 API reads its streams incrementally without the connector's help.
    without = ". The embedded endpoints need none" if source.has_extractor else ""
    return (
        f'{setting}.sync_mode is "{INCREMENTAL}", and the connector {file} has no incremental_sync for '
        f"{', '.join(whole)}",
        f'set {setting}.sync_mode = "{OVERWRITE}" for this environment, or give the streams of the connector an '
        f"incremental_sync{without}",
    )


def cursor_field(stream: Any, manifest: Mapping[str, Any]) -> str:
    """Return the field by which a stream is read incrementally; empty if the manifest does not say it.

    Args:
        stream: An element of `streams`.
        manifest: The manifest.
    """
    resolved = resolved_part(stream, manifest)
    sync = resolved_part(resolved.get("incremental_sync"), manifest)
    return str(sync.get("cursor_field") or (_handed_down(resolved, "cursor_field") if sync else ""))


def stream_name(stream: Any, manifest: Mapping[str, Any]) -> str:
    """Return the name of a stream of a manifest; empty if it has none.

    A name may stand in the parameters that the framework hands down to all parts of the stream.

    Args:
        stream: An element of `streams`.
        manifest: The manifest.
    """
    resolved = resolved_part(stream, manifest)
    return str(resolved.get("name") or _handed_down(resolved, "name"))


def _handed_down(part: Mapping[str, Any], name: str) -> str:
    """Return a field that the parameters of a part give to the parts within it; empty if they do not."""
    parameters = part.get("$parameters")
    return str(parameters.get(name) or "") if isinstance(parameters, Mapping) else ""
