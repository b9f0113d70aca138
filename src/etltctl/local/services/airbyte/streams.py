"""The streams of a connection: what the API accepts for one, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from etltctl.local.services.airbyte.endpoints import ENDPOINTS
from etltctl.local.services.airbyte.wire import bad_request, unprocessable
from etltctl.settings.manifests import can_be_incremental, cursor_field, resolved_part, stream_name
from etltctl.values import APPEND, INCREMENTAL, OVERWRITE, SYNC_MODES

FULL_MODES = (OVERWRITE, APPEND)  # what the destination can do with any source
KNOWN_SYNC_MODES = (*SYNC_MODES, "full_refresh_overwrite_deduped", "incremental_deduped_history")
FIELDS: Mapping[str, type] = {
    "name": str, "namespace": str, "syncMode": str, "cursorField": list, "primaryKey": list,
    "includeFiles": bool, "destinationObjectName": str, "selectedFields": list, "mappers": list,
}  # fmt: skip
NOT_MODELLED = ("selectedFields", "mappers", "includeFiles", "destinationObjectName")
# What Airbyte's connector for MongoDB gives every collection.
MONGODB_FIELDS = ("_id", "_ab_cdc_updated_at", "_ab_cdc_deleted_at", "_ab_cdc_cursor")

Stream = dict[str, Any]


@dataclass(frozen=True)
class Discovered:
    """What a discovery of the source says about one stream."""

    namespace: str = ""
    primary_key: tuple[tuple[str, ...], ...] = ()
    cursor: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    is_incremental: bool = False  # whether the source can read what is new; then `cursor` is its own choice

    @property
    def sync_modes(self) -> tuple[str, ...]:
        """The sync modes that source and destination can both do."""
        return SYNC_MODES if self.is_incremental else FULL_MODES


Discover = Callable[[str], Discovered]


def mongodb_stream(database: str) -> Discovered:
    """Return what is discovered of every collection; its own fields would need a sample of its documents."""
    return Discovered(database, (("_id",),), ("_ab_cdc_cursor",), MONGODB_FIELDS, is_incremental=True)


def api_stream(name: str) -> Discovered:
    """Return what is discovered of a stream of the Formula 1 API that the settings describe."""
    endpoint = ENDPOINTS.get(name)
    return Discovered(fields=tuple(endpoint.columns) if endpoint else ())


def manifest_stream(manifest: Mapping[str, Any], name: str) -> Discovered:
    """Return what a low-code manifest says about the stream.

    Args:
        manifest: The manifest.
        name: The name of the stream.
    """
    stream = next((each for each in resolved_streams(manifest) if each.get("name") == name), {})
    # A manifest writes a key as a name, as a list of names, or as a list of paths.
    paths = [_list(path) for path in _list(stream.get("primary_key"))]
    cursor = cursor_field(stream, manifest)
    schema = _object(_object(stream.get("schema_loader")).get("schema"))
    return Discovered(
        primary_key=tuple(tuple(map(str, path)) for path in paths if path),
        cursor=(cursor,) if cursor else (),
        fields=tuple(_object(schema.get("properties"))),
        is_incremental=can_be_incremental(stream, manifest),
    )


def resolved_streams(manifest: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the manifest's streams, each with the fields of the definition that it refers to."""
    return [
        {**resolved_part(stream, manifest), "name": stream_name(stream, manifest)}
        for stream in _list(manifest.get("streams"))
    ]


def stream_answer(stream: Mapping[str, Any], discovered: Discovered) -> Stream:
    """Return a configured stream as the API answers it.

    Airbyte fills in what the source defines. It answers a list for `selectedFields` and `mappers` where none is set.

    Args:
        stream: The stream as it is configured.
        discovered: What the source has for it.
    """
    namespace = stream.get("namespace") or discovered.namespace
    return {
        "name": stream["name"],
        **({"namespace": namespace} if namespace else {}),
        "syncMode": stream.get("syncMode") or OVERWRITE,
        "cursorField": list(discovered.cursor),
        "primaryKey": [list(path) for path in discovered.primary_key],
        "includeFiles": False,
        "selectedFields": [],
        "mappers": [],
    }


