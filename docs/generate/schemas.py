"""The published JSON Schemas: of the settings, of a run's events, of the results of commands and of errors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from etltctl import errors
from etltctl.console.error_documents import code_of
from etltctl.errors import EtltctlError, ExitCode
from etltctl.settings.schema import DIALECT, settings_schema
from generate.notification_schema import notification_schema
from generate.result_shapes import DOCUMENTS, ROWS

FOLDER = Path("docs", "reference", "schemas")
Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
NUMBER: Schema = {"type": "number", "minimum": 0}
TIME: Schema = {
    "type": "string",
    "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(\+00:00|Z)$",
    "description": "ISO 8601 in UTC",
}
PUBLISHED: Schema = {
    "type": "object",
    "properties": {
        "change": TEXT,
        "rows": COUNT,
        "version": TEXT,
        "files": COUNT,
        "bytes": COUNT,
        "rules": {"type": "array", "items": TEXT, "description": "the rules that the audit evaluated"},
    },
    "required": ["change"],
}
# What an event of each type has next to the facts of all events; the name of a fact that older events lack ends with
# `?`. Others may be added, so readers ignore them.
EVENTS: Mapping[str, Schema] = {
    "run.started": {"pipeline": TEXT, "steps": {"type": "array", "items": TEXT}},
    "run.options": {"options": {"type": "object"}},
    "run.finished": {
        "outcome": {"enum": ["succeeded", "failed", "unverified", "interrupted", "detached"]},
        "seconds": NUMBER,
    },
    "preflight.skipped": {"reason": TEXT},
    "step.planned": {},
    "step.progress": {"remote_id": TEXT, "state": TEXT},
    "step.finished": {"outcome": TEXT},
    "remote.intended": {},
    "remote.started": {"remote_id": TEXT, "state": TEXT},
    "remote.adopted": {"remote_id": TEXT, "state": TEXT},
    "remote.reused": {"remote_id": TEXT, "state": TEXT},
    "remote.stopping": {"remote_id": TEXT, "stopped_by": TEXT},
    "remote.stopped": {"remote_id": TEXT, "stopped_by": TEXT},
    "remote.detached": {"remote_id": TEXT, "detached_by": TEXT},
    "query.started": {"remote_id": TEXT, "state": TEXT},
    "query.adopted": {"remote_id": TEXT, "state": TEXT},
    "query.reused": {"remote_id": TEXT, "state": TEXT},
    "cost.estimate": {"usd": NUMBER},
    "step.inputs": {
        "files": COUNT,
        "everything?": TEXT,
        "base?": TEXT,
        "new_files?": COUNT,
        "touched?": COUNT,
    },
    "cost.actual": {"usd": NUMBER},
    "verify.result": {"proven": {"type": "boolean"}},
    "check.result": {"table": TEXT, "name?": TEXT, "rule": TEXT, "reaction": TEXT},
    "publish.switched": {"tables?": {"type": "object", "additionalProperties": PUBLISHED}},
    "warning.degraded": {"message": TEXT},
}


def schema_files() -> dict[Path, str]:
    """Return the text of every published schema by its file."""
    schemas = {
        "settings": settings_schema(),
        "events": events_schema(),
        "results": results_schema(),
        "error": error_schema(),
        "notification": notification_schema(TIME),
    }
    return {
        FOLDER / f"{name}.json": json.dumps(schema, indent=2, ensure_ascii=False) + "\n"
        for name, schema in schemas.items()
    }


def events_schema() -> Schema:
    """Return the schema of a line of a run's stream: the line that names its version, or an event."""
    common = {
        "ts": TIME,
        "seq": {"type": "integer", "minimum": 1},
        "run_id": TEXT,
        "step": {"type": "string", "description": "kind:name; empty for an event of the whole run"},
        "env": TEXT,
        "type": {"type": "string", "description": "ignore a type that you do not know"},
    }
    by_type = [
        {
            "if": {"properties": {"type": {"const": name}}, "required": ["type"]},
            "then": {
                "properties": {fact.removesuffix("?"): schema for fact, schema in facts.items()},
                "required": [fact for fact in facts if not fact.endswith("?")],
            },
        }
        for name, facts in EVENTS.items()
    ]
    version = {
        "properties": {"type": {"const": "version"}, "schema": {"pattern": r"^etltctl\.events/1\.\d+$"}},
        "required": ["type", "schema"],
    }
    return {
        "$schema": DIALECT,
        "title": "A line of a run's events, etltctl.events/1",
        "type": "object",
        "if": {"properties": {"type": {"const": "version"}}, "required": ["type"]},
        "then": version,
        "else": {"properties": common, "required": list(common), "allOf": by_type},
    }


