"""Airbyte's published API as a witness: the models of its official SDK check what is asked and what is answered."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

LOG = logging.getLogger(__name__)
# Airbyte's address ends differently: `/v1` in its cloud, `/api/public/v1` in an installation.
BASE = re.compile(r"^.*/v1(?=/|$)")
# The SDK has no models for these: it signs in by a hook, and health is a line of text.
NOT_MODELLED = frozenset({("POST", "/applications/token"), ("GET", "/health")})
EMBEDDED_ONLY = "etltctl_"  # the beginning of fields that the embedded server adds, by its documentation
# Fields that the published description requires and the SDK's model, made from it, lacks.
DESCRIBED = {"CreateDeclarativeSourceDefinitionRequest": frozenset({"workspaceId"})}


@dataclass(frozen=True)
class Call:
    """A call of the published API with the SDK's models: of its answer or its list's elements, body and query."""

    method: str
    path: str
    answer: str = ""
    request: str = ""
    query: str = ""
    is_bare_list: bool = False  # whether the answer is the list itself, and not an object that holds it


def _resource(name: str) -> tuple[Call, ...]:
    kind, one, title = f"/{name}s", f"/{name}s/ID", name.capitalize()
    answer = f"{title}Response"
    calls = (
        Call("GET", kind, answer, query=f"List{title}sRequest"),
        Call("POST", kind, answer, f"{title}CreateRequest"),
        Call("GET", one, answer),
        Call("PATCH", one, answer, f"{title}PatchRequest"),
        Call("DELETE", one),
    )
    return calls if name == "connection" else (*calls, Call("PUT", one, answer, f"{title}PutRequest"))


DEFINITIONS = "/workspaces/ID/definitions/declarative_sources"
DEFINITION = "DeclarativeSourceDefinitionResponse"
CALLS = (
    Call("GET", "/jobs", "JobResponse", query="ListJobsRequest"),
    Call("POST", "/jobs", "JobResponse", "JobCreateRequest"),
    Call("GET", "/jobs/ID", "JobResponse"),
    Call("DELETE", "/jobs/ID", "JobResponse"),
    Call("GET", "/streams", "StreamProperties", query="GetStreamPropertiesRequest", is_bare_list=True),
    Call("GET", "/workspaces", "WorkspaceResponse", query="ListWorkspacesRequest"),
    Call("GET", "/workspaces/ID", "WorkspaceResponse"),
    *_resource("source"),
    *_resource("destination"),
    *_resource("connection"),
    Call("GET", DEFINITIONS, DEFINITION, query="ListDeclarativeSourceDefinitionsRequest"),
    Call("POST", DEFINITIONS, DEFINITION, "CreateDeclarativeSourceDefinitionRequest"),
    Call("GET", f"{DEFINITIONS}/ID", DEFINITION),
    Call("PUT", f"{DEFINITIONS}/ID", DEFINITION, "UpdateDeclarativeSourceDefinitionRequest"),
    Call("DELETE", f"{DEFINITIONS}/ID", DEFINITION),
)
# Lists are checked element by element, so that a violation names its place.
LISTS = frozenset(call.path for call in CALLS if call.method == "GET" and not call.path.endswith("/ID"))


def check_airbyte(
    method: str, path: str, request: object | None, status: int, answer: object | None
) -> list[str]:
    """Compare one exchange with Airbyte's published API.

    Args:
        method: The HTTP method.
        path: The path, below the API's base or with it, and the query if there is one.
        request: The body of the request as JSON, or None.
        status: The status of the answer. A refusal is not checked: the request may be wrong on purpose.
        answer: The body of the answer as JSON, or None.

    Returns:
        The differences from the published API, one sentence each.

    Raises:
        ModuleNotFoundError: The SDK is not installed; see `has_sdk`.
    """
    place, _, query = BASE.sub("", path).partition("?")
    place = f"/{place.strip('/')}"
    if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES or (method, place) in NOT_MODELLED:
        return []
    call = next((call for call in CALLS if call.method == method and _matches(call.path, place)), None)
    if call is None:
        return [f"{method} {place} is not a call of the published API"]
    return [
        *(f"request {text}" for text in _check_query(call, query)),
        *(f"request {text}" for text in _check_body(call, request)),
        *(f"answer {text}" for text in _check_answer(call, answer)),
    ]


@cache
def has_sdk() -> bool:
    """Return whether Airbyte's SDK, a development dependency, is installed."""
    from importlib.util import find_spec

    if find_spec("airbyte_api") is None:
        LOG.warning("calls of Airbyte are not checked: its SDK, the package airbyte-api, is not installed")
        return False
    return True


def _matches(pattern: str, place: str) -> bool:
    return re.fullmatch(pattern.replace("ID", "[^/]+"), place) is not None