def check_streams(streams: Any, known: Iterable[str] | None, discover: Discover) -> list[Stream]:
    """Check the streams of a request.

    Args:
        streams: The list that the request holds.
        known: The names of the source's streams, if they are known.
        discover: Says what the source has for a name.

    Returns:
        The streams with the fields that the API knows, those left out that hold null.

    Raises:
        ProblemError: The source has no such stream, or a value is refused by Airbyte or not modelled here.
    """
    if not isinstance(streams, list) or not streams:
        raise _invalid("must list at least one stream")
    if not all(isinstance(stream, Mapping) and isinstance(stream.get("name"), str) for stream in streams):
        raise _invalid("must be objects with a name")
    names = None if known is None else list(known)
    checked: list[Stream] = []
    for stream in streams:
        if stream["name"] in {each["name"] for each in checked}:
            raise bad_request(f"Duplicate stream found in configuration for stream {_place(stream)}.")
        if names is not None and stream["name"] not in names:
            raise bad_request(f"No streams found with {_place(stream)}. The source has: {', '.join(names)}.")
        checked.append(_checked(stream, discover(stream["name"])))
    return checked


def _checked(stream: Mapping[str, Any], discovered: Discovered) -> Stream:
    stated = {name: stream[name] for name in FIELDS if stream.get(name) is not None}
    for name, value in stated.items():
        if not isinstance(value, FIELDS[name]):
            raise bad_request(f"{name} of stream {stream['name']} is not a {FIELDS[name].__name__}")
    # Airbyte answers an empty list where nothing is selected, and refuses the same list in a request.
    if stated.get("selectedFields") == []:
        raise bad_request(
            f"No fields selected for stream {stream['name']}. "
            f"The list of valid field names includes: [{', '.join(discovered.fields)}]."
        )
    for name in NOT_MODELLED:
        if stated.get(name):
            raise unprocessable(f"stream {stream['name']}: {name} is not modelled by the embedded Airbyte")
    _check_mode(stated, discovered)
    # The catalog keeps the namespace of its time; a source that changes later does not change it.
    return {**stated, "namespace": stated.get("namespace") or discovered.namespace}


def _check_mode(stated: Mapping[str, Any], discovered: Discovered) -> None:
    """Refuse a sync mode that source and destination cannot both do, and a cursor that is the source's to choose."""
    name, mode = stated["name"], stated.get("syncMode", OVERWRITE)
    if mode not in KNOWN_SYNC_MODES:
        raise unprocessable(f"stream {name}: no sync mode {mode}; there are {', '.join(KNOWN_SYNC_MODES)}")
    if mode not in discovered.sync_modes:
        modes = ", ".join(discovered.sync_modes)
        raise bad_request(
            f"Cannot set sync mode to {mode} for stream {name}. Valid sync modes are: [{modes}]"
        )
    cursor = stated.get("cursorField")
    if mode == INCREMENTAL and cursor and tuple(cursor) != discovered.cursor:
        raise bad_request(
            f"Cursor Field {cursor} is already defined by source for stream: {name}. "
            "Do not include a cursor field configuration for this stream."
        )


def _place(stream: Mapping[str, Any]) -> str:
    return f"name [{stream['name']}] and namespace [{stream.get('namespace') or 'null'}]"


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> list[Any]:
    """Return a list as it is, and one of a single name for a name."""
    return [value] if isinstance(value, str) else value if isinstance(value, list) else []


def _invalid(trouble: str) -> Exception:
    return unprocessable(
        "The provided configuration does not fulfill the specification. "
        f"Errors: $.configurations.streams: {trouble}"
    )