def results_schema() -> Schema:
    """Return the schema of the documents that commands print with `-o json`, chosen by their field `schema`."""
    shapes = {**{name: _of_rows(*shape) for name, shape in ROWS.items()}, **DOCUMENTS}
    definitions = {
        name: _object(shape, schema={"const": f"etltctl.{name}/1"}) for name, shape in shapes.items()
    }
    cases = [
        {
            "if": {"properties": {"schema": {"const": f"etltctl.{name}/1"}}, "required": ["schema"]},
            "then": {"$ref": f"#/$defs/{name}"},
        }
        for name in definitions
    ]
    return {
        "$schema": DIALECT,
        "title": "The result of a command with -o json",
        "type": "object",
        "properties": {"schema": {"enum": [f"etltctl.{name}/1" for name in definitions]}},
        "required": ["schema"],
        "allOf": cases,
        "$defs": definitions,
    }


def error_schema() -> Schema:
    """Return the schema of the object on stderr of a command that failed under `-o json` or `-o ndjson`."""
    classes = [
        kind.__name__
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, EtltctlError)
    ]
    failures = [code for code in ExitCode if code not in (ExitCode.OK, ExitCode.CHANGES)]
    fields = {
        "schema": {"const": "etltctl.error/1"},
        "code": {"enum": [code_of(code) for code in failures], "description": "the word for the exit code"},
        "service_code": {"type": "string", "description": "the service's own word for the error; or empty"},
        "class": {"type": "string", "examples": classes, "description": "the class in the Python API"},
        "message": {"type": "string", "description": "what happened, and to what"},
        "problems": {
            "type": "array",
            "items": TEXT,
            "description": "each problem of the settings, with its place",
        },
        "facts": {"type": "object", "description": "ids, names and places, by name"},
        "next": {
            "type": "object",
            "description": "what to do next",
            "properties": {
                "text": TEXT,
                "commands": {
                    "type": "array",
                    "description": "the commands in the text, each as its list of arguments",
                    "items": {"type": "array", "items": TEXT, "minItems": 2},
                },
            },
            "required": ["text", "commands"],
        },
        "exit_code": {"enum": [int(code) for code in failures]},
        "traceback": {"type": "string", "description": "with -vv alone"},
    }
    return {
        "$schema": DIALECT,
        "title": "A failure, etltctl.error/1",
        "type": "object",
        "properties": fields,
        "required": [name for name in fields if name != "traceback"],
    }


def _of_rows(columns: Mapping[str, Any], facts: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**facts, "rows": {"type": "array", "items": _object(columns)}}


def _object(shape: Mapping[str, Any], **fixed: Any) -> Schema:
    """Return the schema of an object; the name of a field that is not always there ends with `?`."""
    properties = {**fixed, **{name.removesuffix("?"): _value(kind) for name, kind in shape.items()}}
    needed = [*fixed, *(name for name in shape if not name.endswith("?"))]
    return {"type": "object", "properties": properties, "required": needed}


def _value(kind: Any) -> Schema:
    """Return the schema of a value: `text`, `text or null`, a time, or a schema as it is."""
    if not isinstance(kind, str):
        return dict(kind)
    if kind == "time":
        return TIME
    if kind == "time or empty":
        return {"anyOf": [TIME, {"const": ""}]}
    names = {"text": "string", "count": "integer", "number": "number", "flag": "boolean", "null": "null"}
    types = [names.get(word, word) for word in kind.split(" or ")]
    return {"type": types[0] if len(types) == 1 else types}
