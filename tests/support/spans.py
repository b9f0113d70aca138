"""Spans as a receiver of OTLP reads them, with OpenTelemetry's own classes of the protocol."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from support.receivers import Post


@dataclass(frozen=True)
class ReceivedSpan:
    """One span with its resource, in plain values."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    start: int
    end: int
    attributes: dict[str, Any]
    resource: dict[str, Any]
    events: dict[str, dict[str, Any]]
    is_error: bool
    message: str
    kind: int


def spans_of(posts: Sequence[Post]) -> list[ReceivedSpan]:
    """Return the spans of these requests, in the order in which they arrived."""
    return [span for post in posts for span in _spans(post)]


def _spans(post: Post) -> list[ReceivedSpan]:
    assert post.headers["content-type"] == "application/x-protobuf"
    request = ExportTraceServiceRequest.FromString(post.body)
    return [
        ReceivedSpan(
            span.name,
            span.trace_id.hex(),
            span.span_id.hex(),
            span.parent_span_id.hex(),
            span.start_time_unix_nano,
            span.end_time_unix_nano,
            _values(span.attributes),
            _values(group.resource.attributes),
            {event.name: _values(event.attributes) for event in span.events},
            span.status.code == 2,
            span.status.message,
            span.kind,
        )
        for group in request.resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]


def _values(attributes: Any) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}
