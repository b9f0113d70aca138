"""One POST of a JSON document to the secret address of a receiver."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from etltctl.aws import keep_quiet
from etltctl.errors import ConfigurationError, ServiceError, UnreachableError, bounded
from etltctl.observers.addresses import Address
from etltctl.proxies import http_transport
from etltctl.retrying import RetryPolicy
from etltctl.tabulating import one_line

if TYPE_CHECKING:
    import httpx

CONNECT_S, ANSWER_S = 2.0, 5.0
LONGEST_ANSWER = 2_000  # bytes of an answer that are read
POLICY = RetryPolicy(attempts=3, first_wait=0.3, longest_wait=2.0)
TOO_MANY = 429
# An old connector of Teams answers 200 and says in the body that it failed.
TEAMS_FAILURE = "Webhook message delivery failed"


class TransientError(ServiceError):
    """A failure after which the message may be sent again.

    Attributes:
        retry_after: The seconds that the receiver asked for; None if it did not.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        """Keep the wait."""
        super().__init__(message)
        self.retry_after = retry_after


def post(address: Address, document: Mapping[str, Any], policy: RetryPolicy = POLICY) -> None:
    """Send a document; again only if it did not arrive, or the receiver asked for it.

    Args:
        address: The receiver.
        document: The document.
        policy: How often it is repeated.

    Raises:
        ConfigurationError: The address, or a proxy of the environment, cannot be used.
        ServiceError: The receiver refused the document, or did not answer.
    """
    address.require_valid()
    # httpx logs the whole address of each request, and with it the secret.
    keep_quiet("httpx", "httpcore", least=logging.WARNING)
    # A text of a run may hold half a surrogate pair, which UTF-8 cannot encode.
    body = json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")
    policy.call(lambda: _send(address, body), is_transient=lambda error: isinstance(error, TransientError))


def _send(address: Address, body: bytes) -> None:
    import httpx

    headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "etltctl"}
    timeout = httpx.Timeout(ANSWER_S, connect=CONNECT_S)
    receiver = f"{address.setting} ({address.host})"
    try:
        # A redirect is not followed: it would carry the message, and maybe the secret, to another host.
        with (
            _client(address, timeout) as client,
            client.stream("POST", address.url, content=body, headers=headers) as response,
        ):
            _judge(address, receiver, response, _start_of(response))
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        raise TransientError(f"{receiver} cannot be reached: {address.hidden(_words(error))}") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        # Without the cause: its text and its traceback may quote the address.
        text = f"{receiver} gave no whole answer: {address.hidden(_words(error))}; it may have arrived"
        raise UnreachableError(text) from None


def _client(address: Address, timeout: httpx.Timeout) -> httpx.Client:
    import httpx

    try:
        transport = http_transport(address.url)
    except ConfigurationError as error:
        # It quotes the address that cannot be called.
        message = address.hidden(error.message.replace(address.url, f"{address.setting} ({address.host})"))
        raise ConfigurationError(message, hint=error.hint) from None
    return httpx.Client(transport=transport, timeout=timeout, follow_redirects=False)


def _start_of(response: httpx.Response) -> str:
    read = b""
    for chunk in response.iter_bytes():
        read += chunk
        if len(read) >= LONGEST_ANSWER:
            break
    return read[:LONGEST_ANSWER].decode("utf-8", "replace")


def _judge(address: Address, receiver: str, response: httpx.Response, text: str) -> None:
    """Raise an error unless the answer is the receiver's success."""
    status = response.status_code
    said = one_line(address.hidden(text), 120)
    words = f": {said}" if said and "<" not in said[:20] else ""
    if response.is_success:
        is_own = {"slack": text.strip() == "ok", "teams": not text.startswith(TEAMS_FAILURE)}
        if not is_own.get(address.kind, True):
            raise ServiceError(f"{receiver} did not take the message, although it answered {status}{words}")
        return
    if response.is_redirect:
        raise ServiceError(f"{receiver} answered {status}: a redirect, which is not followed")
    message = f"{receiver} refused the message with status {status}{words}"
    if status == TOO_MANY or response.is_server_error:
        raise TransientError(message, _seconds(response.headers.get("Retry-After", "")))
    raise ServiceError(message)


def _seconds(retry_after: str) -> float | None:
    """Return the seconds of a header `Retry-After`; None for a date, because the clocks of two machines differ."""
    return float(retry_after) if retry_after.strip().isdigit() else None


def _words(error: Exception) -> str:
    return bounded(str(error) or type(error).__name__, 200)
