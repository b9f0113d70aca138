"""Resources of Airbyte that a test makes over the API: definitions, sources, destinations and connections."""

from __future__ import annotations

import json
from typing import Any

from etltctl.local.services.airbyte.connections import WORKSPACE_ID
from etltctl.local.services.airbyte.endpoints import DEFAULT_STREAMS
from support.airbyte_server import Server

MANIFEST = {
    "version": "6.60.0",
    "type": "DeclarativeSource",
    "check": {"type": "CheckStream", "stream_names": ["races"]},
    "definitions": {"results": {"name": "results"}},
    "streams": [{"name": "races"}, {"$ref": "#/definitions/results"}],
    "spec": {
        "connection_specification": {
            "required": ["base_url"],
            "properties": {"base_url": {"type": "string"}, "token": {"airbyte_secret": True}},
        }
    },
}
DEFINITIONS = f"/workspaces/{WORKSPACE_ID}/definitions/declarative_sources"
MONGODB: dict[str, Any] = {
    "name": "mine",
    "workspaceId": WORKSPACE_ID,
    "configuration": {
        "sourceType": "mongodb-v2",
        "database_config": {
            "cluster_type": "SELF_MANAGED_REPLICA_SET",
            "connection_string": "mongodb://127.0.0.1:1/",
            "username": "me",
            "password": "s3cret",
            "databases": ["weather"],
        },
    },
}
BRONZE: dict[str, Any] = {
    "name": "bronze",
    "workspaceId": WORKSPACE_ID,
    "configuration": {
        "destinationType": "s3",
        "s3_bucket_name": "bronze",
        "s3_bucket_path": "f1",
        "s3_bucket_region": "eu-west-1",
        "access_key_id": "AKIA",
        "secret_access_key": "s3cret",
        "format": {"format_type": "Parquet", "compression_codec": "SNAPPY"},
    },
}
OF_FORMULA_1 = {**MANIFEST, "streams": [{"name": name} for name in DEFAULT_STREAMS]}


def create(server: Server, path: str, body: Any) -> dict[str, Any]:
    response = server.http.post(path, json=body)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def refused(server: Server, method: str, path: str, body: Any = None) -> str:
    response = server.http.request(method, path, json=body)
    assert response.headers["Content-Type"] == "application/json"
    problem = response.json()
    return f"{response.status_code} {problem['title']} {json.dumps(problem['data'])}"


def f1_connection(server: Server, manifest: Any = MANIFEST, **options: Any) -> dict[str, Any]:
    definition = create(server, DEFINITIONS, {"name": "f1", "manifest": manifest})
    source = create(
        server,
        "/sources",
        {
            "name": "f1",
            "workspaceId": WORKSPACE_ID,
            "definitionId": definition["id"],
            "configuration": {"base_url": "sample:", "token": "s3cret"},
        },
    )
    destination = create(server, "/destinations", BRONZE)
    streams = [{"name": "races", "syncMode": "full_refresh_overwrite"}, {"name": "results"}]
    body = {
        "name": "f1",
        "sourceId": source["sourceId"],
        "destinationId": destination["destinationId"],
        "namespaceDefinition": "source",
        "configurations": {"streams": streams},
    }
    return create(server, "/connections", {**body, **options})


def sync(server: Server, connection_id: str) -> dict[str, Any]:
    server.ids["made"] = connection_id
    return server.sync("made")
