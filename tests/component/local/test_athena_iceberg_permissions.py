"""Lake Formation's permissions and filters on tables of Iceberg."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from support.governed import ACCOUNT, GovernedLake, arn
from support.publisher import Publisher, governed_by_iam

pytest.importorskip("pyiceberg")
OPERATOR = {"DataLakePrincipalIdentifier": arn("operator")}
EVERYBODY = {"DataLakePrincipalIdentifier": "IAM_ALLOWED_PRINCIPALS"}
RESULTS = {"OutputLocation": "s3://pi-m3-athena-results/iceberg/"}
TABLE = {"Table": {"DatabaseName": "gold", "Name": "ice"}}


def ended(athena: Any, sql: str) -> tuple[str, list[list[str | None]]]:
    """Return why a statement failed, or an empty text and its rows."""
    query_id = athena.start_query_execution(QueryString=sql, ResultConfiguration=RESULTS)["QueryExecutionId"]
    while True:
        status = athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]["Status"]
        if status["State"] not in ("QUEUED", "RUNNING"):
            break
        time.sleep(0.05)
    if status["State"] == "FAILED":
        return status["StateChangeReason"], []
    rows = athena.get_query_results(QueryExecutionId=query_id)["ResultSet"]["Rows"]
    return "", [[cell.get("VarCharValue") for cell in row["Data"]] for row in rows[1:]]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GovernedLake]:
    """Yield a lake with the table of Iceberg `gold.ice`, of which the operator sees one row and two columns."""
    for lake in governed_by_iam(tmp_path_factory.mktemp("lake")):
        owner, formation = lake.client("athena"), lake.client("lakeformation")
        for sql in (
            "CREATE TABLE gold.ice (id int, name string, secret string) LOCATION 's3://pi-m3-gold/ice/' "
            "TBLPROPERTIES ('table_type'='ICEBERG')",
            "INSERT INTO gold.ice VALUES (1, 'a', 'x'), (2, 'b', 'y')",
        ):
            assert ended(owner, sql)[0] == ""
        formation.revoke_permissions(Principal=EVERYBODY, Resource=TABLE, Permissions=["ALL"])
        names = {"TableCatalogId": ACCOUNT, "DatabaseName": "gold", "TableName": "ice", "Name": "one"}
        formation.create_data_cells_filter(
            TableData={**names, "RowFilter": {"FilterExpression": "id = 2"}, "ColumnNames": ["id", "name"]}
        )
        yield lake


@pytest.fixture
def filtered(lake: GovernedLake) -> Iterator[Any]:
    """The operator's Athena, while the operator may read through the filter."""
    names = {"TableCatalogId": ACCOUNT, "DatabaseName": "gold", "TableName": "ice", "Name": "one"}
    grant = {"Principal": OPERATOR, "Resource": {"DataCellsFilter": names}, "Permissions": ["SELECT"]}
    lake.client("lakeformation").grant_permissions(**grant)
    yield Publisher.of(lake).client("athena")
    lake.client("lakeformation").revoke_permissions(**grant)


def test_a_caller_without_a_permission_reads_and_changes_nothing(lake: GovernedLake) -> None:
    athena = Publisher.of(lake).client("athena")
    for sql in ("SELECT * FROM gold.ice", "DELETE FROM gold.ice", 'SELECT * FROM gold."ice$files"'):
        assert "gold.ice" in ended(athena, sql)[0] or "Required" in ended(athena, sql)[0], sql
    assert ended(lake.client("athena"), "SELECT count(*) FROM gold.ice") == ("", [["2"]])


def test_a_filter_hides_rows_and_columns_also_of_the_past(lake: GovernedLake, filtered: Any) -> None:
    (version,) = ended(lake.client("athena"), 'SELECT snapshot_id FROM gold."ice$snapshots"')[1][0]
    assert ended(filtered, "SELECT * FROM gold.ice") == ("", [["2", "b"]])
    assert ended(filtered, f"SELECT * FROM gold.ice FOR VERSION AS OF {version}") == ("", [["2", "b"]])
    assert ended(filtered, "SELECT secret FROM gold.ice")[0].startswith("COLUMN_NOT_FOUND")
    assert "secret" not in str(ended(filtered, "DESCRIBE gold.ice"))


def test_bounds_of_files_are_hidden_from_a_caller_with_a_filter(filtered: Any) -> None:
    assert ended(filtered, 'SELECT * FROM gold."ice$files"')[0].startswith("NOT_SUPPORTED")


def test_a_caller_with_a_filter_cannot_change_rows(lake: GovernedLake, filtered: Any) -> None:
    grant = {"Principal": OPERATOR, "Resource": TABLE, "Permissions": ["DELETE", "INSERT"]}
    lake.client("lakeformation").grant_permissions(**grant)
    try:
        for sql in ("DELETE FROM gold.ice", "UPDATE gold.ice SET name = 'z'"):
            assert ended(filtered, sql)[0].startswith("NOT_SUPPORTED: Row-level changes"), sql
    finally:
        lake.client("lakeformation").revoke_permissions(**grant)
    assert ended(lake.client("athena"), "SELECT count(*) FROM gold.ice WHERE name <> 'z'") == ("", [["2"]])


def test_a_caller_with_all_permissions_changes_rows(lake: GovernedLake) -> None:
    permissions = ["SELECT", "INSERT", "DELETE", "ALTER"]
    grant = {"Principal": OPERATOR, "Resource": TABLE, "Permissions": permissions}
    lake.client("lakeformation").grant_permissions(**grant)
    athena = Publisher.of(lake).client("athena")
    assert ended(athena, "INSERT INTO gold.ice VALUES (9, 'n', 'n')")[0] == ""
    assert ended(athena, "DELETE FROM gold.ice WHERE id = 9")[0] == ""
    lake.client("lakeformation").revoke_permissions(**grant)


def test_the_settings_of_governance_filter_such_a_table_like_others(lake: GovernedLake) -> None:
    lake.apply(
        """
[governance.filters."gold.ice".high]
rows = "id > 1"
columns = ["id"]
[[governance.grants]]
principal = "role:analyst"
table = "gold.ice"
filters = ["high"]
permissions = ["SELECT"]
"""
    )
    assert lake.ask("select * from ice", "analyst") == [{"id": 2}]
