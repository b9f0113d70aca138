"""The Airbyte protocol as JSON lines: what a connector prints, and the catalog and state that it reads.

The protocol is described at https://docs.airbyte.com/understanding-airbyte/airbyte-protocol. A line that is not a
message of it is a line of the log, as in Airbyte.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from etltctl.local.services.airbyte.records import ALL_STREAMS, ConnectorRecord, FailureKind

TYPES = frozenset(
    {
        "RECORD",
        "STATE",
        "LOG",
        "TRACE",
        "CATALOG",
        "CONNECTION_STATUS",
        "SPEC",
        "CONTROL",
        "DESTINATION_CATALOG",
    }
)
COMPLETE, INCOMPLETE = "COMPLETE", "INCOMPLETE"
READS_INCREMENTALLY = "incremental"  # the protocol's mode of a read that begins at a state
NO_CHANGES: tuple[Mapping[str, str], ...] = ()
NEVER = 0  # an `emitted_at` that the connector left out

StreamKey = tuple[str, str]  # name and namespace, which may be empty


class ProtocolError(Exception):
    """A message of the protocol without a part that its type requires. The text holds nothing of its content."""


@dataclass(frozen=True)
class RecordMessage:
    """One record of a stream."""

    stream: StreamKey
    record: ConnectorRecord


@dataclass(frozen=True)
class StateMessage:
    """A state; `stream` is None if it is that of all streams together: GLOBAL, or of the protocol's old form."""

    stream: StreamKey | None
    state: Mapping[str, Any]
    is_global: bool = False


@dataclass(frozen=True)
class LogLine:
    """A line of the log: a LOG message, or a line that is not a message."""

    level: str
    text: str


@dataclass(frozen=True)
class ErrorTrace:
    """The connector's own word for why it cannot go on."""

    text: str
    kind: FailureKind
    stream: StreamKey | None = None
    details: str = ""


@dataclass(frozen=True)
class StreamStatus:
    """STARTED, RUNNING, COMPLETE or INCOMPLETE of one stream."""

    stream: StreamKey
    status: str


@dataclass(frozen=True)
class ConnectionStatus:
    """The answer to `check`."""

    is_good: bool
    text: str


@dataclass(frozen=True)
class Catalog:
    """The answer to `discover`: streams as the connector describes them."""

    streams: Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Specification:
    """The answer to `spec`: a JSON schema of the configuration."""

    schema: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ConfigUpdate:
    """The configuration that the connector wants to be started with from now on, whole. It may hold secrets."""

    config: Mapping[str, Any] = field(repr=False)


Message = (
    RecordMessage
    | StateMessage
    | LogLine
    | ErrorTrace
    | StreamStatus
    | ConnectionStatus
    | Catalog
    | Specification
    | ConfigUpdate
)


def parse(line: bytes) -> Message:
    """Return what a line says.

    Raises:
        ProtocolError: It is a message of the protocol, but lacks a part.
    """
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return LogLine("INFO", line.decode(errors="replace"))
    if not isinstance(message, dict) or message.get("type") not in TYPES:
        return LogLine("INFO", line.decode(errors="replace"))
    try:
        return _message(message)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ProtocolError(
            f"a message of type {message['type']} has another shape than the protocol's"
        ) from error


def _message(message: Mapping[str, Any]) -> Message:
    kind = message["type"]
    if kind == "RECORD":
        return _record(message["record"])
    if kind == "STATE":
        return _state(message["state"])
    if kind == "LOG":
        return LogLine(str(message["log"]["level"]), str(message["log"]["message"]))
    if kind == "TRACE":
        return _trace(message["trace"])
    if kind == "CATALOG":
        return Catalog([dict(stream) for stream in message["catalog"]["streams"]])
    if kind == "CONNECTION_STATUS":
        status = message["connectionStatus"]
        return ConnectionStatus(status["status"] == "SUCCEEDED", str(status.get("message") or ""))
    if kind == "SPEC":
        return Specification(dict(message["spec"]["connectionSpecification"]))
    if kind == "CONTROL" and message["control"]["type"] == "CONNECTOR_CONFIG":
        return ConfigUpdate(dict(message["control"]["connectorConfig"]["config"]))
    return LogLine("WARN", f"a message of type {kind} has no effect here")


