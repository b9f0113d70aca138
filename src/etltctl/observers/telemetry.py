"""The observer that sends a run as a trace of OpenTelemetry, if the standard's own variables ask for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from etltctl.errors import ConfigurationError, install
from etltctl.observers.deliveries import Delivery, require_delivered
from etltctl.observers.observer import Observation
from etltctl.observers.span_facts import SpanFacts, spans_of_end, trace_id_of
from etltctl.settings.telemetry import parent_of_trace, trace_endpoint

if TYPE_CHECKING:
    from etltctl.ledger import Event

ENDS = frozenset({"step.finished", "run.finished"})


@dataclass
class Trace:
    """The spans that this process completes; they leave it in one request."""

    observation: Observation
    endpoint: str
    _ended: list[int] = field(default_factory=list)  # numbers of events whose spans are not sent yet
    _events: Sequence[Event] = ()
    _deliveries: list[Delivery] = field(default_factory=list)

    def see(self, events: Sequence[Event]) -> None:
        """Note which spans the newest event completes; start to send them when the run ends.

        Args:
            events: All events of the run so far, oldest first.
        """
        self._events = events
        if events[-1]["type"] in ENDS:
            self._ended.append(events[-1]["seq"])
        if events[-1]["type"] == "run.finished":
            self._send()

    def close(self) -> None:
        """Send what is left, such as the step of a scheduler's task, and wait until it is sent.

        Raises:
            EtltctlError: It was not taken.
        """
        self._send()
        require_delivered(self._deliveries)

    def _send(self) -> None:
        spans = [span for seq in self._ended for span in spans_of_end(self._events, seq)]
        self._ended.clear()
        if spans:
            deliver = partial(_export, spans, self.observation, self.endpoint)
            self._deliveries.append(Delivery.start("the receiver of traces", deliver))


def open_trace(observation: Observation) -> Trace | None:
    """Return the observer of a run; None if the variables of the process ask for no traces.

    Args:
        observation: The run.

    Raises:
        ConfigurationError: The variables name an exporter or a protocol that etltctl does not support, or
            OpenTelemetry is not installed.
    """
    endpoint = trace_endpoint()
    if endpoint is None:
        return None
    from importlib.util import find_spec

    # In this order: to search within a package that is missing is another error.
    names = (
        "opentelemetry",
        "opentelemetry.sdk",
        "opentelemetry.exporter",
        "opentelemetry.exporter.otlp.proto.http",
    )
    if not all(find_spec(name) for name in names):
        raise ConfigurationError(f"OpenTelemetry is not installed; to install it: {install('telemetry')}")
    return Trace(observation, endpoint)


def _export(spans: list[SpanFacts], observation: Observation, endpoint: str) -> None:
    from etltctl.observers.span_export import export

    settings = observation.settings
    trace_id = trace_id_of(settings.project, settings.env, observation.run_id)
    resource = {"deployment.environment.name": settings.env, "etltctl.project": settings.project}
    export(spans, trace_id, resource, endpoint, parent_of_trace())
