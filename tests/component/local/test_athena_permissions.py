"""Statements that write, in the name of a role: Lake Formation's permissions on sources and targets."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from support.governed import GovernedLake, arn
from support.publisher import Publisher, governed_by_iam

OPERATOR = {"DataLakePrincipalIdentifier": arn("operator")}
EVERYBODY = {"DataLakePrincipalIdentifier": "IAM_ALLOWED_PRINCIPALS"}
RESULTS = "s3://pi-m3-athena-results/permissions/"


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GovernedLake]:
    """Yield a lake with the table `gold.t`, on which only its owner has a permission."""
    for lake in governed_by_iam(tmp_path_factory.mktemp("lake")):
        storage = {"Columns": [{"Name": "n", "Type": "int"}], "Location": "s3://pi-m3-gold/t/"}
        lake.client("glue").create_table(
            DatabaseName="gold", TableInput={"Name": "t", "StorageDescriptor": storage}
        )
        lake.client("lakeformation").revoke_permissions(
            Principal=EVERYBODY, Resource=table("t"), Permissions=["ALL"]
        )
        yield lake


def table(name: str) -> dict[str, Any]:
    return {"Table": {"DatabaseName": "gold", "Name": name}}


def state_of(lake: GovernedLake, sql: str) -> tuple[str, str]:
    """Return how a statement of the operator ended, and why."""
    athena = Publisher.of(lake).client("athena")
    started = athena.start_query_execution(QueryString=sql, ResultConfiguration={"OutputLocation": RESULTS})
    while True:
        answer = athena.get_query_execution(QueryExecutionId=started["QueryExecutionId"])
        status = answer["QueryExecution"]["Status"]
        if status["State"] not in ("QUEUED", "RUNNING"):
            return status["State"], status.get("StateChangeReason", "")
        time.sleep(0.05)


def test_an_insert_needs_the_permission_to_insert(lake: GovernedLake) -> None:
    formation = lake.client("lakeformation")
    sql = "INSERT INTO gold.t VALUES 1"
    formation.grant_permissions(Principal=OPERATOR, Resource=table("t"), Permissions=["SELECT"])
    state, reason = state_of(lake, sql)
    assert (state, "Required Insert on t" in reason) == ("FAILED", True)
    assert "Contents" not in lake.client("s3").list_objects_v2(Bucket="pi-m3-gold", Prefix="t/")
    formation.grant_permissions(Principal=OPERATOR, Resource=table("t"), Permissions=["INSERT"])
    assert state_of(lake, sql) == ("SUCCEEDED", "")
    formation.revoke_permissions(Principal=OPERATOR, Resource=table("t"), Permissions=["SELECT", "INSERT"])


@pytest.mark.parametrize(
    "sql", ["CREATE TABLE gold.copied AS SELECT n FROM gold.t", "INSERT INTO gold.u SELECT n FROM gold.t"]
)
def test_a_source_must_be_one_that_the_caller_may_read(lake: GovernedLake, sql: str) -> None:
    state, reason = state_of(lake, "CREATE TABLE IF NOT EXISTS gold.u AS SELECT 1 AS n")
    assert state == "SUCCEEDED", reason
    state, reason = state_of(lake, sql)
    assert (state, "Required Select on gold.t" in reason) == ("FAILED", True)
    tables = lake.client("glue").get_tables(DatabaseName="gold")["TableList"]
    assert "copied" not in [one["Name"] for one in tables]
