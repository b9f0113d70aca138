"""Low-code manifests as they are read without airbyte-cdk: the streams, each with what it refers to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def resolved_stream(stream: Any, manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a stream of a manifest with the fields of the definition that it refers to; empty if it is neither.

    Args:
        stream: An element of `streams`: a table, or a reference such as `#/definitions/streams/ships`.
        manifest: The manifest.
    """
    if isinstance(stream, str):
        stream = {"$ref": stream}
    if not isinstance(stream, Mapping):
        return {}
    reference = stream.get("$ref")
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return stream
    target: Any = manifest
    for part in reference.removeprefix("#/").split("/"):
        target = target.get(part) if isinstance(target, Mapping) else None
    return {**target, **stream} if isinstance(target, Mapping) else stream


def stream_name(stream: Any, manifest: Mapping[str, Any]) -> str:
    """Return the name of a stream of a manifest; empty if it has none.

    A name may stand in the parameters that the framework hands down to all parts of the stream.

    Args:
        stream: An element of `streams`.
        manifest: The manifest.
    """
    resolved = resolved_stream(stream, manifest)
    parameters = resolved.get("$parameters")
    handed_down = parameters.get("name") if isinstance(parameters, Mapping) else None
    return str(resolved.get("name") or handed_down or "")
