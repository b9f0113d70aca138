"""Calls of Airbyte's public API over one kept connection: reads are repeated, everything else is sent once."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from etltctl import outage
from etltctl.airbyte.problems import NEVER_SENT, answer_of, is_transient, problem
from etltctl.airbyte.strangers import host_of, without_credentials
from etltctl.aws import keep_quiet
from etltctl.errors import UnreachableError
from etltctl.proxies import http_transport
from etltctl.retrying import RetryPolicy

if TYPE_CHECKING:
    import httpx

ANSWER_S, CONNECT_S = 60.0, 10.0


@dataclass(frozen=True)
class Transport:
    """The public API at `url`, as one application (client id and secret)."""

    url: str
    client_id: str = field(repr=False)
    client_secret: str = field(repr=False)
    policy: RetryPolicy = field(default_factory=RetryPolicy)

    def read(self, path: str, **query: Any) -> Any:
        """Return the answer of a GET, repeated while the server is in trouble."""

        def read() -> Any:
            return self.send("GET", path, params=query)

        return self.policy.call(read, is_transient=is_transient)

    def send(
        self, method: str, path: str, *, timeout: float | None = None, is_list: bool = False, **request: Any
    ) -> Any:
        """Send one request once and return its answer; None where the server answers without a body.

        Args:
            method: The HTTP method.
            path: The path below the API's base.
            timeout: Seconds until the answer must be there, for a call that takes long.
            is_list: Whether a success holds a list in place of an object.
            request: Further arguments of httpx.

        Raises:
            EtltctlError: There is no answer, a refusal, or an answer that is not Airbyte's.
        """
        import httpx

        outage.wait(self.url)
        limit = httpx.USE_CLIENT_DEFAULT if timeout is None else httpx.Timeout(timeout, connect=CONNECT_S)
        try:
            response = self._client.request(method, path, timeout=limit, **request)
        except httpx.HTTPError as error:
            # Without a connection no byte was sent, so that the call may be repeated even if it starts work.
            is_sent = not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
            raise UnreachableError(
                f"Airbyte at {without_credentials(self.url)} did not answer: {error or type(error).__name__}",
                hint="check airbyte.url and the network",
                code=type(error).__name__ if is_sent else NEVER_SENT,
                is_open=is_sent,
            ) from error
        if response.status_code == httpx.codes.NO_CONTENT:
            return None
        if response.is_success:
            return answer_of(response, self.url, f"{method} {path}", is_list=is_list)
        raise problem(response, self.url, f"{method} {path}")

    def named(self, method: str, path: str) -> str:
        """Return a call's name for an error about its answer: which Airbyte, and which call."""
        return f"Airbyte at {host_of(self.url)}: {method} {path}"

    @cached_property
    def _client(self) -> httpx.Client:
        import httpx

        from etltctl.airbyte.auth import TokenAuth

        # They print addresses with queries, and headers.
        keep_quiet("httpx", "httpcore", least=logging.WARNING)
        url = public_api_url(self.url)
        return httpx.Client(
            base_url=url,
            auth=TokenAuth(url, self.client_id, self.client_secret),
            timeout=httpx.Timeout(ANSWER_S, connect=CONNECT_S),
            headers={"Accept": "application/json"},
            transport=http_transport(url),
        )


def public_api_url(url: str) -> str:
    """Return the base of the public API, however the setting spells it: one `/v1`, no slash at the end."""
    # People copy the address with and without /v1, and both spellings appear in Airbyte's own pages.
    url = re.sub(r"(/v1)+/*$", "", url.rstrip("/"))
    return f"{url}/v1"
