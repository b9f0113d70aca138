"""A receiver of OpenLineage events on loopback, and the check of an event by the classes of OpenLineage's client."""

from __future__ import annotations

import builtins
import enum
import json
import types
import typing
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any, cast
from uuid import UUID

import attr
import jsonschema
from openlineage.client import facet_v2
from openlineage.client.event_v2 import RunEvent
from openlineage.client.facet_v2 import BaseFacet

# The names of facets and the objects that hold them, from OpenLineage's specification: a class does not know its name.
FACETS: dict[str, dict[str, str]] = {
    "run": {
        "parent": "ParentRunFacet",
        "processing_engine": "ProcessingEngineRunFacet",
        "externalQuery": "ExternalQueryRunFacet",
        "errorMessage": "ErrorMessageRunFacet",
        "tags": "TagsRunFacet",
    },
    "job": {"jobType": "JobTypeJobFacet", "sql": "SQLJobFacet"},
    "dataset": {
        "schema": "SchemaDatasetFacet",
        "symlinks": "SymlinksDatasetFacet",
        "catalog": "CatalogDatasetFacet",
        "columnLineage": "ColumnLineageDatasetFacet",
        "datasetType": "DatasetTypeDatasetFacet",
        "version": "DatasetVersionDatasetFacet",
        "lifecycleStateChange": "LifecycleStateChangeDatasetFacet",
        "dataQualityMetrics": "DataQualityMetricsDatasetFacet",
    },
    "input": {"dataQualityAssertions": "DataQualityAssertionsDatasetFacet"},
    "output": {"outputStatistics": "OutputStatisticsOutputDatasetFacet"},
}
JSON_TYPES: dict[Any, dict[str, Any]] = {
    Any: {},
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    type(None): {"type": "null"},
}


@dataclass
class LineageReceiver:
    """What arrived so far, and how the receiver answers.

    Attributes:
        status: The status of every answer.
        is_hanging: Whether it takes a request and never answers.
    """

    url: str = ""
    status: int = 200
    is_hanging: bool = False
    events: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    released: Event = field(default_factory=Event)

    def kinds(self) -> list[tuple[str, str]]:
        """Return the job and the type of every event that arrived."""
        return [(event["job"]["name"], event["eventType"]) for event in self.events]


@contextmanager
def lineage_receiver() -> Iterator[LineageReceiver]:
    """Yield a receiver that serves until the block ends."""
    receiver = LineageReceiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if receiver.is_hanging:
                receiver.released.wait()
                return
            receiver.paths.append(self.path)
            receiver.keys.append(self.headers.get("Authorization", ""))
            receiver.events.append(json.loads(body))
            self.send_response(receiver.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}"
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield receiver
    finally:
        receiver.released.set()
        server.shutdown()
        server.server_close()


def faults_of(document: dict[str, Any]) -> list[str]:
    """Return what is wrong with an event by the client's classes: fields, types, and the facets' names and places."""
    faults = _faults(document, RunEvent)
    UUID(document["run"]["runId"])
    datasets = [*document["inputs"], *document["outputs"]]
    holders = [("run", document["run"]["facets"]), ("job", document["job"]["facets"])]
    holders += [("dataset", dataset["facets"]) for dataset in datasets]
    holders += [("input", dataset["inputFacets"]) for dataset in document["inputs"]]
    holders += [("output", dataset["outputFacets"]) for dataset in document["outputs"]]
    for place, facets in holders:
        for name, facet in facets.items():
            facet_class = _facet_class(facet["_schemaURL"])
            if facet_class.__name__ != FACETS[place].get(name):
                faults.append(f"{place} has {name} as {facet_class.__name__}")
            faults += _faults(facet, facet_class)
    return faults


def _faults(document: object, described_by: type) -> list[str]:
    definitions: dict[str, Any] = {}
    schema = {**_schema_of(described_by, definitions), "$defs": definitions}
    validator = jsonschema.Draft202012Validator(schema)
    return [
        f"{described_by.__name__} {error.json_path}: {error.message}"
        for error in validator.iter_errors(document)
    ]


def _facet_class(url: str) -> type[BaseFacet]:
    modules = [value for value in vars(facet_v2).values() if isinstance(value, types.ModuleType)]
    classes = [each for module in modules for each in vars(module).values() if isinstance(each, type)]
    facets = [each for each in classes if issubclass(each, BaseFacet)]
    return next(each for each in facets if each._get_schema() == url)


def _schema_of(hint: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON Schema of a type of the client's classes; the classes themselves are added to `definitions`."""
    arguments = typing.get_args(hint)
    match typing.get_origin(hint):
        case typing.Union | types.UnionType:
            return {"anyOf": [_schema_of(each, definitions) for each in arguments]}
        case builtins.list:
            return {"type": "array", "items": _schema_of(arguments[0], definitions)}
        case builtins.dict:
            return {"type": "object", "additionalProperties": _schema_of(arguments[1], definitions)}
    if hint in JSON_TYPES:
        return JSON_TYPES[hint]
    if issubclass(hint, BaseFacet) and hint.__module__ == BaseFacet.__module__:
        return {"type": "object"}  # any facet: each is checked by its own class
    if issubclass(hint, enum.Enum):
        return {"enum": [each.value for each in hint]}
    name = f"{hint.__module__}.{hint.__name__}"
    if name not in definitions:
        definitions[name] = {}  # a class may hold others of itself
        definitions[name] |= _schema_of_class(hint, definitions)
    return {"$ref": f"#/$defs/{name}"}


def _schema_of_class(described: type, definitions: dict[str, Any]) -> dict[str, Any]:
    hints = typing.get_type_hints(described)
    fields = cast("tuple[attr.Attribute[Any], ...]", attr.fields(described))
    return {
        "type": "object",
        "properties": {each.name: _schema_of(hints[each.name], definitions) for each in fields},
        "required": [each.name for each in fields if each.default is attr.NOTHING],
        "additionalProperties": False,
    }
