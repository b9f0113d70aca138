"""The standard variables of OpenTelemetry that say whether traces are wanted. No setting says it.

See https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.parse import unquote

from etltctl.errors import ConfigurationError
from etltctl.settings.secrets import SHORTEST_SECRET

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
HEADERS = ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS")
DEFAULT_ENDPOINT = "http://localhost:4318"  # the standard's own


def trace_endpoint(environ: Mapping[str, str] | None = None) -> str | None:
    """Return where the variables send traces.

    Args:
        environ: The variables; those of the process if None.

    Returns:
        The address that they name; None if they ask for no traces.

    Raises:
        ConfigurationError: The variables name an exporter or a protocol that etltctl does not support.
    """
    values = os.environ if environ is None else environ
    exporter = values.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    endpoint = next((values[name].strip() for name in ENDPOINTS if values.get(name, "").strip()), "")
    # The standard reads an empty value as an unset one, and any other than `true` as false.
    is_disabled = values.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    if is_disabled or exporter == "none" or not (exporter or endpoint):
        return None
    if exporter not in ("", "otlp"):
        raise ConfigurationError(
            f"OTEL_TRACES_EXPORTER is {exporter}, and etltctl supports only otlp",
            hint="set it to otlp, or to none to send no traces",
        )
    name = next((name for name in PROTOCOLS if values.get(name, "").strip()), "")
    protocol = values.get(name, "").strip()
    if protocol not in ("", "http/protobuf"):
        raise ConfigurationError(
            f"{name} is {protocol}, and etltctl supports only http/protobuf",
            hint=f"set {name}=http/protobuf and the collector's HTTP port, often 4318",
        )
    # OpenTelemetry's SDK leaves such a header out, so that a key would be missing, and quotes it in its log.
    if wrong := next(
        (name for name in HEADERS if any(_is_malformed(pair) for pair in _pairs(values, name))), ""
    ):
        raise ConfigurationError(
            f"{wrong} has a header that is not NAME=VALUE", hint="write headers as NAME=VALUE,NAME=VALUE"
        )
    return endpoint or DEFAULT_ENDPOINT


def _pairs(values: Mapping[str, str], name: str) -> list[str]:
    return values.get(name, "").split(",")


def _is_malformed(pair: str) -> bool:
    name, sign, _ = pair.partition("=")
    return bool(pair.strip()) and not (sign and name.strip())


def parent_of_trace(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the parent of a run's trace in the form of W3C's Trace Context; empty without one.

    Args:
        environ: The variables; those of the process if None.
    """
    values = os.environ if environ is None else environ
    headers = {name.lower(): values[name] for name in ("TRACEPARENT", "TRACESTATE") if values.get(name)}
    return headers if "traceparent" in headers else {}


def secrets_of_headers(environ: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Return the values of the headers that the variables add to a request, the longest first: most are keys.

    Args:
        environ: The variables; those of the process if None.
    """
    values = os.environ if environ is None else environ
    pairs = [pair for name in HEADERS for pair in _pairs(values, name)]
    # A pair without its sign may hold the key anywhere.
    texts = {pair.partition("=")[2].strip() if "=" in pair else pair.strip() for pair in pairs}
    texts |= {pair.partition(":")[2].strip() for pair in pairs if "=" not in pair}
    # An error may quote a value as it is written, as it is sent, or as Python shows it.
    forms = {form for text in texts for form in (text, unquote(text), repr(unquote(text))[1:-1])}
    secrets = {form for form in forms if len(form) >= SHORTEST_SECRET}
    return tuple(sorted(secrets, key=len, reverse=True))
