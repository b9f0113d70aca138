"""What a source has, over the public API: Airbyte runs the connector's `discover`, and lists the streams."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from etltctl.airbyte.problems import CONNECTOR_FAILED, connector_words
from etltctl.airbyte.resources import CUT_OFF, DISCOVERY_S
from etltctl.airbyte.transport import Transport
from etltctl.answers import optional_list, optional_text, required
from etltctl.errors import ConfigurationError, ServiceError, UnreachableError

PATH = "/streams"
# A server without the call may answer one of these; another one answers 404.
NO_SUCH_CALL = frozenset({"405", "501"})


@dataclass(frozen=True)
class SourceStream:
    """One stream of a source.

    Attributes:
        name: The name of the stream.
        namespace: Its namespace; empty if it has none.
        sync_modes: The sync modes that source and destination can both do.
        cursor: The path of the default cursor field; empty if there is none.
        primary_key: The paths of the fields that name a record.
        fields: The paths of all fields, nested ones after the one that holds them.
        was_checked: Whether the server says that it has tried the connector's credentials before.
    """

    name: str
    namespace: str = ""
    sync_modes: tuple[str, ...] = ()
    cursor: tuple[str, ...] = ()
    primary_key: tuple[tuple[str, ...], ...] = ()
    fields: tuple[tuple[str, ...], ...] = ()
    was_checked: bool = False


class ConnectorFailedError(Exception):
    """The connector could not list its streams; the text is its own word for it."""


class NoDiscoveryError(Exception):
    """The server is one that does not have the call."""


def discovered_streams(transport: Transport, source_id: str, destination_id: str) -> list[SourceStream]:
    """Return the streams that the connector of a source finds now, not those that Airbyte kept of an earlier time.

    Airbyte starts the connector for it, so that the call takes from seconds to minutes. It is sent once.

    Args:
        transport: The public API.
        source_id: The source.
        destination_id: The destination. Without one Airbyte names no sync modes.

    Raises:
        ConnectorFailedError: The connector failed.
        NoDiscoveryError: The server does not have the call.
        EtltctlError: The server refused, did not answer in time, or answered in another shape.
    """
    # As text: httpx would write a Python boolean in its own way in some releases.
    query = {"sourceId": source_id, "destinationId": destination_id, "ignoreCache": "true"}
    call = transport.named("GET", PATH)
    try:
        answer = transport.send("GET", PATH, params=query, timeout=DISCOVERY_S, is_list=True)
    except ConfigurationError as error:
        # A 404: the call is missing, or the source is. Every version answers a call for the source itself.
        transport.read(f"/sources/{source_id}")
        raise NoDiscoveryError from error
    except ServiceError as error:
        if error.code == CONNECTOR_FAILED:
            raise ConnectorFailedError(connector_words(error)) from error
        if error.code in NO_SUCH_CALL:
            raise NoDiscoveryError from error
        if error.code in CUT_OFF or (isinstance(error, UnreachableError) and not error.was_never_sent):
            raise _unanswered(call, error) from error
        raise
    return [_stream(each, call) for each in answer]


def _unanswered(call: str, error: ServiceError) -> ServiceError:
    return ServiceError(
        f"{call}: no answer came while the connector listed the streams (at most {DISCOVERY_S:g} s): {error.message}",
        code=error.code,
        hint="nothing was changed; a large or slow source may need longer than a proxy before Airbyte waits",
    )


def _stream(answer: Any, call: str) -> SourceStream:
    """Return a stream of the answer; raises ServiceError for another shape than the published one."""
    name = required(answer, "streamName", f"{call}: a stream")
    place = f"{call}: stream {name}"
    # Only the embedded server adds the last one, under etltctl's own name.
    return SourceStream(
        name=str(name),
        namespace=optional_text(answer, "streamnamespace", place),
        sync_modes=_texts(answer, "syncModes", place),
        cursor=_texts(answer, "defaultCursorField", place),
        primary_key=_paths(answer, "sourceDefinedPrimaryKey", place),
        fields=_paths(answer, "propertyFields", place),
        was_checked=answer.get("etltctl_checked") is True,
    )


def _texts(answer: Mapping[str, Any], field: str, place: str) -> tuple[str, ...]:
    return tuple(str(each) for each in optional_list(answer, field, place))


def _paths(answer: Mapping[str, Any], field: str, place: str) -> tuple[tuple[str, ...], ...]:
    paths = optional_list(answer, field, place)
    return tuple(tuple(map(str, path)) if isinstance(path, list) else (str(path),) for path in paths)
