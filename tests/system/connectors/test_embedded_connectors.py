"""The embedded Airbyte runs low-code manifests with Airbyte's own framework, in an environment that it makes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from etltctl.causes import Failure, Line, diagnose
from etltctl.local.services.airbyte.connections import stable_id
from etltctl.local.services.airbyte.endpoints import ENDPOINTS
from support.airbyte_server import api, connection
from support.connector_server import ConnectorServer
from support.paged_api import KEY, serve

pytestmark = pytest.mark.cdk
PROJECT = Path(__file__).parents[3]
F1 = PROJECT / "connectors" / "source-f1" / "manifest.yaml"
AIRBYTE = ("_airbyte_raw_id", "_airbyte_extracted_at", "_airbyte_meta", "_airbyte_generation_id")


def manifest(url: str, **changes: Any) -> dict[str, Any]:
    """Return a manifest of one stream that pages through the API at the address."""
    parameter = {"type": "RequestOption", "inject_into": "request_parameter"}
    stream = {
        "type": "DeclarativeStream", "name": "ships", "primary_key": ["id"],
        "retriever": {
            "type": "SimpleRetriever",
            "requester": {
                "type": "HttpRequester", "url_base": url, "path": "ships", "http_method": "GET",
                "authenticator": {
                    "type": "ApiKeyAuthenticator", "api_token": "{{ config['api_key'] }}",
                    "inject_into": {"type": "RequestOption", "inject_into": "header", "field_name": "X-Key"},
                },
            },
            "record_selector": {
                "type": "RecordSelector", "extractor": {"type": "DpathExtractor", "field_path": ["ships"]},
            },
            "paginator": {
                "type": "DefaultPaginator",
                "page_token_option": {**parameter, "field_name": "offset"},
                "page_size_option": {**parameter, "field_name": "limit"},
                "pagination_strategy": {"type": "OffsetIncrement", "page_size": 100},
            },
        },
        "schema_loader": {
            "type": "InlineSchemaLoader",
            "schema": {"type": "object", "properties": {
                "id": {"type": "integer"}, "name": {"type": "string"},
                "built": {"type": ["string", "null"], "format": "date"},
            }},
        },
    }  # fmt: skip
    return {
        "version": "6.60.0", "type": "DeclarativeSource", "check": {"type": "CheckStream", "stream_names": ["ships"]},
        "streams": [stream], "spec": {"type": "Spec", "connection_specification": {
            "type": "object", "required": ["api_key"],
            "properties": {"api_key": {"type": "string", "airbyte_secret": True}},
        }},
        **changes,
    }  # fmt: skip


@pytest.fixture
def url() -> Iterator[str]:
    with serve(rows=250) as address:
        yield address


def sync(server: ConnectorServer, folder: Path, content: Any, *streams: str, **config: Any) -> dict[str, Any]:
    file = folder / "manifest.yaml"
    file.write_text(content if isinstance(content, str) else json.dumps(content))
    names = list(streams) or ["ships"]
    source = {"manifest": str(file), "config": {"api_key": KEY, **config}, "streams": names}
    server.configure(connection("tiny", kind="airbyte", **source))
    return server.sync("tiny")


def test_a_manifest_pages_through_an_api_with_its_key(
    server: ConnectorServer, tmp_path: Path, url: str
) -> None:
    job = sync(server, tmp_path, manifest(url))
    assert (job["status"], job["rowsSynced"]) == ("succeeded", 250)
    rows = server.read()
    assert sorted(row["id"] for row in rows) == list(range(250))
    assert rows[0]["built"].isoformat() == "2001-02-03"
    assert KEY not in server.log


def test_a_wrong_key_is_named_without_showing_it(server: ConnectorServer, tmp_path: Path, url: str) -> None:
    job = sync(server, tmp_path, manifest(url), api_key="wr0ng-key")
    failure = job["etltctl_failure"]
    assert job["status"] == "failed"
    assert "check failed" in failure["message"]
    assert "wr0ng-key" not in json.dumps(failure) + server.log


def test_a_manifest_that_the_framework_refuses_fails_with_its_words(
    server: ConnectorServer, tmp_path: Path, url: str
) -> None:
    refused = manifest(url, check={"type": "NoSuchCheck"})
    message = sync(server, tmp_path, refused)["etltctl_failure"]["message"]
    assert message.startswith("the connector's check ")
    assert "NoSuchCheck" in message + server.log


def discover(server: ConnectorServer, folder: Path, content: Any, **config: Any) -> Any:
    """Return the API's answer to a call for the streams of a source with this manifest."""
    file = folder / "manifest.yaml"
    file.write_text(json.dumps(content))
    source = {"manifest": str(file), "config": {"api_key": KEY, **config}, "streams": ["ships"]}
    server.configure(connection("tiny", kind="airbyte", **source))
    ids = {"sourceId": stable_id("source", "tiny"), "destinationId": stable_id("destination", "tiny")}
    return server.http.get("/streams", params=ids).json()


