"""The shapes of the results of commands, by the name in their field `schema`.

Only what every result of a kind has is named without `?`. Fields may be added, so that none is excluded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

LIST: dict[str, Any] = {"type": "array"}
TEXTS: dict[str, Any] = {"type": "array", "items": {"type": "string"}}
TABLE: dict[str, Any] = {"type": "object"}
STEP = {"step": "text", "verb": "text", "remote_id": "text", "seconds": "number"}
STEP_OBJECTS = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"step": {"type": "string"}, "verb": {"type": "string"}, "seconds": {"type": "number"}},
        "required": list(STEP),
    },
}
DRIFT = {"table": "text"}

# Results of rows: the fields of a row, then the fields next to `rows`.
ROWS: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {
    "athena-refresh": ({"table": "text", "change": "text", "rows": "count or null"}, {}),
    "backfill": (
        {
            "chunk": "text", "run": "text", "outcome": "text", "rows": "count or null", "seconds": "number",
            "usd": "number", "error": "text",
        },
        {
            "backfill": "text", "pipeline": "text", "env": "text", "outcome": "text", "total_seconds": "number",
            "total_usd": "number",
        },
    ),
    "backfill-plan": (
        {"chunk": "text", "run": {"type": ["string", "null"]}, "seasons read": "count"},
        {
            "pipeline": "text", "env": "text", "source": "text", "held": LIST, "seconds": "number or null",
            "usd": "number or null",
        },
    ),
    "config": ({"setting": "text", "origin": "text", "value": {}}, {}),
    "contract-accept": (DRIFT, {}),
    "contract-diff": (DRIFT, {}),
    "cost": (
        {
            "env": "text", "billed": "count", "usd": "number", "basis": {"enum": ["actual", "estimated"]},
            "job runs": "count", "queries": "count", "pipeline?": "text", "step?": "text", "day?": "text",
        },
        {"total_usd": "number"},
    ),
    "describe": ({"part": "text", "name": "text", "type": "text", "description": "text"}, {}),
    "doctor": ({"area": "text", "subject": "text", "status": "text", "evidence": "text", "fix": "text"}, {}),
    "events": ({"ts": "time", "seq": "count", "run_id": "text", "step": "text", "type": "text"}, {}),
    "govern-audit": (
        {
            "at": "time", "principal": "text", "table": "text", "service": "text", "permissions": "text",
            "outcome": "text",
        },
        {},
    ),
    "govern-who": ({"principal": "text", "columns": "text", "rows": "text", "through": "text"}, {"table": "text"}),
    "infra-plan": ({}, {"stack": "text", "new": "flag"}),
    "notify-test": ({"receiver": "text", "kind": "text", "result": "text"}, {}),
    "query": (
        {},
        {
            "query_id": "text", "verb": "text", "columns": LIST, "scanned_bytes": "count", "duration_ms": "count",
            "cost_usd": "number", "affected_rows?": "count",
        },
    ),
    "runs": (
        {
            "run": "text", "pipeline": "text", "started": "time or empty", "outcome": "text",
            "seconds": "number or null", "failed at": "text", "stopped at": "text",
        },
        {},
    ),
    "runs-cancel": (
        {"service": "text", "name": "text", "remote run": "text", "found": "text", "done": "text"}, {},
    ),
    "runs-logs": ({"ts": "time", "group": "text", "stream": "text", "text": "text"}, {}),
    "runs-rebuild": ({"run": "text", "pipeline": "text", "remote runs": "count"}, {}),
    "source-discover": (
        {
            "stream": "text", "status": {"enum": ["selected", "available", "missing"]}, "sync_modes": "text",
            "cursor": "text", "primary_key": "text", "fields": "count or null",
        },
        {},
    ),
    "tables": (
        {
            "layer": "text", "table": "text", "rows": "count or null", "version": "text",
            "published": {"type": ["string", "null"]},
        },
        {},
    ),
}  # fmt: skip

# Results of one document.
DOCUMENTS: Mapping[str, Mapping[str, Any]] = {
    "config-validate": {"valid": "flag", "env": "text", "warnings": TEXTS},
    "connections-apply": {},
    "connections-export": {},
    "connections-plan": {},
    "dbt-profile": {"profile": TABLE},
    "govern-apply": {"changes": "count"},
    "govern-plan": {},
    "infra-deploy": {},
    "infra-destroy": {},
    "infra-destroy-plan": {},
    "infra-export": {"template": "text"},
    "infra-test-alarm": {},
    "init": {"folder": "text", "files": TEXTS},
    "local": {"running": "flag", "url?": "text", "pid?": "count", "ends_at?": {"type": ["string", "null"]}},
    "local-env": {"environ": TABLE, "unset": TEXTS},
    "rollback": {"table": "text", "version": "text", "rows": "count or null"},
    "run": {
        "run_id": "text", "pipeline": "text", "env": "text", "outcome": "text", "seconds": "number",
        "steps": STEP_OBJECTS,
    },
    "run-glue": STEP,
    "source-add": {"source": "text", "files": TEXTS},
    "source-check": {"source": "text", "credentials_checked": "flag", "streams": TEXTS, "selected": TEXTS},
    "sync": STEP,
    "runs-lineage": {"run": "text", "sent": "count", "events": LIST},
    "runs-report": {"run": "text", "path": "text", "bytes": "count", "plots": "count", "usd": "number"},
    "tableau-export": {
        "file": "text", "table": "text", "version": "text", "rows": "count", "bytes": "count", "columns": TABLE,
    },
    "tableau-publish": {"id": "text", "name": "text", "project": "text"},
    "tableau-refresh": {"verb": "text", "job": "text", "state": "text"},
    "tableau-template": {"file": "text", "changes": LIST},
    "why": {"run_id": "text", "outcome": "text", "next_steps": TEXTS, "cause": {"type": ["object", "null"]}},
    "why-code": {
        "code": "text", "title": "text", "sentence": "text", "fix": "text", "retry": "text", "exit_code": "count",
        "settings": TEXTS, "searched": TEXTS, "page": "text",
    },
}  # fmt: skip
