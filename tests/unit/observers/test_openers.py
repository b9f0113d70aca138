"""Nothing is opened, and nothing imported, unless settings or variables ask for it."""

from __future__ import annotations

import subprocess
import sys
from importlib.machinery import ModuleSpec
from typing import Any

import pytest

from etltctl.aws import Aws
from etltctl.errors import ConfigurationError
from etltctl.observers import Observation
from etltctl.observers.notifications import open_notifications
from etltctl.observers.telemetry import open_trace
from etltctl.settings import load_settings
from etltctl.settings.telemetry import PROTOCOLS, parent_of_trace, trace_endpoint

BASE, TRACES = "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"


@pytest.fixture
def observation() -> Observation:
    return Observation("r", load_settings(env="local", environ={}), Aws(), lambda _: ((), ()))


@pytest.mark.parametrize(
    ("variables", "endpoint"),
    [
        ({}, None),
        ({BASE: ""}, None),
        ({BASE: "http://c:4318"}, "http://c:4318"),
        ({BASE: "http://c:4318", TRACES: "http://t/v1"}, "http://t/v1"),
        ({BASE: "http://c:4318", "OTEL_SDK_DISABLED": "True"}, None),
        ({BASE: "http://c:4318", "OTEL_SDK_DISABLED": "false"}, "http://c:4318"),
        ({BASE: "http://c:4318", "OTEL_TRACES_EXPORTER": "none"}, None),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, "http://localhost:4318"),
        ({"OTEL_SERVICE_NAME": "lake"}, None),
    ],
)
def test_the_standard_variables_decide(variables: dict[str, str], endpoint: str | None) -> None:
    assert trace_endpoint(variables) == endpoint


@pytest.mark.parametrize(
    ("variables", "says", "hint"),
    [
        (
            {"OTEL_TRACES_EXPORTER": "zipkin"},
            "OTEL_TRACES_EXPORTER is zipkin, and etltctl supports only otlp",
            "set it to otlp, or to none to send no traces",
        ),
        *(
            (
                {BASE: "http://c:4317", name: "grpc"},
                f"{name} is grpc, and etltctl supports only http/protobuf",
                f"set {name}=http/protobuf and the collector's HTTP port, often 4318",
            )
            for name in PROTOCOLS
        ),
    ],
)
def test_an_exporter_or_a_protocol_that_is_not_supported_is_named(
    variables: dict[str, str], says: str, hint: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        trace_endpoint(variables)
    assert (caught.value.message, caught.value.hint) == (says, hint)


def test_a_parent_needs_its_first_header() -> None:
    assert parent_of_trace({"TRACESTATE": "a=b"}) == {}
    assert parent_of_trace({"TRACEPARENT": "00-1-2-01", "TRACESTATE": "a=b"}) == {
        "traceparent": "00-1-2-01",
        "tracestate": "a=b",
    }


def test_nothing_is_opened_without_a_receiver(
    observation: Observation, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (BASE, TRACES, "OTEL_TRACES_EXPORTER"):
        monkeypatch.delenv(name, raising=False)
    assert open_trace(observation) is None
    assert open_notifications(observation) is None


def test_a_missing_package_is_an_error_with_the_command_that_installs_it(
    observation: Observation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(BASE, "http://c:4318")

    def find_spec(name: str, *_: Any) -> ModuleSpec | None:
        return None if name.startswith("opentelemetry") else ModuleSpec(name, None)

    monkeypatch.setattr("importlib.util.find_spec", find_spec)
    with pytest.raises(ConfigurationError, match=r"OpenTelemetry is not installed; .*\[telemetry\]"):
        open_trace(observation)


def test_a_run_that_nothing_observes_imports_no_package_of_an_observer() -> None:
    code = (
        "import sys, etltctl.pipeline, etltctl.observers.telemetry\n"
        "packages = ('openlineage', 'opentelemetry', 'httpx', 'requests')\n"
        "print([name for name in sys.modules if name.partition('.')[0] in packages])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
