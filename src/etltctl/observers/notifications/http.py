"""One POST of a JSON document to the secret address of a receiver."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from etltctl.aws import keep_quiet
from etltctl.errors import ConfigurationError, ServiceError, UnreachableError, bounded
from etltctl.observers.notifications.notification import one_line
from etltctl.proxies import http_transport
from etltctl.retrying import RetryPolicy
from etltctl.settings.secrets import without_secrets

if TYPE_CHECKING:
    import httpx

CONNECT_S, ANSWER_S = 2.0, 5.0
LONGEST_ANSWER = 2_000  # bytes of an answer that are read
LEAST_SECRET = 8  # characters of a part of an address that is hidden in the words of a receiver
PATIENCE = RetryPolicy(attempts=3, first_wait=0.3, longest_wait=2.0)
TOO_MANY = 429
# An old connector of Teams answers 200 and says in the body that it failed.
TEAMS_FAILURE = "Webhook message delivery failed"


class PassingError(ServiceError):
    """A failure after which the message may be sent again.

    Attributes:
        retry_after: The seconds that the receiver asked for; None if it did not.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        """Keep the wait."""
        super().__init__(message)
        self.retry_after = retry_after


@dataclass(frozen=True)
class Address:
    """The address of a receiver, which every holder may post to.

    Attributes:
        setting: The name of the setting, for errors.
        url: The address.
        kind: The kind of the receiver, which knows its own answers.
    """

    setting: str
    url: str = field(repr=False)
    kind: str

    @property
    def host(self) -> str:
        """The host, which alone is shown."""
        return urlsplit(self.url).hostname or "?"

    def require_valid(self) -> None:
        """Check that the address can be called.

        Raises:
            ConfigurationError: It is not one.
        """
        try:
            parts = urlsplit(self.url)
            is_valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            is_valid = False
        if not is_valid or not self.url.isprintable() or " " in self.url:
            raise ConfigurationError(
                f"{self.setting} does not hold an address that begins with https:// or http://",
                hint="write the whole address of the receiver into the secret",
            )

    def hidden(self, text: str) -> str:
        """Return a text with stars in place of the address and of its parts."""
        parts = urlsplit(self.url)
        pieces = [self.url, f"{parts.path}?{parts.query}", parts.path, parts.query, *parts.path.split("/")]
        secrets = sorted({piece for piece in pieces if len(piece) >= LEAST_SECRET}, key=len, reverse=True)
        return without_secrets(text, secrets)


def post(address: Address, document: Mapping[str, Any], policy: RetryPolicy = PATIENCE) -> None:
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
    policy.call(lambda: _send(address, body), is_transient=lambda error: isinstance(error, PassingError))


def _send(address: Address, body: bytes) -> None:
    import httpx

    headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "etltctl"}
    timeout = httpx.Timeout(ANSWER_S, connect=CONNECT_S)
    who = f"{address.setting} ({address.host})"
    try:
        # A redirect is not followed: it would carry the message, and maybe the secret, to another host.
        with (
            _client(address, timeout) as client,
            client.stream("POST", address.url, content=body, headers=headers) as response,
        ):
            _judge(address, who, response, _start_of(response))
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        raise PassingError(f"{who} cannot be reached: {address.hidden(_words(error))}") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        # Without the cause: its text and its traceback may quote the address.
        text = f"{who} gave no whole answer: {address.hidden(_words(error))}; it may have arrived"
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


def _judge(address: Address, who: str, response: httpx.Response, text: str) -> None:
    """Raise an error unless the answer is the receiver's success."""
    status = response.status_code
    said = one_line(address.hidden(text), 120)
    words = f": {said}" if said and "<" not in said[:20] else ""
    if response.is_success:
        is_own = {"slack": text.strip() == "ok", "teams": not text.startswith(TEAMS_FAILURE)}
        if not is_own.get(address.kind, True):
            raise ServiceError(f"{who} did not take the message, although it answered {status}{words}")
        return
    if response.is_redirect:
        raise ServiceError(f"{who} answered {status}: a redirect, which is not followed")
    message = f"{who} refused the message with status {status}{words}"
    if status == TOO_MANY or response.is_server_error:
        raise PassingError(message, _seconds(response.headers.get("Retry-After", "")))
    raise ServiceError(message)


def _seconds(retry_after: str) -> float | None:
    """Return the seconds of a header `Retry-After`; None for a date, because the clocks of two machines differ."""
    return float(retry_after) if retry_after.strip().isdigit() else None


def _words(error: Exception) -> str:
    return bounded(str(error) or type(error).__name__, 200)
