"""What Airbyte's answers mean: JSON, problems in five shapes, and which of them leave open what happened."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from etltctl.airbyte.strangers import CHECK_PROXY, EMPTY, LIST, excerpt, host_of, stranger
from etltctl.answers import BAD_ANSWER
from etltctl.errors import (
    AccessError,
    ConfigurationError,
    NotFoundError,
    ServiceError,
    UnreachableError,
)

if TYPE_CHECKING:
    import httpx

TRY_AGAIN_LATER = "try-again-later"
STATE_CONFLICT = "state-conflict"
LOCKED = "connection/locked"
NEVER_SENT = "never-sent"
OVERLOADED = "429"
CONNECTOR_FAILED = "connector-failed"
# With these words Airbyte answers 500 for a failure of the connector itself; the connector's own follow them.
CONNECTOR_WORDS = "Something went wrong in the connector."
# How long to let be a connection that refuses a start for now, in seconds; the overloaded server asks for no less.
PAUSES_S = {TRY_AGAIN_LATER: 2.0, NEVER_SENT: 2.0, OVERLOADED: 30.0}
TRANSIENT_CODES = frozenset({"408", OVERLOADED, "500", "502", "503", "504"})


def problem(response: httpx.Response, url: str, call: str) -> ServiceError | AccessError | ConfigurationError:
    """Build the error that a refusal means. Airbyte words its own in five shapes.

    Args:
        response: The answer, whose status is not a success.
        url: The base of the API.
        call: The method and the path.
    """
    status, where = response.status_code, f"Airbyte at {host_of(url)}: {call}: HTTP {response.status_code}"
    if kind := stranger(response):
        return _stranger_error(response, f"{where} with {kind}{excerpt(response)}", kind)
    body: Mapping[str, Any] = response.json()
    words = str(_words(body))
    text = f"{where} {words}".rstrip()
    if status in {401, 403}:
        return AccessError(text, hint="check airbyte.client_id, airbyte.client_secret and the workspace")
    if status == HTTPStatus.NOT_FOUND:
        return NotFoundError(text, hint="check the connection_id of the source and airbyte.url")
    # Cloud and self-hosted servers put the same word into `type` or into `title`.
    names = f"{body.get('type', '')} {body.get('title', '')}"
    known = next((word for word in (TRY_AGAIN_LATER, STATE_CONFLICT, LOCKED) if word in names), "")
    if words.startswith(CONNECTOR_WORDS):
        # Not transient, whatever the status says: a repeated call would only start the connector again.
        known = CONNECTOR_FAILED
    return ServiceError(text, code=known or str(status), is_open=_is_open(status))


def _words(body: Mapping[str, Any]) -> Any:
    """Return the most particular words of a problem; its `detail` is the same for all problems of a type."""
    data = _object(body.get("data"))
    errors = _object(body.get("_embedded")).get("errors")
    embedded = _object(errors[0]) if isinstance(errors, list) and errors else {}
    said = data.get("message") or body.get("detail") or embedded.get("message") or body.get("message")
    return said or body.get("title") or body.get("errorId") or ""


def _stranger_error(
    response: httpx.Response, message: str, kind: str
) -> ServiceError | AccessError | ConfigurationError:
    """Build the error for a refusal in words that are not Airbyte's; its status still says what may be repeated."""
    status = response.status_code
    # Airbyte's own framework may refuse a token with no body at all.
    if status in {401, 403}:
        hint = f"check airbyte.client_id and airbyte.client_secret; or {CHECK_PROXY}"
        return AccessError(message, hint=hint if kind == EMPTY else CHECK_PROXY)
    if status == HTTPStatus.NOT_FOUND or response.has_redirect_location:
        return ConfigurationError(message, hint=CHECK_PROXY)
    return ServiceError(message, code=str(status), is_open=_is_open(status), hint=CHECK_PROXY)


def _is_open(status: int) -> bool:
    """Return whether a call that failed with this status may still have taken effect."""
    # A gateway answers 408 too if the server behind it did not answer in time, whatever it did.
    return status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT


def _object(value: Any) -> Mapping[str, Any]:
    """Return the value if it is an object, and an empty object for anything else."""
    return value if isinstance(value, Mapping) else {}


def connector_words(error: ServiceError) -> str:
    """Return what the connector itself said, of an error with the code `CONNECTOR_FAILED`."""
    said = error.message.partition(CONNECTOR_WORDS)[2].strip().removeprefix("logs:").strip()
    return said or "it gave no reason"


def answer_of(response: httpx.Response, url: str, call: str, *, is_list: bool = False) -> Any:
    """Return the object that a success holds.

    Args:
        response: The answer.
        url: The base of the API.
        call: The method and the path.
        is_list: Whether a list is due in place of an object.

    Raises:
        ServiceError: Something else came. Whether the call took effect is open.
    """
    kind = stranger(response)
    if is_list:
        kind = "" if kind == LIST else kind or "an object in place of a list"
    if kind:
        raise ServiceError(
            f"Airbyte at {host_of(url)}: {call} was answered (HTTP {response.status_code}) with {kind}, "
            "not with Airbyte's API",
            code=BAD_ANSWER,
            is_open=True,
            hint=CHECK_PROXY,
        )
    return response.json()


def is_transient(error: BaseException) -> bool:
    """Whether a read that failed so may be repeated."""
    return isinstance(error, UnreachableError) or (
        isinstance(error, ServiceError) and error.code in TRANSIENT_CODES
    )
