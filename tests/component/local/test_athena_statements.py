"""Statements that the embedded Athena does not model are refused by their whole name."""

from __future__ import annotations

import pytest

from support.athena import Athena
from support.served import Served


@pytest.fixture(scope="module")
def athena(server: Served) -> Athena:
    athena = Athena(server, "statements")
    athena.s3.create_bucket(Bucket="statements-lake")
    athena.glue.create_database(DatabaseInput={"Name": "statements"})
    athena.succeed("CREATE EXTERNAL TABLE statements.copied (id int) LOCATION 's3://statements-lake/copied/'")
    return athena


def test_a_refusal_names_the_statement(athena: Athena) -> None:
    assert athena.reason("SHOW FUNCTIONS").endswith("the embedded Athena does not model SHOW FUNCTIONS")


@pytest.mark.parametrize(
    "sql",
    [
        "MERGE INTO statements.copied t USING (VALUES 1) AS s (id) ON true WHEN MATCHED THEN DELETE",
        "DELETE FROM statements.copied",
        "UPDATE statements.copied SET id = 1",
    ],
)
def test_rows_of_a_hive_table_cannot_be_changed(athena: Athena, sql: str) -> None:
    assert "Modifying Hive table rows is only supported for transactional tables" in athena.reason(sql)


@pytest.mark.parametrize(
    "sql", ["OPTIMIZE statements.copied REWRITE DATA USING BIN_PACK", "VACUUM statements.copied"]
)
def test_the_files_of_a_hive_table_have_no_upkeep(athena: Athena, sql: str) -> None:
    assert athena.reason(sql).startswith("NOT_SUPPORTED: statements.copied is not a table of Iceberg")
