"""Syncs of real connectors: each test's connector is a process that speaks the Airbyte protocol."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from datetime import time as time_of_day
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from support.connector_server import ConnectorServer
from support.tiny_connector import error, record, status, stream

TEXT = {"type": ["null", "string"]}


def failure(job: dict[str, Any]) -> tuple[str, str]:
    assert job["status"] == "failed", job
    return job["etltctl_failure"]["message"], job["etltctl_failure"]["kind"]


def test_records_land_in_a_table_for_each_stream(server: ConnectorServer) -> None:
    script = [record("ports", id=7), {"records": ["ships", 3]}, record("ports", id=8)]
    job = server.run(script, [stream("ships"), stream("ports")])
    assert (job["status"], job["rowsSynced"]) == ("succeeded", 5)
    assert [row["id"] for row in server.read()] == [0, 1, 2]
    assert [row["id"] for row in server.read("tiny/ports/")] == [7, 8]
    # The time at which the connector read the record, not that of its arrival.
    assert {row["_airbyte_extracted_at"] for row in server.read()} == {1_700_000_000_000}
    assert not server.private, "the configuration is gone with the sync"


def test_columns_have_the_types_that_airbyte_writes(server: ConnectorServer) -> None:
    properties = {
        "name": TEXT,
        "load": {"type": "number"},
        "whole": {"type": "number", "airbyte_type": "integer"},
        "afloat": {"type": "boolean"},
        "built": {"type": "string", "format": "date"},
        "bell": {"type": "string", "format": "time", "airbyte_type": "time_without_timezone"},
        "seen": {"type": "string", "format": "date-time"},
        "free": {"type": "object"},
        "home": {"type": "object", "properties": {"port": TEXT, "berth": {"type": "integer"}}},
        "holds": {"type": "array", "items": {"type": "integer"}},
        "mixed": {"type": ["string", "integer", "null"]},
    }
    values = {
        "name": "Ada", "load": 2.5, "whole": 4, "afloat": True, "built": "1999-12-31", "bell": "08:30:00",
        "seen": "2024-01-02T03:04:05+01:00", "free": {"b": [1]}, "home": {"port": "Rotterdam", "berth": 3},
        "holds": [1, None, 3], "mixed": 5,
    }  # fmt: skip
    assert (
        server.run([record("ships", id=1, **values)], [stream("ships", **properties)])["status"]
        == "succeeded"
    )
    (row,) = server.read()
    assert row["seen"] == datetime(2024, 1, 2, 2, 4, 5, tzinfo=UTC)
    assert (row["built"], row["bell"]) == (date(1999, 12, 31), time_of_day(8, 30))
    assert (row["free"], row["home"]) == ('{"b":[1]}', {"port": "Rotterdam", "berth": 3})
    assert row["holds"] == [1, None, 3]
    assert row["mixed"] == {"type": "integer", "string": None, "integer": 5}
    schema = pq.read_schema(server.lake.path("bronze", server.files()[0]))
    assert schema.field("seen").type == pa.timestamp("us", "UTC")
    assert schema.field("whole").type == pa.int64()


def test_a_union_may_be_null_wherever_it_is(server: ConnectorServer) -> None:
    mixed = {"type": ["string", "integer", "null"]}
    inner = {"type": "array", "items": {"type": "object", "properties": {"mixed": mixed}}}
    script = [record("ships", id=1, list=[{"mixed": None}, None]), record("ships", id=2, mixed="x")]
    assert server.run(script, [stream("ships", mixed=mixed, list=inner)])["status"] == "succeeded"
    rows = server.read()
    assert [row["mixed"] for row in rows] == [None, {"type": "string", "string": "x", "integer": None}]
    assert [row["list"] for row in rows] == [[{"mixed": None}, None], None]


def test_a_value_against_the_schema_is_null_and_named(server: ConnectorServer) -> None:
    properties = {
        "built": {"type": "string", "format": "date"},
        "home": {"type": "object", "properties": {"n": {"type": "integer"}}},
    }
    server.run(
        [record("ships", id="x", built="soon", home={"n": "many"}, extra=1)], [stream("ships", **properties)]
    )
    (row,) = server.read()
    assert (row["id"], row["built"], row["home"]) == (None, None, {"n": None})
    assert [(each["field"], each["change"]) for each in row["_airbyte_meta"]["changes"]] == [
        ("id", "NULLED"), ("built", "NULLED"), ("home.n", "NULLED")
    ]  # fmt: skip
    assert "extra" not in row, "like Airbyte, what no column is declared for is left out"


def test_what_the_connector_changed_in_a_record_stays_on_record(server: ConnectorServer) -> None:
    changed = record("ships", id=1)
    change = {"field": "name", "change": "NULLED", "reason": "SOURCE_FIELD_SIZE_LIMITATION"}
    changed["record"]["meta"] = {"changes": [change]}
    server.run([changed])
    assert server.read()[0]["_airbyte_meta"]["changes"] == [change]


def test_lines_that_are_no_messages_are_lines_of_the_log(server: ConnectorServer) -> None:
    script = [
        {"raw": "hello, not JSON"},
        {"raw": '{"type": "OTHER"}'},
        {"raw": "[1]"},
        {"stderr": "a warning"},
    ]
    job = server.run([*script, record("ships", id=1)])
    assert (job["status"], job["rowsSynced"]) == ("succeeded", 1)
    assert all(text in server.log for text in ("hello, not JSON", '"OTHER"', "STDERR a warning"))


def test_states_of_a_full_refresh_are_left_out(server: ConnectorServer) -> None:
    content = {"stream_descriptor": {"name": "ships"}, "stream_state": {"id": 1}}
    script = [record("ships", id=1), {"type": "STATE", "state": {"type": "STREAM", "stream": content}}]
    assert server.run(script)["rowsSynced"] == 1


def test_an_error_of_the_connector_names_stream_and_reason(server: ConnectorServer) -> None:
    server.run([{"records": ["ships", 2]}])
    before = server.files()
    script = [{"records": ["ships", 1]}, error("the API refused the key", stream="ships"), {"exit": 1}]
    message, kind = failure(server.run(script))
    assert message.startswith(
        "stream ships, after 1 records: the API refused the key; the connector's log is "
    )
    assert kind == "config_error"
    assert set(before) <= set(server.files()), "the files of the last good sync stay"


def test_an_exit_in_mid_stream_fails_the_sync(server: ConnectorServer) -> None:
    message, kind = failure(server.run([{"records": ["ships", 5]}, {"stderr": "out of paint"}, {"exit": 3}]))
    assert message.startswith(
        "stream ships, after 5 records: the connector ended with exit code 3: out of paint"
    )
    assert kind == "system_error"


def test_a_stream_that_is_not_said_to_be_complete_fails_the_sync(server: ConnectorServer) -> None:
    message, _ = failure(server.run([status("ships", "STARTED"), {"records": ["ships", 2]}]))
    assert message.startswith(
        "stream ships, after 2 records: the connector ended without having read it to its end"
    )


def test_an_incomplete_stream_is_named_also_when_another_is_read(server: ConnectorServer) -> None:
    script = [
        {"records": ["ships", 1]},
        status("ports", "INCOMPLETE"),
        error("no such port", "transient_error"),
        {"exit": 1},
    ]
    message, kind = failure(server.run(script, [stream("ships"), stream("ports")]))
    assert message.startswith("stream ports: no such port")
    assert kind == "transient_error"


def test_a_record_without_data_fails_the_sync(server: ConnectorServer) -> None:
    message, _ = failure(server.run([{"type": "RECORD", "record": {"stream": "ships"}}]))
    assert "stream ships, after 0 records: a message of type RECORD has another shape" in message


def test_a_record_after_the_end_of_its_stream_fails_the_sync(server: ConnectorServer) -> None:
    script = [status("ships", "COMPLETE"), record("ports", id=1), record("ships", id=2)]
    message, _ = failure(server.run(script, [stream("ships"), stream("ports")]))
    assert message.startswith("stream ships: a record came after")


def test_a_failed_check_gives_the_reason(server: ConnectorServer) -> None:
    content = {"type": "CONNECTION_STATUS", "connectionStatus": {"status": "FAILED", "message": "wrong key"}}
    message, kind = failure(server.run([], config={"check": [content]}))
    assert message.startswith("the connector's check failed: wrong key")
    assert kind == "config_error"


def test_a_check_that_prints_no_answer_is_named(server: ConnectorServer) -> None:
    message, _ = failure(server.run([], config={"check": [{"exit": 4}]}))
    assert message.startswith("the connector's check ended with exit code 4 and gave no reason")


def test_an_unknown_stream_is_refused_with_a_guess(server: ConnectorServer) -> None:
    assert (
        failure(server.run([], names=["ship"]))[0] == "the connector has no stream ship; did you mean ships?"
    )
    assert failure(server.run([], names=["oxen"]))[0] == "the connector has no stream oxen; it has: ships"


def test_a_namespace_must_be_the_one_that_bronze_is_read_from(server: ConnectorServer) -> None:
    of_public = [{**stream("ships"), "namespace": "public"}]
    message, _ = failure(server.run([{"records": ["ships", 1]}], of_public))
    assert message.endswith('set namespace = "public" for the source')
    content = record("ships", id=1)
    content["record"]["namespace"] = "public"
    assert server.run([content], of_public, namespace="public")["status"] == "succeeded"
    assert server.files()[0].startswith("tiny/public/ships/")


def test_two_fields_of_one_name_within_an_object_are_refused(server: ConnectorServer) -> None:
    home = {"type": "object", "properties": {"a b": TEXT, "a_b": TEXT}}
    message, _ = failure(server.run([], [stream("ships", home=home)]))
    assert message.startswith("ships.home: the fields 'a b' and 'a_b' would both become the column a_b")


def test_an_empty_stream_succeeds(server: ConnectorServer) -> None:
    assert server.run([status("ships", "STARTED"), status("ships", "COMPLETE")])["rowsSynced"] == 0


def test_the_api_shows_the_configuration_without_its_secrets(server: ConnectorServer) -> None:
    server.run(
        [],
        config={"api_key": "k3y-of-ships", "url": "http://me:pw12@host/", "plain": "x"},
        secrets=["plain-no"],
    )
    configuration = server.http.get("/sources").json()["data"][0]["configuration"]
    assert (configuration["api_key"], configuration["url"], configuration["plain"]) == (
        "**********",
        "**********",
        "x",
    )
    assert "k3y-of-ships" not in json.dumps(configuration)
