"""Calls to AWS's services and their answers, checked against the service models that botocore ships."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl
from xml.etree import ElementTree

from etltctl.local.kernel.api_models import READS, checked_input, service_model
from etltctl.local.kernel.json_protocol import AwsError
from etltctl.local.witness.allowed import is_allowed, undeclared_code
from etltctl.local.witness.messages import Answer, Request
from etltctl.local.witness.reading import Reader
from etltctl.local.witness.rest import find_operation, unknown_headers, unknown_parameters, uri_values
from etltctl.local.witness.shapes import violations_of

READ_PROTOCOLS = frozenset({"json", "rest-json", "rest-xml", "query", "ec2"})


@dataclass(frozen=True)
class Checked:
    """The verdict on one call: which operation it was, what was wrong with it, and what could not be checked.

    `unread` names patterns that Python cannot read; `unchecked` says why the whole call was not checked.
    """

    service: str
    operation: str
    violations: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()
    unchecked: str = ""


def check_change(request: Request) -> Checked:
    """Compare a call that changes records with the service's model, before the server carries it out.

    Otherwise the server would keep a record that the model does not allow, and refuse every later read of it.
    Not judged here are reads, calls to S3, and inputs that the server itself refuses as malformed.
    """
    operation, checked = _find(request)
    is_read = request.method in ("GET", "HEAD") or READS.match(checked.operation)
    # S3 has its own checks of what it stores, and bodies that are not read here.
    if operation is None or is_read or request.is_s3:
        return checked
    unread = set[str]()
    reader, value = _read_input(operation, request)
    # Left to the service: its own refusal names the mistake in the words that clients expect.
    if _is_malformed(request, operation, value):
        return checked
    return _verdict(checked, _wrong_in_input(reader, value, operation, unread), unread)


def check_aws(request: Request, answer: Answer) -> Checked:
    """Compare a call and its answer with the service's model.

    Of a call that the server refuses, only the error code is compared: tests and users make wrong calls, and a refusal
    is right then.
    """
    operation, checked = _find(request)
    if operation is None:
        return checked
    if answer.is_refusal:
        code = undeclared_code(operation, request.addressed.protocol, answer)
        texts = [f"the error code {code} is not one that the operation declares"] if code else []
        return _verdict(checked, texts, set())
    if answer.status >= HTTPStatus.MULTIPLE_CHOICES:  # S3's words for an object that has not changed
        return checked
    unread = set[str]()
    texts = [
        *_wrong_in_input(*_read_input(operation, request), operation, unread),
        *_wrong_in_answer(operation, request, answer, unread),
    ]
    return _verdict(checked, texts, unread)


def _find(request: Request) -> tuple[Any, Checked]:
    """Return the operation, None if its calls cannot be checked, and a verdict without violations."""
    service, protocol = request.addressed.service, request.addressed.protocol
    model = service_model(service)
    name = request.addressed.operation or (find_operation(service, request) if model else "")
    if model is None or name not in model.operation_names:
        return None, Checked(service, name, unchecked="botocore has no model of this call")
    if protocol not in READ_PROTOCOLS:
        return None, Checked(service, name, unchecked=f"the protocol {protocol}")
    return model.operation_model(name), Checked(service, name)


def _verdict(checked: Checked, texts: Iterable[str], unread: set[str]) -> Checked:
    service, name = checked.service, checked.operation
    violations = tuple(text for text in texts if not is_allowed(service, name, text))
    return Checked(service, name, violations, tuple(sorted(unread)))


def _is_malformed(request: Request, operation: Any, value: Any) -> bool:
    """Return whether an input is not JSON, has a member of a wrong type, or lacks one."""
    is_json = request.addressed.protocol == "json"
    # The check knows JSON only, so other protocols' inputs are written as such.
    body = request.body or b"" if is_json else json.dumps(value, default=str).encode()
    try:
        checked_input(replace(request.addressed, operation=operation.name), body)
    except AwsError:
        return True
    return False


def _read_input(operation: Any, request: Request) -> tuple[Reader, Any]:
    reader, shape = Reader(is_ec2=request.addressed.protocol == "ec2"), operation.input_shape
    body = request.body or b""
    match request.addressed.protocol:
        case "json":
            return reader, reader.json(body, shape, "input") if shape is not None else {}
        case "query" | "ec2":
            # By GET, and in a presigned call, the form is the query.
            text = body.decode(errors="replace") or request.query
            return reader, reader.form(text, shape, "input")
        case protocol:
            return reader, _rest_input(reader, operation, request, protocol)


def _wrong_in_input(reader: Reader, value: Any, operation: Any, unread: set[str]) -> Iterator[str]:
    yield from reader.problems
    if operation.input_shape is not None:
        yield from violations_of(value, operation.input_shape, "input", unread)


def _rest_input(reader: Reader, operation: Any, request: Request, protocol: str) -> dict[str, Any]:
    """Return the input of a REST call, whose members are in its path, query, headers and body."""
    shape = operation.input_shape
    reader.problems += unknown_parameters(operation, request)
    reader.problems += unknown_headers(operation, shape, request.headers, "input")
    if shape is None:
        return {}
    value = {**uri_values(operation, request.path), **reader.headers(request.headers, shape)}
    stated = dict(parse_qsl(request.query, keep_blank_values=True))
    for name, member in shape.members.items():
        key = member.serialization.get("name", name)
        if member.serialization.get("location") == "querystring" and key in stated:
            value[name] = reader.text(stated[key], member, name)
    return value | _rest_body(reader, shape, request.body or b"", protocol, "input")


def _wrong_in_answer(operation: Any, request: Request, answer: Answer, unread: set[str]) -> Iterator[str]:
    reader, shape = Reader(), operation.output_shape
    if shape is None:
        return
    value: Any
    match request.addressed.protocol:
        case "json":
            value = reader.json(answer.body or b"", shape, "output")
        case "query" | "ec2":
            value = _wrapped(reader, shape, answer.body or b"")
        case protocol:
            reader.problems += unknown_headers(operation, shape, answer.headers, "output")
            value = reader.headers(answer.headers, shape)
            if request.method != "HEAD":
                value |= _rest_body(reader, shape, answer.body or b"", protocol, "output")
    if reader.problems == [IS_ERROR]:
        return
    yield from reader.problems
    yield from violations_of(value, shape, "output", unread)


IS_ERROR = "an error"


def _wrapped(reader: Reader, shape: Any, body: bytes) -> Any:
    """Return the result in an answer of the query protocol."""
    root = _parsed(reader, body, "output")
    if root is None:
        return {}
    if wrapper := shape.serialization.get("resultWrapper"):
        result = next((child for child in root if child.tag.rpartition("}")[2] == wrapper), None)
        if result is None:
            reader.problems.append(f"output has no {wrapper}")
            return {}
        return reader.xml(result, shape, "output")
    # A copy, because children are removed meanwhile.
    for child in list(root):
        if child.tag.rpartition("}")[2] in ("ResponseMetadata", "requestId", "RequestId"):
            root.remove(child)
    return reader.xml(root, shape, "output")


def _rest_body(reader: Reader, shape: Any, body: bytes, protocol: str, place: str) -> dict[str, Any]:
    """Return the members of a REST message that are in its body."""
    payload = shape.serialization.get("payload")
    if payload:
        member = shape.members[payload]
        # A blob or a stream is the body itself, in no format.
        if member.type_name != "structure" or getattr(member, "is_eventstream", False):
            return {payload: body.decode(errors="replace")} if body else {}
        if not body:
            return {}
        return {payload: _document(reader, member, body, protocol, f"{place}.{payload}")}
    if shape.name == "GetBucketLocationOutput":  # its one member is the text of the root element
        return {}
    members: Any = _document(reader, _in_body(shape), body, protocol, place) if body else {}
    return dict(members) if isinstance(members, dict) else {}


def _document(reader: Reader, shape: Any, body: bytes, protocol: str, place: str) -> Any:
    if protocol == "rest-json":
        return reader.json(body, shape, place)
    root = _parsed(reader, body, place)
    if root is None:
        return {}
    if root.tag == "Error":  # S3 fails so after the head of its answer is sent
        reader.problems[:] = [IS_ERROR]
        return {}
    return reader.xml(root, shape, place)


@dataclass(frozen=True)
class _InBody:
    """A structure without the members that are elsewhere than in the body."""

    members: dict[str, Any]
    type_name: str = "structure"
    is_document_type: bool = False


def _in_body(shape: Any) -> _InBody:
    inside = {name: each for name, each in shape.members.items() if "location" not in each.serialization}
    return _InBody(inside)


def _parsed(reader: Reader, body: bytes, place: str) -> ElementTree.Element | None:
    try:
        return ElementTree.fromstring(body)
    except ElementTree.ParseError:
        reader.problems.append(f"{place} is not XML")
        return None
