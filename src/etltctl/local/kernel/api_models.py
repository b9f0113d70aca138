"""What botocore knows of AWS's services: which operation a request is for, its protocol, and whether its input fits."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from threading import RLock
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from etltctl.local.kernel.json_protocol import AwsError
from etltctl.local.kernel.signatures import read_credential

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

# moto's modules import each other in circles: imported by two threads at once, one gets half a module. Unpickling
# its records imports them too.
IMPORTING_MOTO = RLock()
READS = re.compile(
    r"(Get|List|Describe|BatchGet|Filter|Search|Lookup|Check)"
)  # operations that change nothing
CBOR_PATH = re.compile(r"/service/[^/]+/operation/([^/]+)")
# Services that sign with another name than the one of their model.
MODELS = {"monitoring": "cloudwatch", "tagging": "resourcegroupstaggingapi", "states": "stepfunctions"}
# The error of a member that is too long. Glue, SSM and CloudTrail answer ValidationException.
TOO_LONG = {
    "athena": "InvalidRequestException",
    "lakeformation": "InvalidInputException",
    "logs": "InvalidParameterException",
}
# A service of the future may take more than is known here, so a field that is not known is not a mistake.
NOT_MISTAKES = frozenset({"unknown field", "more than one input", "empty input"})


@dataclass(frozen=True)
class Addressed:
    """The service, the operation and the protocol of a request; empty where the request does not say."""

    service: str
    operation: str
    protocol: str


def signed_for(environ: WSGIEnvironment) -> str:
    """Return the service that the request is signed for, or an empty string."""
    credential = read_credential(environ)
    return credential.service if credential else ""


def addressed(environ: WSGIEnvironment, body: bytes) -> Addressed:
    """Return what a request to AWS is for; its body must have been read already."""
    service, path = signed_for(environ), environ["PATH_INFO"]
    # CBOR names the operation in the path and JSON in a header, so neither needs the body.
    if match := CBOR_PATH.fullmatch(path):
        return Addressed(service, match[1], "smithy-rpc-v2-cbor")
    if target := environ.get("HTTP_X_AMZ_TARGET", ""):
        return Addressed(service, target.rpartition(".")[2], "json")
    is_form = environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded")
    if is_form or _speaks_query(service):
        # By GET, and in a presigned call, the operation's name is in the query string.
        words = body.decode(errors="replace") if is_form and body else environ.get("QUERY_STRING", "")
        action = parse_qs(words, max_num_fields=100_000).get("Action", [""])[0]
        return Addressed(service, action, "ec2" if service == "ec2" else "query")
    return _addressed_by_path(service, environ)


def _speaks_query(service: str) -> bool:
    model = service_model(service)
    if model is None:
        return False
    return not {"query", "ec2"}.isdisjoint(model.metadata.get("protocols") or [model.metadata["protocol"]])


def _addressed_by_path(service: str, environ: WSGIEnvironment) -> Addressed:
    model = service_model(service)
    if model is None:
        return Addressed(service, "", "rest-json")
    method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"].rstrip("/") or "/"
    parameters = set(parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True))
    # Several operations of S3 share a method and a path: markers such as `?acl` distinguish them, so the most win.
    fitting = [
        (len(markers), name)
        for name, (verb, pattern, markers) in _paths(service).items()
        if verb == method and pattern.fullmatch(path) and markers <= parameters
    ]
    return Addressed(service, max(fitting)[1] if fitting else "", model.resolved_protocol)


@lru_cache
def _paths(service: str) -> dict[str, tuple[str, re.Pattern[str], set[str]]]:
    model, paths = service_model(service), {}
    for name in model.operation_names:
        http = model.operation_model(name).http
        path, _, query = http["requestUri"].partition("?")
        pattern = "".join(
            (".+" if part.endswith("+}") else "[^/]+") if part.startswith("{") else re.escape(part)
            for part in re.split(r"(\{[^}]+\})", path.rstrip("/") or "/")
        )
        paths[name] = (
            http["method"],
            re.compile(pattern),
            {pair.partition("=")[0] for pair in query.split("&") if pair},
        )
    return paths


@lru_cache
def service_model(service: str) -> Any:
    """Return botocore's model of the service that signs with this name; None if there is none."""
    from botocore.exceptions import BotoCoreError

    with IMPORTING_MOTO:
        from moto.core.utils import get_service_model  # keeps what it has loaded; moto needs the same models

    # The name comes from a header that proves nothing yet, and botocore makes a path of it.
    if not re.fullmatch(r"[a-z0-9-]+", service):
        return None
    try:
        return get_service_model(MODELS.get(service, service))
    except BotoCoreError:
        return None


def checked_input(request: Addressed, body: bytes) -> None:
    """Check that the body of a JSON request is what the operation takes.

    Raises:
        AwsError: `SerializationException` if it is not a JSON object, `ValidationException` if a member of it has
            a wrong type or is missing, the service's own error if one is too long.
    """
    from botocore.exceptions import BotoCoreError
    from botocore.validate import ParamValidator

    try:
        fields = json.loads(body or b"{}")
    except (ValueError, RecursionError) as error:
        raise AwsError("SerializationException", "the body of the request is not JSON") from error
    if not isinstance(fields, dict):
        raise AwsError("SerializationException", "the body of the request is not a JSON object")
    model = service_model(request.service)
    if model is None or request.operation not in model.operation_names:
        return
    shape = model.operation_model(request.operation).input_shape
    if shape is None:
        return
    try:
        report = ParamValidator().validate(fields, shape)
    # botocore's validator expects values of the right kind, and fails in many ways on others.
    except (BotoCoreError, ArithmeticError, LookupError, TypeError, ValueError, RecursionError) as error:
        raise AwsError("ValidationException", f"the input of {request.operation} is malformed") from error
    # botocore has no public way to leave single findings out.
    report._errors = [each for each in report._errors if each[0] not in NOT_MISTAKES]
    if report.has_errors():
        raise AwsError("ValidationException", report.generate_report()[:1000])
    if place_and_limit := next(_too_long(fields, shape, ""), None):
        place, limit = place_and_limit
        # botocore checks minima only. The sentence is AWS's own, which all of these services have.
        raise AwsError(
            TOO_LONG.get(request.service, "ValidationException"),
            f"1 validation error detected: Value at '{place}' failed to satisfy constraint: Member must have length "
            f"less than or equal to {limit}",
        )


def _too_long(value: Any, shape: Any, place: str) -> Iterator[tuple[str, int]]:
    """Yield the place of each text, list and map that is longer than the model allows, and what it allows."""
    kind, most = shape.type_name, shape.metadata.get("max")
    if kind in ("string", "list", "map") and most is not None and len(value) > most:
        yield place, most
    if kind == "structure":
        for name, item in value.items():
            if item is not None and name in shape.members:
                # AWS names a member as its services do inside, with a small letter first.
                inner = f"{name[:1].lower()}{name[1:]}"
                yield from _too_long(item, shape.members[name], f"{place}.{inner}" if place else inner)
    elif kind == "list":
        for number, item in enumerate(value, 1):
            yield from _too_long(item, shape.member, f"{place}.{number}.member")
    elif kind == "map":
        for key, item in value.items():
            yield from _too_long(key, shape.key, place)
            yield from _too_long(item, shape.value, f"{place}.{key}.member")
