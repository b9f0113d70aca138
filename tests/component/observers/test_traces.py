"""A real run is one trace, decoded by OpenTelemetry's own classes of the protocol."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from datetime import datetime

import pytest

from etltctl.errors import EtltctlError
from etltctl.pipeline import run_step
from support.ports import free_port
from support.receivers import PostOffice, Reply, receiving
from support.spans import ReceivedSpan, spans_of
from support.sql_project import QUERY, SqlProject

WRONG = "select nothing_of_this_name from {silver.reading}"
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-{flags}"


@pytest.fixture(autouse=True)
def _standard_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES", "TRACEPARENT", "OTEL_TRACES_SAMPLER"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def spans(office: PostOffice, monkeypatch: pytest.MonkeyPatch) -> PostOffice:
    """A receiver of traces, to which the variables of the process lead."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{office.port}")
    return office


def named(received: list[ReceivedSpan]) -> dict[str, ReceivedSpan]:
    return {span.name: span for span in received}


def nanoseconds(event: Mapping[str, str]) -> int:
    return round(datetime.fromisoformat(event["ts"]).timestamp() * 1_000) * 1_000_000


def test_a_run_its_steps_and_their_remote_runs_are_one_trace_with_the_times_of_the_events(
    project: SqlProject, spans: PostOffice
) -> None:
    project.run("traced")
    assert [post.path for post in spans.posts] == ["/v1/traces"]
    received = spans_of(spans.posts)
    assert sorted(span.name for span in received) == ["Athena run", "run wind", "step athena", "step sql"]
    assert len({span.trace_id for span in received}) == 1
    by_name = named(received)
    run, step, remote = by_name["run wind"], by_name["step sql"], by_name["Athena run"]
    assert (run.parent_id, step.parent_id, remote.parent_id) == ("", run.span_id, step.span_id)
    events = project.events("traced")
    assert (run.start, run.end) == (nanoseconds(events[0]), nanoseconds(events[-1]))
    assert step.end == nanoseconds(project.event("traced", "step.finished"))
    assert run.start <= step.start <= remote.start <= remote.end <= step.end <= run.end
    assert run.resource["service.name"] == "etltctl"
    assert run.resource["deployment.environment.name"] == "local"
    started = project.event("traced", "remote.started")
    assert remote.attributes["etltctl.remote.id"] == started["remote_id"]
    assert remote.attributes["peer.service"] == "Athena"
    assert remote.attributes["etltctl.rows"] == 4
    assert not any(span.is_error for span in received)


def test_a_failed_step_has_an_error_and_its_cause(project: SqlProject, spans: PostOffice) -> None:
    project.write_query(WRONG)
    with pytest.raises(EtltctlError):
        project.run("traced-failed")
    finished = project.event("traced-failed", "step.finished")
    for name in ("step sql", "run wind"):
        span = named(spans_of(spans.posts))[name]
        assert span.is_error
        assert span.message == finished["explanation"]
        assert span.attributes["error.type"] == finished["cause"]
        assert span.events["exception"]["exception.type"] == finished["cause"]


def test_the_tasks_and_tries_of_a_scheduler_make_one_trace(project: SqlProject, spans: PostOffice) -> None:
    project.write_query(WRONG)
    with pytest.raises(EtltctlError):
        run_step("wind", "sql:windiest", run_id="traced-tasks", settings=project.settings)
    project.write_query(QUERY)
    run_step("wind", "sql:windiest", run_id="traced-tasks", settings=project.settings)
    run_step("wind", "athena:refresh", run_id="traced-tasks", settings=project.settings)
    received = spans_of(spans.posts)
    assert len({span.trace_id for span in received}) == 1
    assert len({span.span_id for span in received}) == len(received)
    runs = {span.span_id: span.attributes["etltctl.run.try"] for span in received if span.name == "run wind"}
    assert sorted(runs.values()) == [1, 2]
    steps = [span for span in received if span.name.startswith("step ")]
    tries = [
        (s.attributes["etltctl.step"], s.attributes["etltctl.step.try"], runs[s.parent_id]) for s in steps
    ]
    assert tries == [("sql:windiest", 1, 1), ("sql:windiest", 2, 2), ("athena:refresh", 1, 2)]


def test_a_parent_of_the_environment_is_the_parent_of_the_run(
    project: SqlProject, spans: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACEPARENT", PARENT.format(flags="01"))
    project.run("traced-below")
    received = spans_of(spans.posts)
    assert {span.trace_id for span in received} == {"0af7651916cd43dd8448eb211c80319c"}
    assert named(received)["run wind"].parent_id == "b7ad6b7169203331"


def test_a_parent_that_is_not_sampled_sends_nothing(
    project: SqlProject, spans: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACEPARENT", PARENT.format(flags="00"))
    project.run("traced-unsampled")
    assert spans.posts == []


def test_the_standard_variables_name_service_resource_and_headers(
    project: SqlProject, spans: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "lake")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=staging,team=data")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=secret42")
    project.run("traced-named")
    (post,) = spans.posts
    assert post.headers["api-key"] == "secret42"
    resource = spans_of([post])[0].resource
    assert (resource["service.name"], resource["team"]) == ("lake", "data")
    assert resource["deployment.environment.name"] == "staging"


PAGE = Reply(200, b"<html></html>", {"Content-Type": "text/html"})
FAULTS: Mapping[str, tuple[Reply, str]] = {
    "broken": (Reply(500, b"boom"), "code: 500"),
    "unknown": (Reply(404, b""), "code: 404"),
    "busy": (Reply(429, b"", {"Retry-After": "60"}), "it answered 429 Too Many Requests"),
    "away": (Reply(503, b""), "it answered 503 Service Unavailable"),
    "redirecting": (Reply(302, b"", {"Location": "/elsewhere"}), "a redirect, which is not followed"),
    "a login": (PAGE, "it answered with text/html, as no receiver does"),
    "slow": (Reply(hold=threading.Event()), "did not take the spans"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_receiver_of_traces_is_one_warning(
    project: SqlProject, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, fault: str
) -> None:
    reply, says = FAULTS[fault]
    with receiving(reply) as office:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{office.port}")
        project.run(f"traced-{fault.replace(' ', '-')}")
        assert {post.path for post in office.posts} == {"/v1/traces"}
    (warning,) = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    assert warning.startswith(f"the trace was not sent: the receiver of traces at 127.0.0.1:{office.port} ")
    assert says in warning


@pytest.mark.parametrize("host", ["127.0.0.1", "nothing.invalid"])
def test_a_receiver_of_traces_that_is_absent_is_one_warning(
    project: SqlProject, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, host: str
) -> None:
    address = f"{host}:{free_port()}"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://{address}")
    project.run(f"traced-{host}")
    (warning,) = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    start = f"the trace was not sent: the receiver of traces at {address} did not take the spans: "
    assert warning.startswith(start)
    assert warning.removeprefix(start).startswith(("Failed to establish", "Failed to resolve"))


def test_a_header_that_cannot_be_sent_is_not_quoted(
    project: SqlProject, spans: PostOffice, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=secret42%0Aline")
    project.run("traced-header")
    (warning,) = [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]
    assert "did not take the spans" in warning
    assert "secret42" not in caplog.text
