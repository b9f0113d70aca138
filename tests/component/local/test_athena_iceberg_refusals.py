"""What the embedded Athena refuses of Iceberg: all of it without the library, and what Athena itself lacks."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest

from etltctl.local.services.athena.dialect import QueryError
from etltctl.local.services.athena.statements import Execution, perform
from etltctl.local.services.athena.tables import Lake
from etltctl.local.services.s3.directory import S3Directory
from support.athena import Athena
from support.served import Served

DESCRIBED = {
    "Name": "t",
    "DatabaseName": "db",
    "StorageDescriptor": {"Columns": [{"Name": "id", "Type": "int"}], "Location": "s3://b/t"},
    "TableType": "EXTERNAL_TABLE",
    "Parameters": {"table_type": "ICEBERG", "metadata_location": "s3://b/t/metadata/0.metadata.json"},
}
OPTIONS = "WITH (table_type = 'ICEBERG', is_external = false, location = 's3://b/n/')"


class OneTable:
    """A Data Catalog with one table of Iceberg, `db.t`."""

    def get_table(self, database: str, name: str) -> dict[str, Any] | None:
        return DESCRIBED if (database, name) == ("db", "t") else None

    def get_databases(self) -> list[str]:
        return ["db"]

    def get_database(self, name: str) -> dict[str, Any]:
        return {"Name": name}

    def require(self, *_: str) -> None:
        """Allow everything."""


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """A lake on a machine without Iceberg's library."""
    monkeypatch.setitem(sys.modules, "pyiceberg", None)
    return Lake(OneTable(), S3Directory(tmp_path / "s3", tmp_path / "meta"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "sql",
    [
        "CREATE TABLE n (id int) LOCATION 's3://b/n/' TBLPROPERTIES ('table_type'='ICEBERG')",
        f"CREATE TABLE n {OPTIONS} AS SELECT 1 AS id",
        "INSERT INTO t VALUES 1",
        "SELECT * FROM t",
        "SELECT * FROM t FOR VERSION AS OF 1",
        'SELECT * FROM "t$snapshots"',
        "DELETE FROM t",
        "UPDATE t SET id = 1",
        "MERGE INTO t USING (VALUES 1) AS s (id) ON t.id = s.id WHEN MATCHED THEN DELETE",
        "ALTER TABLE t ADD COLUMNS (name string)",
        "OPTIMIZE t REWRITE DATA USING BIN_PACK",
        "VACUUM t",
        "DROP TABLE t",
        "DESCRIBE t",
        "SHOW CREATE TABLE t",
        "SHOW TBLPROPERTIES t",
    ],
)
def test_without_the_library_every_statement_names_the_extra(bare: Lake, sql: str) -> None:
    with duckdb.connect() as engine, pytest.raises(QueryError) as refusal:
        perform(Execution(sql, (), "db", engine, bare))
    assert refusal.value.code == "NOT_SUPPORTED"
    assert "iceberg]'" in refusal.value.message


def test_statements_without_such_a_table_do_not_import_the_library() -> None:
    code = """
import sys, duckdb
from etltctl.local.services.athena import statements
from etltctl.local.services.athena.tables import Lake
with duckdb.connect() as engine:
    statements.perform(statements.Execution("SELECT 1", (), "db", engine, Lake(None, None)))
print([name for name in sys.modules if name.startswith("pyiceberg")])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.fixture(scope="module")
def athena(server: Served) -> Athena:
    pytest.importorskip("pyiceberg")
    athena = Athena(server, "ice-refused", "ice_refused")
    athena.s3.create_bucket(Bucket="ice-refused-lake")
    athena.glue.create_database(DatabaseInput={"Name": "ice_refused"})
    athena.succeed(
        "CREATE TABLE t (id int, name string) PARTITIONED BY (id) LOCATION 's3://ice-refused-lake/t/' "
        "TBLPROPERTIES ('table_type'='ICEBERG')"
    )
    athena.succeed("INSERT INTO t VALUES (1, 'a')")
    athena.succeed("CREATE VIEW seen AS SELECT id FROM t")
    athena.succeed("CREATE EXTERNAL TABLE plain (id int) LOCATION 's3://ice-refused-lake/plain/'")
    return athena


@pytest.mark.parametrize("name", ["t@foo", "t@rows 5", "t@time x", "t@snapshot 1", "t@", "plain@foo"])
def test_a_name_between_quotes_is_never_read_as_a_version(athena: Athena, name: str) -> None:
    missing = f"line 1:15: Table 'awsdatacatalog.ice_refused.{name}' does not exist"
    assert athena.reason(f'SELECT * FROM "{name}"') == f"TABLE_NOT_FOUND: {missing}"


PLACE = "LOCATION 's3://ice-refused-lake/n/'"
ICEBERG = "TBLPROPERTIES ('table_type'='ICEBERG'"
LIKE = "WITH (table_type = 'ICEBERG', is_external = false, location = 's3://ice-refused-lake/n/'"


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        (f"CREATE TABLE n (id int) {ICEBERG})", "SYNTAX_ERROR: No location was specified for table"),
        (f"CREATE TABLE n (id tinyint) {PLACE} {ICEBERG})", "NOT_SUPPORTED: Type not supported for Iceberg: tinyint"),
        (f"CREATE TABLE n (id int, id int) {PLACE} {ICEBERG})", "FAILED: SemanticException [Error 10036]"),
        (f"CREATE TABLE n (id int) PARTITIONED BY (week(id)) {PLACE} {ICEBERG})", "INVALID_TABLE_PROPERTY: "),
        (f"CREATE TABLE n (id int) PARTITIONED BY (day(id)) {PLACE} {ICEBERG})", "INVALID_TABLE_PROPERTY: "),
        (f"CREATE TABLE n (id int) PARTITIONED BY (id, id) {PLACE} {ICEBERG})", "INVALID_TABLE_PROPERTY: "),
        (f"CREATE TABLE n (id int) PARTITIONED BY (other) {PLACE} {ICEBERG})", "INVALID_TABLE_PROPERTY: Column 'oth"),
        (f"CREATE TABLE n (id int) {PLACE} {ICEBERG}, 'colour'='red')", "INVALID_TABLE_PROPERTY: Unsupported table"),
        (f"CREATE TABLE n (id int) {PLACE} {ICEBERG}, 'format'='ORC')", "NOT_SUPPORTED: the embedded Athena writes"),
        (f"CREATE TABLE n (id int) {PLACE} {ICEBERG}, 'format'='CSV')", "INVALID_TABLE_PROPERTY: "),
        (f"CREATE TABLE n (id int) {PLACE} {ICEBERG}, 'write_compression'='rar')", "INVALID_TABLE_PROPERTY: "),
        (f"CREATE TABLE n (id int) {PLACE} {ICEBERG}, 'vacuum_min_snapshots_to_keep'='x')", "INVALID_TABLE_PROPERTY"),
        (f"CREATE TABLE t (id int) {PLACE} {ICEBERG})", "FAILED: "),
        (f"CREATE TABLE nowhere.n (id int) {PLACE} {ICEBERG})", "FAILED: SemanticException [Error 10072]"),
        (f"CREATE TABLE n {LIKE}) AS SELECT now() AS at", "NOT_SUPPORTED: Timestamp precision (3) not supported"),
        (f"CREATE TABLE n {LIKE}) AS SELECT cast('a' AS char(1)) AS c", "NOT_SUPPORTED: Type not supported"),
        (f"CREATE TABLE n {LIKE}, external_location = 's3://b/c/') AS SELECT 1 AS a", "INVALID_TABLE_PROPERTY: ext"),
        (f"CREATE TABLE n {LIKE}, partitioning = 'a') AS SELECT 1 AS a", "INVALID_TABLE_PROPERTY: partitioning takes"),
        ("CREATE TABLE n WITH (table_type='ICEBERG', is_external=false) AS SELECT 1 AS a", "INVALID_TABLE_PROPERTY: l"),
        (
            f"CREATE TABLE n {LIKE.replace('/n/', '/t/')}) AS SELECT 1 AS a",
            "ICEBERG_FILESYSTEM_ERROR: Cannot create a table on a non-empty location",
        ),
        (
            f"CREATE TABLE n {LIKE}, partitioning = ARRAY['n']) AS SELECT n FROM UNNEST(sequence(1, 101)) AS u (n)",
            "ICEBERG_TOO_MANY_OPEN_PARTITIONS: Exceeded limit of 100",
        ),
        ("DELETE FROM t AS x WHERE x.id = 1", "SYNTAX_ERROR: "),
        ("DELETE FROM nothing", "TABLE_NOT_FOUND: "),
        ("UPDATE t SET id = 'a'", "TYPE_MISMATCH: line 1:1: UPDATE table column types don't match SET expressions"),
        ("UPDATE t SET other = 1", "COLUMN_NOT_FOUND: "),
        ("UPDATE t SET id = 1, id = 2", "SYNTAX_ERROR: "),
        ("UPDATE t SET id = 1 FROM plain", "SYNTAX_ERROR: "),
        ("MERGE INTO t USING plain s ON t.id = s.id WHEN NOT MATCHED BY SOURCE THEN DELETE", "SYNTAX_ERROR: "),
        ("MERGE INTO t USING plain s ON t.id = s.id WHEN NOT MATCHED THEN INSERT *", "SYNTAX_ERROR: "),
        ("MERGE INTO t USING plain s ON t.id = s.id WHEN NOT MATCHED THEN INSERT (x) VALUES (1)", "COLUMN_NOT_FOUND"),
        ("MERGE INTO t USING plain s ON t.id = s.id WHEN NOT MATCHED THEN INSERT (id) VALUES (1, 2)", "TYPE_MISMATCH"),
        (
            "MERGE INTO t USING plain s ON t.id = s.id WHEN NOT MATCHED THEN INSERT (id, id) VALUES (1, 2)",
            "DUPLICATE_COLUMN_NAME",
        ),
        ("ALTER TABLE t REPLACE COLUMNS (id int)", "NOT_SUPPORTED: ALTER TABLE REPLACE is not supported for Iceberg"),
        ("ALTER TABLE t ADD PARTITION (id = 1)", "NOT_SUPPORTED: ALTER TABLE ADD is not supported for Iceberg"),
        ("ALTER TABLE t ADD COLUMNS (name string)", "FAILED: ice_refused.t cannot be altered"),
        ("ALTER TABLE t CHANGE COLUMN name name int", "FAILED: ice_refused.t cannot be altered"),
        ("ALTER TABLE t DROP COLUMN other", "FAILED: SemanticException Column 'other' does not exist"),
        ("ALTER TABLE t DROP COLUMN id", "FAILED: SemanticException Cannot drop partition field: id"),
        ("ALTER TABLE t RENAME TO plain", "FAILED: AlreadyExistsException"),
        ("MSCK REPAIR TABLE t", "NOT_SUPPORTED: MSCK REPAIR is not supported for Iceberg tables"),
        ("SHOW PARTITIONS t", "NOT_SUPPORTED: SHOW PARTITIONS is not supported for Iceberg tables"),
        ("OPTIMIZE t REWRITE DATA USING BIN_PACK WHERE name = 'a'", "NOT_SUPPORTED: Unexpected FilterNode"),
        ("SELECT * FROM plain FOR VERSION AS OF 1", "NOT_SUPPORTED: line 1:15: This connector does not support versio"),
        ("SELECT * FROM t FOR VERSION AS OF 'a'", "TYPE_MISMATCH: "),
        ("SELECT * FROM t FOR TIMESTAMP AS OF 1", "TYPE_MISMATCH: "),
        ("SELECT * FROM seen FOR VERSION AS OF 1", "NOT_SUPPORTED: "),
        ('SELECT * FROM "t$nothing"', "TABLE_NOT_FOUND: "),
        ('SELECT * FROM "plain$snapshots"', "TABLE_NOT_FOUND: "),
    ],
)  # fmt: skip
def test_what_athena_refuses_is_refused_in_its_words(athena: Athena, sql: str, reason: str) -> None:
    assert athena.reason(sql).startswith(reason)
    assert athena.rows("SELECT * FROM t") == [("1", "a")]
    assert "n" not in [
        table["Name"] for table in athena.glue.get_tables(DatabaseName="ice_refused")["TableList"]
    ]


def test_glue_refuses_to_write_the_metadata_of_a_table_itself(athena: Athena) -> None:
    description = {"Name": "n", "StorageDescriptor": {"Columns": [], "Location": "s3://ice-refused-lake/n/"}}
    glue = athena.glue
    with pytest.raises(glue.exceptions.InvalidInputException, match="does not model OpenTableFormatInput"):
        glue.create_table(
            DatabaseName="ice_refused",
            TableInput=description,
            OpenTableFormatInput={"IcebergInput": {"MetadataOperation": "CREATE", "Version": "2"}},
        )
    tables = glue.get_tables(DatabaseName="ice_refused")["TableList"]
    assert "n" not in [table["Name"] for table in tables]


def test_a_table_without_its_metadata_says_so(athena: Athena) -> None:
    stored = {"Columns": [{"Name": "id", "Type": "int"}], "Location": "s3://ice-refused-lake/lost/"}
    for name, metadata in (
        ("lost", "s3://ice-refused-lake/lost/0.json"),
        ("torn", "s3://ice-refused-lake/torn.json"),
    ):
        parameters = {"table_type": "ICEBERG", "metadata_location": metadata}
        description = {"Name": name, "StorageDescriptor": stored, "Parameters": parameters}
        athena.glue.create_table(DatabaseName="ice_refused", TableInput=description)
    athena.s3.put_object(Bucket="ice-refused-lake", Key="torn.json", Body=b"{")
    assert athena.reason("SELECT * FROM lost").startswith("ICEBERG_MISSING_METADATA: Metadata not found")
    assert athena.reason("SELECT * FROM torn").startswith("ICEBERG_INVALID_METADATA: ")


def test_a_data_file_that_is_torn_or_missing_is_named(athena: Athena) -> None:
    athena.succeed(
        "CREATE TABLE holed (id int) LOCATION 's3://ice-refused-lake/holed/' TBLPROPERTIES ('table_type'='ICEBERG')"
    )
    athena.succeed("INSERT INTO holed VALUES 1")
    (key,) = athena.keys("s3://ice-refused-lake/holed/data/")
    athena.s3.put_object(Bucket="ice-refused-lake", Key=key, Body=b"torn")
    assert athena.reason("SELECT * FROM holed") == (
        f"ICEBERG_BAD_DATA: Error reading Iceberg split s3://ice-refused-lake/{key}"
    )
    athena.s3.delete_object(Bucket="ice-refused-lake", Key=key)
    assert athena.reason("SELECT * FROM holed") == (
        f"ICEBERG_CANNOT_OPEN_SPLIT: Error opening Iceberg split s3://ice-refused-lake/{key}"
    )
