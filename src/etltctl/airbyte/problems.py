"""What Airbyte's answers mean: JSON, problems in five shapes, and which of them leave open what happened."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from etltctl.answers import BAD_ANSWER
from etltctl.errors import AccessError, ConfigurationError, ServiceError, UnreachableError

if TYPE_CHECKING:
    import httpx

TRY_AGAIN_LATER = "try-again-later"
STATE_CONFLICT = "state-conflict"
LOCKED = "connection/locked"
NEVER_SENT = "never-sent"
OVERLOADED = "429"
# How long to let be a connection that refuses a start for now, in seconds; the overloaded server asks for no less.
PAUSES_S = {TRY_AGAIN_LATER: 2.0, NEVER_SENT: 2.0, OVERLOADED: 30.0}
TRANSIENT_CODES = frozenset({"408", OVERLOADED, "500", "502", "503", "504"})


def problem(
    status: int, body: Mapping[str, Any], call: str
) -> ServiceError | AccessError | ConfigurationError:
    """The error a problem answer means; Airbyte words it in five different shapes."""
    data = _object(body.get("data"))
    errors = _object(body.get("_embedded")).get("errors")
    embedded = _object(errors[0]) if isinstance(errors, list) and errors else {}
    detail = body.get("detail") or data.get("message") or embedded.get("message") or body.get("message") or ""
    if status in {400, 409, 422} and data.get("message"):
        detail = data["message"]
    message = (
        f"Airbyte {call}: HTTP {status} {detail or body.get('title') or body.get('errorId', '')}".rstrip()
    )
    kind = f"{body.get('type', '')} {body.get('title', '')}"
    if status in {401, 403}:
        return AccessError(message, hint="check airbyte.client_id, airbyte.client_secret and the workspace")
    if status == 404:
        return ConfigurationError(message, hint="check the connection_id of the source and airbyte.url")
    is_open = status >= 500 or status == 408
    known = next((word for word in (TRY_AGAIN_LATER, STATE_CONFLICT, LOCKED) if word in kind), "")
    return ServiceError(message, code=known or str(status), is_open=is_open)


def _object(value: Any) -> Mapping[str, Any]:
    """Return the value if it is an object, and an empty object for anything else."""
    return value if isinstance(value, Mapping) else {}


def answer_of(response: httpx.Response, url: str) -> Any:
    try:
        return response.json()
    except ValueError as error:
        raise ServiceError(
            f"Airbyte at {url} answered with something that is not JSON",
            code=BAD_ANSWER,
            is_open=True,
            hint="check airbyte.url: https://api.airbyte.com/v1, or https://HOST/api/public/v1 when self-hosted",
        ) from error


def body_of(response: httpx.Response) -> Mapping[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {"message": response.text[:200]}
    return body if isinstance(body, dict) else {"message": str(body)[:200]}


def is_transient(error: BaseException) -> bool:
    """Whether a read that failed so may be repeated."""
    return isinstance(error, UnreachableError) or (
        isinstance(error, ServiceError) and error.code in TRANSIENT_CODES
    )
