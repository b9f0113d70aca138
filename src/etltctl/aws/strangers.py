"""Answers that no AWS service sent, such as a proxy's web page, recognised before botocore reads them."""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from typing import Any

from etltctl.answers import require_needed

# Every answer of AWS carries one of these; the header that notes an answer of something else is etltctl's own.
REQUEST_IDS = frozenset({"x-amzn-requestid", "x-amz-request-id", "x-amz-id-2"})
STRANGER = "x-etltctl-stranger"
WEB_PAGE, EMPTY, NOT_ITS_OWN = "with a web page", "with nothing", "with something that is not its own"
# Operations whose success always has a result.
TELLING = re.compile(r"(Get|List|Describe|Search|Lookup|Start)")


def note_stranger(operation_model: Any, response_dict: dict[str, Any], **_: Any) -> None:
    """Recognise a failure that no AWS service sent.

    A passing fault (5xx) is noted in a header and left to botocore, which asks again: a load balancer in front of
    a real service sends web pages too.
    """
    from botocore.parsers import ResponseParserError

    status, body = response_dict["status_code"], response_dict["body"]
    # The answer to a HEAD has no body that could show its sender.
    if status < HTTPStatus.BAD_REQUEST or operation_model.http["method"] == "HEAD":
        return
    kind = _kind_of_answer(body)
    has_id = bool({name.lower() for name in response_dict["headers"]} & REQUEST_IDS)
    # A web page with a request id may not come from AWS: proxies copy headers.
    if kind != WEB_PAGE and (has_id or _is_own(operation_model, body)):
        return
    if status < HTTPStatus.INTERNAL_SERVER_ERROR and status != HTTPStatus.TOO_MANY_REQUESTS:
        raise ResponseParserError(f"{kind} (status {status})")
    response_dict["headers"][STRANGER] = kind


def _is_own(operation_model: Any, body: bytes) -> bool:
    """Return whether a body begins as those of the service do."""
    start = body.lstrip()[:100].lower()
    model = operation_model.service_model
    # botocore before 1.38 knows one protocol of a service only.
    if "json" in getattr(model, "resolved_protocol", model.protocol):
        return start.startswith(b"{")
    return start.startswith(b"<") and b"html" not in start


def _kind_of_answer(body: bytes) -> str:
    start = body.lstrip()[:100].lower()
    if start.startswith(b"<!doctype html") or b"<html" in start:
        return WEB_PAGE
    return NOT_ITS_OWN if start else EMPTY


def require_own(operation_model: Any, response_dict: dict[str, Any], **_: Any) -> None:
    """Refuses a success whose body no service would send, such as the page of a proxy that asks for a login."""
    from botocore.parsers import ResponseParserError

    if response_dict["status_code"] >= HTTPStatus.MULTIPLE_CHOICES or not _tells_something(operation_model):
        return
    body = response_dict["body"]
    if body.strip() and not _is_own(operation_model, body):
        raise ResponseParserError(_kind_of_answer(body))


def require_understood(http_response: Any, parsed: dict[str, Any], model: Any, **_: Any) -> None:
    """Refuses the success of a question that holds nothing of what was asked for."""
    from botocore.parsers import ResponseParserError

    if http_response.status_code >= HTTPStatus.MULTIPLE_CHOICES or not _tells_something(model):
        return
    is_empty = TELLING.match(model.name) and parsed.keys() <= {"ResponseMetadata"}
    if is_empty and not _may_be_empty(model, http_response.content):
        raise ResponseParserError(f"{model.name} is not answered so")
    require_needed(model.service_model.service_name, model.name, parsed)


def _may_be_empty(operation: Any, body: bytes) -> bool:
    """Return whether a body that holds no value can be the service's: it may write its optional members as null."""
    if body == b"{}":
        return True
    try:
        members = json.loads(body)
    except (ValueError, RecursionError):
        return False
    if not isinstance(members, dict) or any(value is not None for value in members.values()):
        return False
    shape = operation.output_shape
    return members.keys() <= shape.members.keys() and not shape.required_members


def _tells_something(operation: Any) -> bool:
    """Whether the operation's answer has a body that is read at once."""
    shape = operation.output_shape
    return shape is not None and bool(shape.members) and not operation.has_streaming_output
