"""Statements that the embedded Athena does not model are refused by their whole name."""

from __future__ import annotations

import time

import pytest

from support.served import Served


@pytest.mark.parametrize(
    ("sql", "name"),
    [
        ("MERGE INTO copied USING other ON true WHEN MATCHED THEN DELETE", "MERGE"),
        ("DELETE FROM copied", "DELETE"),
        ("SHOW FUNCTIONS", "SHOW FUNCTIONS"),
    ],
)
def test_a_refusal_names_the_statement(server: Served, sql: str, name: str) -> None:
    athena = server.client("athena")
    server.client("s3").create_bucket(Bucket="statements")
    place = {"OutputLocation": "s3://statements/q/"}
    query_id = athena.start_query_execution(QueryString=sql, ResultConfiguration=place)["QueryExecutionId"]
    while True:
        status = athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]["Status"]
        if status["State"] not in ("QUEUED", "RUNNING"):
            break
        time.sleep(0.05)
    assert status["StateChangeReason"].endswith(f"the embedded Athena does not model {name}")
