"""Airbyte's anonymous health check."""

from __future__ import annotations

from etltctl.errors import ServiceError, UnreachableError

ADVICE = "check airbyte.url: https://api.airbyte.com/v1, or https://HOST/api/public/v1 when self-hosted"
TIMEOUT_S = 10.0


def greet(url: str) -> str:
    """What the public API at `url` says of its health; raises UnreachableError or ServiceError with that URL."""
    import httpx

    try:
        response = httpx.get(f"{url}/health", timeout=TIMEOUT_S)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise UnreachableError(
            f"Airbyte at {url} did not answer: {error or type(error).__name__}", hint=ADVICE
        ) from error
    if not response.is_success:
        raise ServiceError(f"Airbyte at {url}/health answered HTTP {response.status_code}", hint=ADVICE)
    return response.text.strip().strip('"')