def _check_query(call: Call, query: str) -> Iterator[str]:
    from airbyte_api import api

    fields = getattr(api, call.query).model_fields if call.query else {}
    known = {
        field.alias or name
        for name, field in fields.items()
        if any(getattr(each, "query", None) for each in field.metadata)
    }
    names = parse_qs(query, keep_blank_values=True)
    yield from (f"has the unknown parameter {name}" for name in names if name not in known)


def _check_body(call: Call, body: Any) -> Iterator[str]:
    if not call.request:
        return
    yield from _check_object(call.request, body, is_partial=call.method == "PATCH")
    # The description requires neither, but the server cannot tell a connector without one of them.
    kinds = {"/sources": "sourceType", "/destinations": "destinationType"}
    if call.method == "POST" and call.path in kinds and isinstance(body, Mapping):
        configuration = body.get("configuration")
        is_typed = isinstance(configuration, Mapping) and configuration.get(kinds[call.path])
        if not is_typed and not body.get("definitionId"):
            yield f"has neither configuration.{kinds[call.path]} nor definitionId"


def _check_answer(call: Call, answer: Any) -> Iterator[str]:
    if not call.answer:
        if answer not in (None, "", b""):
            yield "has a body where the published API has none"
        return
    if call.method != "GET" or call.path not in LISTS:
        yield from _check_object(call.answer, answer)
        return
    if call.is_bare_list:
        if not isinstance(answer, list):
            yield "is not a list"
            return
        for number, element in enumerate(answer):
            yield from (f"{number}.{text}" for text in _check_object(call.answer, element))
        return
    if not isinstance(answer, Mapping) or not isinstance(answer.get("data"), list):
        yield "is not an object with the list data"
        return
    unknown = sorted(answer.keys() - {"data", "next", "previous"})
    yield from (f"{name}: is not in the published API" for name in unknown)
    for number, element in enumerate(answer["data"]):
        yield from (f"data.{number}.{text}" for text in _check_object(call.answer, element))


def _check_object(name: str, value: Any, *, is_partial: bool = False) -> Iterator[str]:
    """Check an object and, of a source or destination, its configuration with the model of its connector."""
    yield from _violations(_model(name), value)
    if not isinstance(value, Mapping) or not isinstance(value.get("configuration"), Mapping):
        return
    kind = "Source" if name.startswith("Source") else "Destination"
    field = f"{kind.lower()}Type"
    connector = value["configuration"].get(field) or value.get(field)
    if not connector:
        return  # a connector that is the user's own: the published API knows nothing of its configuration
    # `mongodb-v2` is `SourceMongodbV2` in the SDK.
    title = kind + "".join(part.capitalize() for part in re.split("[-_]", str(connector)))
    model = _model(title)
    if model is None:
        yield f"configuration: the published API has no {kind.lower()} of type {connector}"
        return
    for text in _violations(model, value["configuration"], is_partial=is_partial):
        yield f"configuration.{text}"


@cache
def _model(name: str) -> Any:
    """Return a model of the SDK, or None. A `configuration` is checked apart: it is one of 600 connectors' models."""
    import pydantic
    from airbyte_api import models

    model = getattr(models, name, None)
    if model is None or "configuration" not in model.model_fields:
        return model
    default = ... if model.model_fields["configuration"].is_required() else None
    return pydantic.create_model(name, __base__=model, configuration=(Any, default))


def _violations(model: Any, value: Any, *, is_partial: bool = False) -> Iterator[str]:
    from pydantic import ValidationError

    try:
        # From JSON and strict, or pydantic would turn a text of digits into a number.
        parsed = model.model_validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        for each in error.errors():
            if not (is_partial and each["type"] == "missing"):  # what a change leaves out stays as it is
                yield f"{'.'.join(map(str, each['loc'])) or 'body'}: {each['msg']}"
        return
    allowed = DESCRIBED.get(model.__name__, frozenset())
    # The models ignore fields that they do not have, so these are searched for afterwards.
    for path in _unknown(parsed, value, ""):
        if path not in allowed and not path.rpartition(".")[2].startswith(EMBEDDED_ONLY):
            yield f"{path}: is not in the published API"


def _unknown(parsed: Any, value: Any, place: str) -> Iterator[str]:
    """Yield the places of fields that the models parsed the value without."""
    if isinstance(parsed, list) and isinstance(value, list):
        for number, (inner, element) in enumerate(zip(parsed, value, strict=True)):
            yield from _unknown(inner, element, f"{place}{number}.")
    fields = getattr(type(parsed), "model_fields", None)
    if fields is None or not isinstance(value, Mapping):
        return
    names = {field.alias or name: name for name, field in fields.items()}
    if parsed.model_config.get("extra") != "allow":
        yield from (f"{place}{name}" for name in value if name not in names)
    for alias, name in names.items():
        if alias in value:
            yield from _unknown(getattr(parsed, name), value[alias], f"{place}{alias}.")
