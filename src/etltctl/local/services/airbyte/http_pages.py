"""Asks an HTTP API for JSON, politely and for long enough: paced, patient when throttled, clear when it fails."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import httpx

from etltctl.errors import ConfigurationError
from etltctl.local.services.airbyte.pacing import FAULT_WAITS_S, THROTTLE_WAITS_S, Pace, jittered
from etltctl.local.services.airbyte.records import FailureKind, Pause, SyncError
from etltctl.proxies import http_transport

TIMEOUT_S = 30.0


class HttpPages:
    """GETs of one API, over one kept connection."""

    def __init__(
        self, base_url: str, pace: Pace, pause: Pause, headers: Mapping[str, str] | None = None
    ) -> None:
        self._pace = pace
        self._pause = pause
        try:
            transport = http_transport(base_url)
        except ConfigurationError as error:
            raise SyncError(f"{error.message}; {error.hint}", FailureKind.CONFIG) from error
        self._client = httpx.Client(
            base_url=base_url,
            timeout=TIMEOUT_S,
            # A base_url with http or without its last slash is redirected by the public API.
            follow_redirects=True,
            headers={"Accept": "application/json", "User-Agent": "etltctl", **(headers or {})},
            transport=transport,
        )

    def get(self, path: str, query: Mapping[str, Any]) -> dict[str, Any]:
        """Return the JSON object at the path.

        429 is waited out (as long as Retry-After says, if it says), 5xx, timeouts and lost connections are tried
        again a few times. Raises SyncError when that does not help, and at once for every other refusal.
        """
        # Two budgets: an hour of throttling must not use up the few tries for lost connections.
        throttled, faults = iter(THROTTLE_WAITS_S), iter(FAULT_WAITS_S)
        while True:
            self._pace.take_turn(self._pause)
            try:
                response = self._client.get(path, params=dict(query))
            except httpx.TransportError as error:
                url = str(error.request.url)
                self._wait(next(faults, None), f"{url} did not answer: {error or type(error).__name__}")
                continue
            if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
                wait = next(throttled, None)
                self._wait(_asked_wait(response, wait), f"{response.url} keeps throttling (HTTP 429)")
            elif response.is_server_error:
                self._wait(next(faults, None), f"{response.url} answered HTTP {response.status_code}")
            else:
                return _json_object(response)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _wait(self, seconds: float | None, trouble: str) -> None:
        if seconds is None:
            raise SyncError(f"{trouble}; giving up after several tries", FailureKind.TRANSIENT)
        self._pause(jittered(seconds))


def check_address(url: str) -> None:
    """Raise SyncError unless this is an http or https URL with a host."""
    try:
        parts = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise SyncError(f"base_url {url!r} is not an address: {error}", FailureKind.CONFIG) from error
    if parts.scheme not in ("http", "https") or not parts.host:
        raise SyncError(f"base_url {url!r} is not an http or https address", FailureKind.CONFIG)


def _asked_wait(response: httpx.Response, planned: float | None) -> float | None:
    """Return the longer of the planned wait and the one asked for in seconds; None when the plan is used up."""
    text = response.headers.get("Retry-After", "")
    # Retry-After may also be a date. Then the planned waits, which reach half an hour, must do.
    return max(planned, float(text)) if planned is not None and text.isdigit() else planned


def _json_object(response: httpx.Response) -> dict[str, Any]:
    if not response.is_success:
        raise SyncError(
            f"{response.url} answered HTTP {response.status_code}: {_first_words(response)}",
            FailureKind.CONFIG,
        )
    try:
        body = response.json()
    except ValueError as error:
        kind = response.headers.get("Content-Type", "no content type")
        raise SyncError(
            f"{response.url} answered no JSON ({kind}): {_first_words(response)}", FailureKind.CONFIG
        ) from error
    if not isinstance(body, dict):
        raise SyncError(f"{response.url} answered JSON that is not an object", FailureKind.CONFIG)
    return body


def _first_words(response: httpx.Response) -> str:
    return " ".join(response.text[:200].split())
