"""Statements of a role whose permissions Lake Formation knows: each needs the one of the change that it makes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from support.governed import GovernedLake, arn
from support.publisher import Publisher, governed_by_iam
from support.served import wait_until

OPERATOR = {"DataLakePrincipalIdentifier": arn("operator")}
EVERYBODY = {"DataLakePrincipalIdentifier": "IAM_ALLOWED_PRINCIPALS"}
DATABASE = {"Database": {"Name": "lent"}}
TABLE = {"Table": {"DatabaseName": "lent", "Name": "t"}}
REFUSED = "AccessDeniedException: Insufficient Lake Formation permission(s): "


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GovernedLake]:
    yield from governed_by_iam(tmp_path_factory.mktemp("lake"))


@pytest.fixture
def lent(lake: GovernedLake) -> Iterator[GovernedLake]:
    """A database `lent` with a partitioned table `t`, on which only the owner has a permission."""
    for sql in (
        "CREATE DATABASE lent",
        "CREATE EXTERNAL TABLE t (id int, secret string) PARTITIONED BY (day string) LOCATION 's3://pi-m3-silver/t/'",
        "ALTER TABLE t ADD PARTITION (day = '1')",
    ):
        assert run(lake.client("athena"), sql)[1] == ""
    formation = lake.client("lakeformation")
    for resource in (DATABASE, TABLE):
        with suppress(formation.exceptions.InvalidInputException):  # there was none
            formation.revoke_permissions(Principal=EVERYBODY, Resource=resource, Permissions=["ALL"])
    yield lake
    run(lake.client("athena"), "DROP DATABASE IF EXISTS lent CASCADE")


def run(athena: Any, sql: str) -> tuple[str, str]:
    """Return the state of a statement after its end, and why it failed."""
    query = athena.start_query_execution(
        QueryString=sql, WorkGroup="pi-m3", QueryExecutionContext={"Database": "lent"}
    )["QueryExecutionId"]

    def status() -> dict[str, Any]:
        answer: dict[str, Any] = athena.get_query_execution(QueryExecutionId=query)["QueryExecution"][
            "Status"
        ]
        return answer

    wait_until(lambda: status()["State"] not in {"QUEUED", "RUNNING"})
    return status()["State"], status().get("StateChangeReason", "")


def grant(lake: GovernedLake, resource: dict[str, Any], permission: str) -> None:
    lake.client("lakeformation").grant_permissions(
        Principal=OPERATOR, Resource=resource, Permissions=[permission]
    )


@pytest.mark.parametrize(
    ("sql", "resource", "permission", "required"),
    [
        ("CREATE EXTERNAL TABLE new (id int) LOCATION 's3://pi-m3-silver/new/'", DATABASE, "CREATE_TABLE",
         "Required Create Table on lent"),
        ("ALTER DATABASE lent SET DBPROPERTIES ('a' = 'b')", DATABASE, "ALTER", "Required Alter on lent"),
        ("ALTER TABLE t ADD COLUMNS (more int)", TABLE, "ALTER", "Required Alter on t"),
        ("ALTER TABLE t ADD PARTITION (day = '2')", TABLE, "ALTER", "Required Alter on t"),
        ("ALTER TABLE t DROP PARTITION (day = '1')", TABLE, "ALTER", "Required Alter on t"),
        ("DROP TABLE t", TABLE, "DROP", "Required Drop on t"),
    ],
)  # fmt: skip
def test_a_statement_needs_the_permission_of_its_change(
    lent: GovernedLake, sql: str, resource: dict[str, Any], permission: str, required: str
) -> None:
    athena = Publisher.of(lent).client("athena")
    if permission == "ALTER" and resource is TABLE:
        grant(lent, TABLE, "DESCRIBE")  # without it the table is not there at all
    assert run(athena, sql) == ("FAILED", f"{REFUSED}{required}")
    grant(lent, resource, permission)
    assert run(athena, sql) == ("SUCCEEDED", "")


def test_a_refused_cascade_drops_nothing(lent: GovernedLake) -> None:
    athena = Publisher.of(lent).client("athena")
    assert run(athena, "DROP DATABASE lent CASCADE") == ("FAILED", f"{REFUSED}Required Drop on t")
    grant(lent, TABLE, "DROP")
    assert run(athena, "DROP DATABASE lent CASCADE")[1] == f"{REFUSED}Required Drop on lent"


@pytest.mark.parametrize(
    "sql",
    ["DESCRIBE t", "SHOW CREATE TABLE t", "SHOW PARTITIONS t", "SHOW TBLPROPERTIES t", "SHOW COLUMNS IN t"],
)
def test_a_table_is_not_there_for_a_role_that_may_not_describe_it(lent: GovernedLake, sql: str) -> None:
    athena = Publisher.of(lent).client("athena")
    assert run(athena, sql)[1] == "FAILED: SemanticException [Error 10001]: Table not found lent.t"
    grant(lent, TABLE, "DESCRIBE")
    assert run(athena, sql) == ("SUCCEEDED", "")


def test_lists_show_the_columns_and_tables_that_a_role_is_granted_and_no_other(lent: GovernedLake) -> None:
    def rows(sql: str) -> list[str]:
        athena = Publisher.of(lent).client("athena")
        query = athena.start_query_execution(
            QueryString=sql, WorkGroup="pi-m3", QueryExecutionContext={"Database": "lent"}
        )["QueryExecutionId"]

        def state() -> str:
            execution = athena.get_query_execution(QueryExecutionId=query)["QueryExecution"]
            return str(execution["Status"]["State"])

        wait_until(lambda: state() == "SUCCEEDED")
        answer = athena.get_query_results(QueryExecutionId=query)["ResultSet"]["Rows"]
        return [row["Data"][0]["VarCharValue"].strip() for row in answer]

    columns = "SELECT column_name FROM information_schema.columns WHERE table_schema = 'lent' ORDER BY 1"
    assert rows("SHOW TABLES") == []
    assert rows(columns) == ["column_name"]
    grant(
        lent,
        {"TableWithColumns": {"DatabaseName": "lent", "Name": "t", "ColumnNames": ["id", "day"]}},
        "SELECT",
    )
    assert rows("SHOW TABLES") == ["t"]
    assert rows("SHOW COLUMNS IN t") == ["id", "day"]
    assert rows(columns) == ["column_name", "day", "id"]
