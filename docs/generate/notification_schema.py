"""The published JSON Schema of the document that a webhook gets about the end of a run."""

from __future__ import annotations

from typing import Any

from etltctl.observers.notifications import SCHEMA
from etltctl.settings.schema import DIALECT

TEXT: dict[str, Any] = {"type": "string"}
OUTCOMES = ["succeeded", "recovered", "failed", "unverified", "interrupted", "detached"]


def notification_schema(time: dict[str, Any]) -> dict[str, Any]:
    """Return the schema. Fields may be added, so readers ignore what they do not know.

    Args:
        time: The schema of a time.
    """
    failure = {
        "step": {**TEXT, "description": "kind:name; empty if the run failed outside its steps"},
        "code": {**TEXT, "description": "the code of the cause, such as G117; or empty"},
        "cause": {**TEXT, "description": "the cause in one sentence, with its code"},
        "proof": {**TEXT, "description": "the line that shows it; or empty"},
        "next": {**TEXT, "description": "the next safe command"},
    }
    fields = {
        "schema": {"const": SCHEMA},
        "id": {
            **TEXT,
            "description": "the same for each delivery of one end, so that a repeated one can be dropped",
        },
        "outcome": {"enum": OUTCOMES},
        "pipeline": TEXT,
        "run_id": TEXT,
        "env": TEXT,
        "project": TEXT,
        "started": time,
        "finished": time,
        "seconds": {"type": "number", "minimum": 0},
        "usd": {"type": ["number", "null"], "description": "null if the environment bills nothing"},
        "failure": {
            "anyOf": [
                {"type": "null"},
                {"type": "object", "properties": failure, "required": list(failure)},
            ],
            "description": "null if the run did not fail",
        },
        "is_test": {"type": "boolean", "description": "whether `etltctl notify test` sent it, and no run"},
        "link": {**TEXT, "description": "the address of the settings; or empty"},
        "text": {**TEXT, "description": "the same for a person"},
    }
    return {
        "$schema": DIALECT,
        "title": f"The end of a run, {SCHEMA}",
        "type": "object",
        "properties": fields,
        "required": list(fields),
    }
