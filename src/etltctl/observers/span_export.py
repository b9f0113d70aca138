"""Spans of a run as OpenTelemetry's own, sent by its OTLP exporter. Only a run that is traced imports this."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from etltctl.errors import ServiceError
from etltctl.observers.addresses import Address
from etltctl.observers.span_facts import SpanFacts
from etltctl.proxies import is_direct, require_usable
from etltctl.settings.secrets import without_secrets
from etltctl.settings.telemetry import secrets_of_headers
from etltctl.tabulating import one_line

EXPORT_S = 6.0  # less than a delivery may take, so that the exporter's own words are reported
LOGGER = "opentelemetry"
# The exporter's words around an error, and those of its HTTP library around the error of the system.
TRANSIENT = re.compile(r"^Transient error (.*) encountered while exporting .*$", re.DOTALL)
CAUSED = re.compile(r"^.*Caused by \w+\(.*?: (.*?)[\"')]*$", re.DOTALL)
UNNAMED = "unknown_service"  # the SDK's name of a service that the variables do not name


class FixedIds(IdGenerator):
    """The ids of the next span, in place of random ones.

    Attributes:
        trace_id: The id of the trace.
        span_id: The id of the next span.
    """

    def __init__(self, trace_id: int) -> None:
        self.trace_id, self.span_id = trace_id, 0

    def generate_trace_id(self) -> int:
        """Return the id of the trace, which a span without a parent asks for."""
        return self.trace_id

    def generate_span_id(self) -> int:
        """Return the id of the next span."""
        return self.span_id


def export(
    spans: Sequence[SpanFacts],
    trace_id: int,
    resource: Mapping[str, str],
    endpoint: str,
    parent: Mapping[str, str],
) -> None:
    """Send spans to the receiver that the variables of the process name.

    Args:
        spans: The spans.
        trace_id: The id of the trace. That of the parent replaces it.
        resource: What is known of this installation.
        endpoint: The receiver, for errors.
        parent: The headers of W3C's Trace Context that name the parent; empty without one.

    Raises:
        ServiceError: The receiver did not take them.
        ConfigurationError: A proxy of the environment cannot be used.
    """
    ended = to_sdk_spans(spans, trace_id, resource, parent)
    if ended:
        _send(ended, endpoint)


def to_sdk_spans(
    spans: Sequence[SpanFacts], trace_id: int, resource: Mapping[str, str], parent: Mapping[str, str]
) -> Sequence[ReadableSpan]:
    """Return the spans as the SDK has them; none if its sampler, which the variables choose, drops the trace.

    The arguments are those of `export`.
    """
    ids, kept = FixedIds(trace_id), InMemorySpanExporter()
    provider = TracerProvider(id_generator=ids, resource=_resource(resource), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    outer = TraceContextTextMapPropagator().extract(dict(parent), context=Context())
    above = trace.get_current_span(outer).get_span_context()
    trace_id = above.trace_id if above.is_valid else trace_id
    # Asked once for the whole trace: processes that send parts of it must decide alike, and a span of a step does not
    # know whether the span of its run was dropped.
    if provider.sampler.should_sample(outer, trace_id, "run").decision is not Decision.RECORD_AND_SAMPLE:
        return ()
    tracer = provider.get_tracer("etltctl", _version())
    for facts in spans:
        ids.span_id = facts.span_id
        context = _below(trace_id, facts.parent_id) if facts.parent_id else outer
        kind = SpanKind.CLIENT if facts.is_remote else SpanKind.INTERNAL
        span = tracer.start_span(facts.name, context, kind, dict(facts.attributes), start_time=facts.start)
        for event in facts.events:
            span.add_event(event.name, dict(event.attributes), event.at)
        if facts.error:
            span.set_status(Status(StatusCode.ERROR, facts.error))
        span.end(facts.end)
    return kept.get_finished_spans()


def _below(trace_id: int, span_id: int) -> Context:
    context = SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    return trace.set_span_in_context(NonRecordingSpan(context), Context())


def _resource(facts: Mapping[str, str]) -> Resource:
    """Return what the variables say of the resource, on top of what etltctl knows."""
    named = Resource.create()
    ours = {**facts, "service.version": _version()}
    # Merged in this order, so that OTEL_RESOURCE_ATTRIBUTES wins.
    resource = Resource(ours).merge(named)
    if str(named.attributes.get("service.name", UNNAMED)).startswith(UNNAMED):
        return resource.merge(Resource({"service.name": "etltctl"}))
    return resource


def _send(spans: Sequence[ReadableSpan], endpoint: str) -> None:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    require_usable(endpoint, "pip install 'requests[socks]'")
    refusals: list[str] = []
    with _words_of_the_exporter() as words:
        exporter = OTLPSpanExporter(timeout=EXPORT_S, session=_session(endpoint, refusals))
        is_sent = exporter.export(spans) is SpanExportResult.SUCCESS
        exporter.shutdown()  # type: ignore[no-untyped-call]
    if not is_sent:
        # The first line has the cause; the later ones are about the retries.
        address = Address("the endpoint", endpoint)
        said = _cause(words[0], address) if words else "it gave no reason"
        # After an answer for which it sends again, such as 429, the exporter does not log the status.
        if refusals and refusals[-1].split()[0] not in said:
            said = f"it answered {refusals[-1]}"
        raise ServiceError(f"the receiver of traces at {address.place} did not take the spans: {said}")


def _session(endpoint: str, refusals: list[str]) -> Any:
    """Return a session of the exporter's HTTP library that judges answers as the exporter does not.

    Args:
        endpoint: The receiver.
        refusals: Gets the status of each answer that is an error, with its name.
    """
    import requests

    session = requests.Session()
    # A receiver on this machine is called without a proxy.
    session.trust_env = not is_direct(endpoint)

    def judge(response: Any, *_: Any, **__: Any) -> None:
        # The exporter takes each status below 400 for a success.
        kind = response.headers.get("Content-Type", "")
        if not response.ok:
            refusals.append(one_line(f"{response.status_code} {response.reason}", 60))
        if response.is_redirect or 300 <= response.status_code < 400:
            raise requests.exceptions.InvalidURL(
                f"it answered {response.status_code}: a redirect, which is not followed"
            )
        if response.ok and "html" in kind:
            raise requests.exceptions.ContentDecodingError(f"it answered with {kind}, as no receiver does")

    session.hooks["response"].append(judge)
    return session


@contextmanager
def _words_of_the_exporter() -> Iterator[list[str]]:
    """Collect what the exporter logs, in place of its lines: a run has one warning about its trace."""
    words: list[str] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            words.append(record.getMessage())

    logger, collector = logging.getLogger(LOGGER), Collector(logging.WARNING)
    before = logger.propagate
    logger.addHandler(collector)
    logger.propagate = False
    try:
        yield words
    finally:
        logger.removeHandler(collector)
        logger.propagate = before


def _cause(words: str, address: Address) -> str:
    """Return what the exporter logged in a few words, without the secrets that its libraries may quote."""
    for shape in (TRANSIENT, CAUSED):
        words = shape.sub(r"\1", words)
    return one_line(without_secrets(address.hidden(words), secrets_of_headers()), 300)


def _version() -> str:
    try:
        return version("etltctl")
    except PackageNotFoundError:  # a checkout that was never installed
        return "0"
