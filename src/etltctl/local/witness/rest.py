"""The parts of a REST call other than its body: path, query and headers, and which operation they name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

from etltctl.local.kernel.api_models import service_model
from etltctl.local.witness.messages import Request

# What signs, names or frames a call, whatever the operation.
ANY_PARAMETER = re.compile(r"(?i)x-id|x-amz-.*|AWSAccessKeyId|Signature|Expires")
ANY_HEADER = frozenset({
    "x-amz-date", "x-amz-content-sha256", "x-amz-security-token", "x-amz-user-agent", "x-amz-decoded-content-length",
    "x-amz-trailer", "x-amz-target", "x-amz-id-2", "x-amz-request-id", "x-amz-te", "x-amz-api-version",
})  # fmt: skip


@lru_cache
def _routes(service: str) -> list[tuple[str, str, re.Pattern[str], set[str], set[str]]]:
    """Return name, method, path, and the query parameters and headers that each operation cannot be without."""
    model, routes = service_model(service), []
    for name in model.operation_names:
        operation = model.operation_model(name)
        if operation.deprecated:  # such as PutBucketLifecycle, which its successor is called like
            continue
        path, _, query = operation.http["requestUri"].partition("?")
        markers = {pair.partition("=")[0] for pair in query.split("&") if pair}
        routes.append((
            name, operation.http["method"], _path_pattern(path),
            markers | _required(operation, "querystring"), _required(operation, "header"),
        ))  # fmt: skip
    return routes


def _required(operation: Any, location: str) -> set[str]:
    shape = operation.input_shape
    if shape is None:
        return set()
    members = {name: shape.members[name].serialization for name in shape.required_members}
    return {each.get("name", name).lower() if location == "header" else each.get("name", name)
            for name, each in members.items() if each.get("location") == location}  # fmt: skip


@lru_cache
def _path_pattern(path: str) -> re.Pattern[str]:
    parts = re.split(r"(\{[^}]+\})", path.rstrip("/") or "/")
    words = [
        f"(?P<{part.strip('{+}')}>{'.+' if part.endswith('+}') else '[^/]+'})"
        if part.startswith("{")
        else re.escape(part)
        for part in parts
    ]
    return re.compile("".join(words), re.DOTALL)


def find_operation(service: str, request: Request) -> str:
    """Return the operation that a REST call names most closely; an empty text if none fits."""
    parameters = {name for name, _ in parse_qsl(request.query, keep_blank_values=True)}
    # A slash at the end belongs to an object's key, but not to a bucket's name.
    path = request.path if request.path.strip("/").count("/") else request.path.rstrip("/") or "/"
    fitting = [
        (-len(query) - len(headers), name)
        for name, method, pattern, query, headers in _routes(service)
        if method == request.method
        and pattern.fullmatch(path)
        and query <= parameters
        and headers <= set(request.headers)
    ]
    # The most markers win; of equals the first by name, so that the verdict is the same every time.
    return min(fitting)[1] if fitting else ""


def uri_values(operation: Any, path: str) -> dict[str, Any]:
    """Return the members of the input that are in the path."""
    shape = operation.input_shape
    pattern = _path_pattern(operation.http["requestUri"].partition("?")[0])
    matched = pattern.fullmatch(path) or pattern.fullmatch(path.rstrip("/"))
    words = matched.groupdict() if matched else {}
    return {
        name: words[member.serialization.get("name", name)]
        for name, member in shape.members.items()
        if member.serialization.get("location") == "uri"
    }


def unknown_parameters(operation: Any, request: Request) -> list[str]:
    """Return a line for every query parameter that the operation does not have."""
    query = operation.http["requestUri"].partition("?")[2]
    known = {pair.partition("=")[0] for pair in query.split("&")} | _names(
        operation.input_shape, "querystring"
    )
    stated = {name for name, _ in parse_qsl(request.query, keep_blank_values=True)}
    return _lines(
        (name for name in stated - known if not ANY_PARAMETER.fullmatch(name)), "input", "parameter"
    )


def unknown_headers(operation: Any, shape: Any, headers: Mapping[str, str], place: str) -> list[str]:
    """Return a line for each of AWS's headers that the message does not have."""
    if operation.http_checksum:  # then either side may add one by any algorithm
        headers = {name: value for name, value in headers.items() if not name.startswith("x-amz-checksum-")}
    known = {name.lower() for name in _names(shape, "header")} | ANY_HEADER
    prefixes = tuple(name.lower() for name in _names(shape, "headers"))
    stated = {name for name in headers if name.startswith("x-amz-")}
    unknown = (name for name in stated - known if not (prefixes and name.startswith(prefixes)))
    return _lines(unknown, place, "header")


def _names(shape: Any, location: str) -> set[str]:
    members = shape.members.items() if shape is not None else ()
    return {
        member.serialization.get("name", name)
        for name, member in members
        if member.serialization.get("location") == location
    }


def _lines(names: Iterable[str], place: str, kind: str) -> list[str]:
    return [f"{place} has the {kind} {name}, which is not known to the model" for name in sorted(names)]