def _record(record: Mapping[str, Any]) -> RecordMessage:
    data = record["data"]
    if not isinstance(data, dict):
        raise TypeError("data is not an object")
    changes = (record.get("meta") or {}).get("changes") or NO_CHANGES
    if changes:
        changes = [{name: str(each[name]) for name in ("field", "change", "reason")} for each in changes]
    emitted_at = record.get("emitted_at")
    moment = emitted_at if type(emitted_at) is int else NEVER
    return RecordMessage(
        _key(record["stream"], record.get("namespace")), ConnectorRecord(data, moment, changes)
    )


def _state(state: Mapping[str, Any]) -> StateMessage:
    kind = state.get("type") or ("STREAM" if "stream" in state else "LEGACY")
    if kind == "STREAM":
        described = state["stream"]
        return StateMessage(_descriptor(described["stream_descriptor"]), described.get("stream_state") or {})
    if kind == "GLOBAL":
        return StateMessage(None, dict(state["global"]), is_global=True)
    return StateMessage(None, state.get("data") or {})


def _trace(trace: Mapping[str, Any]) -> Message:
    kind = trace["type"]
    if kind == "ERROR":
        return _error(trace["error"])
    if kind == "STREAM_STATUS":
        status = trace["stream_status"]
        return StreamStatus(_descriptor(status["stream_descriptor"]), str(status["status"]))
    return LogLine("DEBUG", f"trace of type {kind}")


def _error(error: Mapping[str, Any]) -> ErrorTrace:
    named = str(error.get("failure_type") or FailureKind.SYSTEM)
    kind = FailureKind(named) if named in set(FailureKind) else FailureKind.SYSTEM
    stream, text = error.get("stream_descriptor"), str(error["message"])
    internal = str(error.get("internal_message") or "").strip().partition("\n")[0]
    # The framework's words for an unforeseen error are always the same ones, and send the reader to the log.
    if kind is FailureKind.SYSTEM and internal and internal not in text:
        text = f"{text} ({internal})"
    details = "\n".join(str(error[part]) for part in ("internal_message", "stack_trace") if error.get(part))
    return ErrorTrace(text, kind, _descriptor(stream) if stream else None, details)


def _descriptor(descriptor: Mapping[str, Any]) -> StreamKey:
    return _key(descriptor["name"], descriptor.get("namespace"))


def _key(name: Any, namespace: Any) -> StreamKey:
    return str(name), str(namespace or "")


def key_of(described: Mapping[str, Any]) -> StreamKey:
    """Return the key of a stream of a catalog."""
    return _key(described["name"], described.get("namespace"))


def configured_catalog(streams: Iterable[Mapping[str, Any]], incremental: Iterable[str]) -> dict[str, Any]:
    """Return the catalog for `read`.

    Args:
        streams: The streams to read, as the connector described them.
        incremental: The names of those that are read from their state on.
    """
    names = frozenset(incremental)
    configured = []
    for stream in streams:
        is_incremental = stream["name"] in names
        configured.append(
            {
                "stream": dict(stream),
                "sync_mode": READS_INCREMENTALLY if is_incremental else "full_refresh",
                "destination_sync_mode": "append" if is_incremental else "overwrite",
                "cursor_field": list(stream.get("default_cursor_field") or ()),
                "primary_key": list(stream.get("source_defined_primary_key") or ()),
            }
        )
    return {"streams": configured}


def state_file(
    states: Mapping[str, Mapping[str, Any]], namespaces: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Return the content of the file for `read --state`: one state message a stream, or one for all of them.

    Args:
        states: The state of each stream by its name; with a state of all streams, no other counts.
        namespaces: The namespace of each stream by its name; empty for none.
    """
    if ALL_STREAMS in states:
        return [{"type": "GLOBAL", "global": dict(states[ALL_STREAMS])}]
    return [
        {
            "type": "STREAM",
            "stream": {
                "stream_descriptor": {
                    "name": name,
                    **({"namespace": namespaces[name]} if namespaces.get(name) else {}),
                },
                "stream_state": dict(state),
            },
        }
        for name, state in states.items()
    ]
