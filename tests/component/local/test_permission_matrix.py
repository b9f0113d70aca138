"""What each permission of Lake Formation lets a role do and see, through every front door of the catalog."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from botocore.exceptions import ClientError

from support.governed import GovernedLake, arn
from support.publisher import Publisher, governed_by_iam
from support.served import wait_until

OPERATOR = {"DataLakePrincipalIdentifier": arn("operator")}
EVERYBODY = {"DataLakePrincipalIdentifier": "IAM_ALLOWED_PRINCIPALS"}
CATALOG: dict[str, Any] = {"Catalog": {}}
DATABASE = {"Database": {"Name": "shut"}}
TABLE = {"Table": {"DatabaseName": "shut", "Name": "t"}}
COLUMN = {"TableWithColumns": {"DatabaseName": "shut", "Name": "t", "ColumnNames": ["id"]}}
REFUSED = "AccessDeniedException: Insufficient Lake Formation permission(s): "
WRITES = {
    "CREATE TABLE shut.made AS SELECT 1 AS a": (DATABASE, "CREATE_TABLE", "Required Create Table on shut"),
    "INSERT INTO shut.t SELECT 2, 'b'": (TABLE, "INSERT", "Required Insert on t"),
    "ALTER TABLE shut.t ADD COLUMNS (more int)": (TABLE, "ALTER", "Required Alter on t"),
    "DROP TABLE shut.t": (TABLE, "DROP", "Required Drop on t"),
    "DROP VIEW shut.v": (
        {"Table": {"DatabaseName": "shut", "Name": "v"}},
        "DROP",
        "Required Drop on v",
    ),
}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GovernedLake]:
    yield from governed_by_iam(tmp_path_factory.mktemp("lake"))


@pytest.fixture
def shut(lake: GovernedLake) -> Iterator[GovernedLake]:
    """A database `shut` with a table `t` and a view `v`, on which only the owner has a permission."""
    athena = lake.client("athena")
    for sql in (
        "CREATE DATABASE shut",
        "CREATE TABLE shut.t AS SELECT 1 AS id, 'a' AS secret",
        "CREATE VIEW shut.v AS SELECT 1 AS a",
    ):
        assert run(athena, sql)[1] == ""
    for resource in (DATABASE, TABLE, {"Table": {"DatabaseName": "shut", "Name": "v"}}):
        move(lake, "revoke_permissions", EVERYBODY, resource, "ALL")
    yield lake
    run(athena, "DROP DATABASE IF EXISTS shut CASCADE")


def move(
    lake: GovernedLake, call: str, who: dict[str, str], resource: dict[str, Any], permission: str
) -> None:
    formation = lake.client("lakeformation")
    with suppress(formation.exceptions.InvalidInputException):  # it had none
        getattr(formation, call)(Principal=who, Resource=resource, Permissions=[permission])


def grant(lake: GovernedLake, resource: dict[str, Any], permission: str) -> None:
    move(lake, "grant_permissions", OPERATOR, resource, permission)


def run(athena: Any, sql: str) -> tuple[str, str]:
    """Return the id of a statement after its end, and why it failed."""
    query = athena.start_query_execution(QueryString=sql, WorkGroup="pi-m3")["QueryExecutionId"]

    def status() -> dict[str, Any]:
        answer: dict[str, Any] = athena.get_query_execution(QueryExecutionId=query)["QueryExecution"]
        return dict(answer["Status"])

    wait_until(lambda: status()["State"] not in {"QUEUED", "RUNNING"})
    return query, status().get("StateChangeReason", "")


def rows(athena: Any, sql: str) -> set[str]:
    query, reason = run(athena, sql)
    assert reason == ""
    answer = athena.get_query_results(QueryExecutionId=query)["ResultSet"]["Rows"]
    return {row["Data"][0]["VarCharValue"].strip() for row in answer}


def objects(lake: GovernedLake) -> set[tuple[str, str]]:
    """Return bucket and key of every object."""
    s3 = lake.client("s3")
    buckets = [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]
    return {
        (bucket, one["Key"])
        for bucket in buckets
        for one in s3.list_objects_v2(Bucket=bucket).get("Contents", [])
    }


def databases(role: Publisher | GovernedLake) -> list[bool]:
    """Return whether each listing of databases has `shut`."""
    athena, glue = role.client("athena"), role.client("glue")
    described = athena.list_databases(CatalogName="AwsDataCatalog")["DatabaseList"]
    return [
        "shut" in names
        for names in (
            rows(athena, "SHOW DATABASES"),
            rows(athena, "SELECT schema_name FROM information_schema.schemata"),
            {one["Name"] for one in described},
            {one["Name"] for one in glue.get_databases()["DatabaseList"]},
        )
    ]


def tables(role: Publisher | GovernedLake) -> list[bool]:
    """Return whether each listing of tables has `shut.t`."""
    athena, glue = role.client("athena"), role.client("glue")
    metadata = athena.list_table_metadata(CatalogName="AwsDataCatalog", DatabaseName="shut")
    in_schema = "SELECT table_name FROM information_schema.{} WHERE table_schema = 'shut'"
    return [
        "t" in names
        for names in (
            rows(athena, "SHOW TABLES IN shut"),
            rows(athena, in_schema.format("tables")),
            rows(athena, in_schema.format("columns")),
            {one["Name"] for one in metadata["TableMetadataList"]},
            {one["Name"] for one in glue.get_tables(DatabaseName="shut")["TableList"]},
            {one["Name"] for one in glue.search_tables(SearchText="t")["TableList"]},
        )
    ]


@pytest.mark.parametrize(
    ("resource", "permission", "shows_table"),
    [(DATABASE, "DESCRIBE", False), (DATABASE, "CREATE_TABLE", False), (TABLE, "DESCRIBE", True),
     (TABLE, "INSERT", True), (TABLE, "SELECT", True), (COLUMN, "SELECT", True)],
)  # fmt: skip
def test_every_listing_shows_what_the_role_holds_a_permission_on(
    shut: GovernedLake, resource: dict[str, Any], permission: str, shows_table: bool
) -> None:
    role = Publisher.of(shut)
    assert not any(databases(role))
    assert not any(tables(role))
    grant(shut, resource, permission)
    assert all(databases(role))
    assert set(tables(role)) == {shows_table}


def test_the_owner_s_listings_show_everything(shut: GovernedLake) -> None:
    assert all(databases(shut))
    assert all(tables(shut))


@pytest.mark.parametrize("sql", WRITES)
def test_a_change_needs_its_own_permission_and_no_other_one_does(shut: GovernedLake, sql: str) -> None:
    resource, permission, required = WRITES[sql]
    athena = Publisher.of(shut).client("athena")
    for other in {"DESCRIBE", "ALTER", "DROP", "INSERT"} - {permission}:
        if resource is not DATABASE:
            grant(shut, resource, other)
    before = objects(shut)
    assert run(athena, sql)[1] == f"{REFUSED}{required}"
    assert objects(shut) == before
    grant(shut, resource, permission)
    assert run(athena, sql)[1] == ""


def test_a_database_is_made_by_those_who_may(shut: GovernedLake) -> None:
    role = Publisher.of(shut)
    assert run(role.client("athena"), "CREATE DATABASE first")[1] == ""  # a new account lets everybody
    move(shut, "revoke_permissions", EVERYBODY, CATALOG, "CREATE_DATABASE")
    for word in ("DATABASE", "SCHEMA"):
        reason = run(role.client("athena"), f"CREATE {word} second")[1]
        assert reason == f"{REFUSED}Required Create Database on Catalog"
    with pytest.raises(ClientError, match="Required Create Database on Catalog"):
        role.client("glue").create_database(DatabaseInput={"Name": "second"})
    grant(shut, CATALOG, "CREATE_DATABASE")
    assert run(role.client("athena"), "CREATE SCHEMA second")[1] == ""
    assert "second" in rows(role.client("athena"), "SHOW SCHEMAS")