def test_the_streams_of_a_manifest_are_listed_by_the_framework(
    server: ConnectorServer, tmp_path: Path, url: str
) -> None:
    (ships,) = discover(server, tmp_path, manifest(url))
    assert (ships["streamName"], ships["sourceDefinedPrimaryKey"]) == ("ships", [["id"]])
    assert ships["propertyFields"] == [["id"], ["name"], ["built"]]
    assert ships["syncModes"] == ["full_refresh_append", "full_refresh_overwrite"]


def test_a_wrong_key_and_a_refused_manifest_are_named_before_a_sync(
    server: ConnectorServer, tmp_path: Path, url: str
) -> None:
    refused = discover(server, tmp_path, manifest(url), api_key="wr0ng-key")["data"]["message"]
    assert "the connector's check failed" in refused
    assert "40" in refused, "the status of the API is in it, by which the cause is known"
    assert "wr0ng-key" not in refused
    broken = discover(server, tmp_path, manifest(url, check={"type": "NoSuchCheck"}))["data"]["message"]
    assert "the connector's check " in broken
    assert diagnose(Failure((Line(refused),), "Airbyte")).cause.code == "S104"


def test_files_that_are_no_manifest_are_refused_before_a_start(
    server: ConnectorServer, tmp_path: Path
) -> None:
    assert "cannot read" in sync(server, tmp_path, "a: [")["etltctl_failure"]["message"]
    assert "is not a low-code manifest" in sync(server, tmp_path, "- 1")["etltctl_failure"]["message"]


def test_a_missing_value_of_the_configuration_is_named(
    server: ConnectorServer, tmp_path: Path, url: str
) -> None:
    server.configure(
        connection(
            "tiny", kind="airbyte", manifest=str(tmp_path / "manifest.yaml"), config={}, streams=["ships"]
        )
    )
    (tmp_path / "manifest.yaml").write_text(json.dumps(manifest(url)))
    failure = server.sync("tiny")["etltctl_failure"]
    assert "api_key" in failure["message"]
    assert failure["kind"] == "config_error"


def test_a_definition_that_was_made_over_the_api_is_run_by_the_framework(
    server: ConnectorServer, tmp_path: Path, url: str
) -> None:
    def post(path: str, **body: Any) -> dict[str, Any]:
        answer = server.http.post(path, json=body)
        assert answer.is_success, answer.text
        return dict(answer.json())

    of_settings = manifest(url)
    referred = {**of_settings, "streams": ["#/definitions/streams/ships"]}
    referred["definitions"] = {"streams": {"ships": of_settings["streams"][0]}}
    workspace = server.http.get("/workspaces").json()["data"][0]["workspaceId"]
    definition = post(
        f"/workspaces/{workspace}/definitions/declarative_sources", name="ships", manifest=referred
    )
    source = post("/sources", name="ships", workspaceId=workspace, definitionId=definition["id"],
                  configuration={"api_key": KEY})  # fmt: skip
    place = {"s3_bucket_name": "bronze", "s3_bucket_path": "made", "s3_bucket_region": "us-east-1"}
    target = post("/destinations", name="ships", workspaceId=workspace,
                  configuration={"destinationType": "s3", **place, "format": {"format_type": "Parquet"}})  # fmt: skip
    linked = post("/connections", sourceId=source["sourceId"], destinationId=target["destinationId"],
                namespaceDefinition="source", configurations={"streams": [{"name": "ships"}]})  # fmt: skip
    server.ids["made"] = linked["connectionId"]
    job = server.sync("made")
    assert (job["status"], job["rowsSynced"]) == ("succeeded", 250), job
    assert len(server.read("made/ships/")) == 250


def test_the_formula_1_manifest_gives_the_rows_of_the_built_in_extractor(server: ConnectorServer) -> None:
    names = [name for name in ENDPOINTS if name != "laps"]
    fast = {"requests_per_second": 10_000, "requests_per_hour": 1_000_000}
    config = {"base_url": f"{server.base_url}/sample/ergast/f1", "seasons": [2099], **fast}
    server.configure(
        api("api", "sample:", *names),
        connection("tiny", kind="airbyte", manifest=str(F1), config=config, streams=names),
    )
    assert server.sync("api")["status"] == "succeeded"
    assert server.sync("tiny")["status"] == "succeeded"
    for name in names:
        ours, theirs = (_comparable(server.read(f"{source}/{name}/")) for source in ("api", "tiny"))
        assert ours, name
        assert ours == theirs, name


def _comparable(rows: list[dict[str, Any]]) -> list[str]:
    """Return the rows without what Airbyte adds; the order of pages is the connector's own."""
    return sorted(
        json.dumps({k: v for k, v in row.items() if k not in AIRBYTE}, sort_keys=True) for row in rows
    )
