"""A receiver of OpenLineage events on loopback, and the check of an event by the classes of OpenLineage's client."""

from __future__ import annotations

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
JSON_TYPES = {str: str, bool: bool, int: int, float: (int, float)}


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
    faults = list(_unfit(document, RunEvent, "$"))
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
            faults += _unfit(facet, facet_class, f"$.{place}.{name}")
    return faults


def _facet_class(url: str) -> type[BaseFacet]:
    modules = [value for value in vars(facet_v2).values() if isinstance(value, types.ModuleType)]
    classes = [each for module in modules for each in vars(module).values() if isinstance(each, type)]
    facets = [each for each in classes if issubclass(each, BaseFacet)]
    return next(each for each in facets if each._get_schema() == url)


def _unfit(value: Any, hint: Any, place: str) -> Iterator[str]:
    """Yield each part of a JSON value that a type does not allow."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return
    if origin in (typing.Union, types.UnionType):
        results = [list(_unfit(value, each, place)) for each in arguments]
        yield from min(results, key=len)
    elif hint is type(None):
        if value is not None:
            yield f"{place} is {value!r}"
    elif origin is list:
        if not isinstance(value, list):
            yield f"{place} is no list"
            return
        for number, each in enumerate(value):
            yield from _unfit(each, arguments[0], f"{place}[{number}]")
    elif origin is dict:
        if not isinstance(value, dict):
            yield f"{place} is no object"
            return
        # The facets of an object are checked by their own classes.
        if not (isinstance(arguments[1], type) and issubclass(arguments[1], BaseFacet)):
            for name, each in value.items():
                yield from _unfit(each, arguments[1], f"{place}.{name}")
    elif isinstance(hint, type) and issubclass(hint, enum.Enum):
        if value not in [each.value for each in hint]:
            yield f"{place} is {value!r}"
    elif attr.has(hint):
        yield from _unfit_object(value, hint, place)
    elif not isinstance(value, JSON_TYPES[hint]) or (isinstance(value, bool) and hint is not bool):
        yield f"{place} is {value!r}, not {hint.__name__}"


def _unfit_object(value: Any, hint: Any, place: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{place} is no object"
        return
    hints = typing.get_type_hints(hint)
    fields = {each.name: each for each in cast("tuple[attr.Attribute[Any], ...]", attr.fields(hint))}
    yield from (f"{place} has the unknown {name}" for name in value.keys() - fields.keys())
    for name, each in fields.items():
        if name in value:
            yield from _unfit(value[name], hints[name], f"{place}.{name}")
        elif each.default is attr.NOTHING:
            yield f"{place} lacks {name}"
