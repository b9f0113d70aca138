"""A bearer token got with client id and secret, renewed before it runs out and once more after a 401."""

from __future__ import annotations

import base64
import binascii
import json
import time
from collections.abc import Callable, Generator

import httpx

from etltctl.airbyte.strangers import CHECK_PROXY, CHECK_URL, EMPTY, host_of, stranger, without_credentials
from etltctl.answers import BAD_ANSWER
from etltctl.errors import AccessError, ServiceError

SKEW_S = 30.0


class TokenAuth(httpx.Auth):
    """Adds `Authorization: Bearer …` to every request.

    The token comes from `POST {url}/applications/token`. Its lifetime is the smaller of `expires_in` and the
    JWT's own `exp`, because servers have been seen to report more than they grant.
    """

    requires_response_body = True

    def __init__(
        self, url: str, client_id: str, client_secret: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._url = f"{url}/applications/token"
        self._body = {
            "client_id": client_id,
            "client_secret": client_secret,
            # The published API calls it both: one in its schema, the other in its text.
            "grant_type": "client_credentials",
            "grant-type": "client_credentials",
        }
        self._clock = clock
        self._token = ""
        self._good_until = 0.0

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Send the request with a fresh token; after a 401, once more with a new one."""
        # Threads share the token without a lock: two that renew it at once both get a valid one.
        if self._clock() >= self._good_until:
            self._keep((yield self._token_request()))
        request.headers["Authorization"] = f"Bearer {self._token}"
        response = yield request
        # A refused request was not carried out, so that a POST may be sent again here as well.
        if response.status_code == httpx.codes.UNAUTHORIZED:
            self._keep((yield self._token_request()))
            request.headers["Authorization"] = f"Bearer {self._token}"
            yield request

    def _token_request(self) -> httpx.Request:
        return httpx.Request("POST", self._url, json=self._body, headers={"Accept": "application/json"})

    def _keep(self, response: httpx.Response) -> None:
        """Keep the token of an answer.

        Raises:
            AccessError: Airbyte refused the client id and secret.
            ServiceError: There is no token in the answer.
        """
        status, kind = response.status_code, stranger(response)
        came = f"HTTP {status} with {kind}" if kind else f"HTTP {status}"
        if status in {400, 401, 403} and kind in ("", EMPTY):
            raise AccessError(
                f"Airbyte refused the client id and secret ({came})",
                hint="check airbyte.client_id and airbyte.client_secret: they belong to an application in Airbyte",
                url=without_credentials(self._url),
            )
        if kind or not response.is_success:
            raise ServiceError(
                f"Airbyte at {host_of(self._url)} gave no token ({came})",
                code=str(status) if not response.is_success else BAD_ANSWER,
                hint=CHECK_PROXY if kind else CHECK_URL,
                url=without_credentials(self._url),
            )
        answer = response.json()
        token = answer.get("access_token")
        if not isinstance(token, str) or not token:
            raise ServiceError(
                f"Airbyte at {host_of(self._url)} answered the request for a token without the field access_token",
                code=BAD_ANSWER,
                hint=CHECK_URL,
                url=without_credentials(self._url),
            )
        self._token = token
        seconds = answer.get("expires_in")
        # If the server does not say, three minutes is a safe guess: to renew too early costs one call.
        lifetime = float(seconds) if isinstance(seconds, int | float) and seconds > 0 else 180.0
        expiry = min(self._clock() + lifetime, jwt_expiry(self._token))
        # A lifetime under the skew would ask for a new token before every call.
        self._good_until = max(expiry - SKEW_S, self._clock() + lifetime / 10)


def jwt_expiry(token: str) -> float:
    """Return the `exp` claim in seconds since 1970 (RFC 7519), or infinity if the token is not a JWT that has one."""
    try:
        # JWTs leave out the padding that Python's decoder demands.
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        return float(claims["exp"])
    except (IndexError, KeyError, TypeError, ValueError, binascii.Error):
        return float("inf")
