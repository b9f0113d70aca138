"""Airbyte's anonymous health check."""

from __future__ import annotations

from etltctl.airbyte.strangers import (
    CHECK_PROXY,
    CHECK_URL,
    EMPTY,
    LONGEST_TEXT,
    WEB_PAGE,
    stranger,
    without_credentials,
)
from etltctl.errors import ServiceError, UnreachableError
from etltctl.proxies import http_transport

TIMEOUT_S = 10.0


def greet(url: str) -> str:
    """Return what the public API at `url` says of its health: a line of text, or JSON in older versions.

    Raises:
        UnreachableError: Nothing answers there.
        ServiceError: It is not healthy, or something else answers.
    """
    import httpx

    where = without_credentials(url)
    try:
        with httpx.Client(transport=http_transport(url), timeout=TIMEOUT_S) as client:
            response = client.get(f"{url}/health")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise UnreachableError(
            f"Airbyte at {where} did not answer: {error or type(error).__name__}", hint=CHECK_URL
        ) from error
    # The check needs no token: if it fails, the address is wrong and not the credentials.
    kind = stranger(response)
    if not response.is_success:
        came = f" with {kind}" if kind else ""
        raise ServiceError(
            f"Airbyte at {where}/health answered HTTP {response.status_code}{came}", hint=CHECK_URL
        )
    if kind in (WEB_PAGE, EMPTY):
        raise ServiceError(f"Airbyte at {where}/health was answered with {kind}", hint=CHECK_PROXY)
    return " ".join(response.text[:LONGEST_TEXT].split()).strip('"')
