"""The operations of Athena's API other than queries: catalogs, tables, saved queries, pages, statistics."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from support.athena import Athena
from support.served import Served

DATA_CATALOG = {"CatalogName": "AwsDataCatalog"}
DATABASE = {**DATA_CATALOG, "DatabaseName": "api_gold"}


@pytest.fixture(scope="module")
def athena(server: Served) -> Athena:
    """A client, and a database with two tables and a view."""
    athena = Athena(server, "api-results", "api_gold")
    athena.glue.create_database(DatabaseInput={"Name": "api_gold", "Description": "the gold layer"})
    for name in ("laps", "lap_times"):
        storage = {
            "Location": f"s3://api-results/{name}/",
            "Columns": [{"Name": "id", "Type": "bigint", "Comment": "the key"}],
            "InputFormat": "in",
            "SerdeInfo": {"SerializationLibrary": "lib", "Parameters": {"field.delim": ","}},
        }
        table = {
            "Name": name, "StorageDescriptor": storage, "PartitionKeys": [{"Name": "year", "Type": "int"}],
            "TableType": "EXTERNAL_TABLE", "Parameters": {"EXTERNAL": "TRUE"},
        }  # fmt: skip
        athena.glue.create_table(DatabaseName="api_gold", TableInput=table)
    athena.succeed("CREATE VIEW drivers AS SELECT 1 AS id")
    return athena


def code_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    return str(error.value.response["Error"]["Code"])


def test_the_data_catalog_is_the_one_catalog(athena: Athena) -> None:
    summary = athena.client.list_data_catalogs()["DataCatalogsSummary"]
    assert summary == [{"CatalogName": "AwsDataCatalog", "Type": "GLUE"}]
    catalog = athena.client.get_data_catalog(Name="AwsDataCatalog")["DataCatalog"]
    assert (catalog["Name"], catalog["Type"]) == ("AwsDataCatalog", "GLUE")


def test_databases_are_those_of_the_data_catalog(athena: Athena) -> None:
    database = {"Name": "api_gold", "Description": "the gold layer", "Parameters": {}}
    assert database in athena.client.list_databases(**DATA_CATALOG)["DatabaseList"]
    assert athena.client.get_database(**DATABASE)["Database"] == database
    names = [page["DatabaseList"][0]["Name"] for page in _pages(athena, "list_databases", 1, **DATA_CATALOG)]
    assert names == sorted(names)
    assert "api_gold" in names


def test_a_database_that_is_missing_is_a_metadata_exception(athena: Athena) -> None:
    with pytest.raises(ClientError) as error:
        athena.client.get_database(**DATA_CATALOG, DatabaseName="nothing")
    assert code_of(error) == "MetadataException"


def test_a_table_has_the_storage_descriptor_among_its_parameters(athena: Athena) -> None:
    table = athena.client.get_table_metadata(**DATABASE, TableName="LAPS")["TableMetadata"]
    assert table["Name"] == "laps"
    assert table["Columns"] == [{"Name": "id", "Type": "bigint", "Comment": "the key"}]
    assert table["PartitionKeys"] == [{"Name": "year", "Type": "int"}]
    assert table["Parameters"] == {
        "EXTERNAL": "TRUE", "location": "s3://api-results/laps/", "inputformat": "in",
        "serde.serialization.lib": "lib", "serde.param.field.delim": ",",
    }  # fmt: skip
    view = athena.client.get_table_metadata(**DATABASE, TableName="drivers")["TableMetadata"]
    assert view["TableType"] == "VIRTUAL_VIEW"


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        (None, ["drivers", "lap_times", "laps"]),
        ("lap*", ["lap_times", "laps"]),
        (".*", ["drivers", "lap_times", "laps"]),
        ("LAPS|drivers", ["drivers", "laps"]),
        ("(", []),
    ],
)
def test_tables_are_listed_by_expression(athena: Athena, expression: str | None, names: list[str]) -> None:
    more = {"Expression": expression} if expression else {}
    tables = athena.client.list_table_metadata(**DATABASE, **more)["TableMetadataList"]
    assert [table["Name"] for table in tables] == names


def test_tables_come_in_pages(athena: Athena) -> None:
    pages = _pages(athena, "list_table_metadata", 2, **DATABASE)
    assert [[table["Name"] for table in page["TableMetadataList"]] for page in pages] == [
        ["drivers", "lap_times"], ["laps"]
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["nothing", "laps2"])
def test_a_table_that_is_missing_is_a_metadata_exception(athena: Athena, name: str) -> None:
    with pytest.raises(ClientError) as error:
        athena.client.get_table_metadata(**DATABASE, TableName=name)
    assert code_of(error) == "MetadataException"
    assert "; Error Code: EntityNotFoundException; " in str(error.value)


def test_the_engine_versions_are_those_of_a_workgroup(athena: Athena) -> None:
    versions = athena.client.list_engine_versions()["EngineVersions"]
    assert {one["EffectiveEngineVersion"] for one in versions} == {"Athena engine version 3"}


def test_a_prepared_statement_is_kept_changed_and_deleted(athena: Athena) -> None:
    client, place = athena.client, {"StatementName": "by_id", "WorkGroup": "primary"}
    client.create_prepared_statement(**place, QueryStatement="SELECT ?", Description="one value")
    with pytest.raises(ClientError) as error:
        client.create_prepared_statement(**place, QueryStatement="SELECT 2")
    assert code_of(error) == "InvalidRequestException"
    client.update_prepared_statement(**place, QueryStatement="SELECT ?, ?")
    statement = client.get_prepared_statement(**place)["PreparedStatement"]
    assert statement["QueryStatement"] == "SELECT ?, ?"
    many = client.batch_get_prepared_statement(PreparedStatementNames=["by_id", "other"], WorkGroup="primary")
    assert [one["StatementName"] for one in many["PreparedStatements"]] == ["by_id"]
    assert [one["StatementName"] for one in many["UnprocessedPreparedStatementNames"]] == ["other"]
    statements = client.list_prepared_statements(WorkGroup="primary")["PreparedStatements"]
    assert "by_id" in [one["StatementName"] for one in statements]
    client.delete_prepared_statement(**place)
    for operation in (client.get_prepared_statement, client.delete_prepared_statement):
        with pytest.raises(ClientError) as error:
            operation(**place)
        assert code_of(error) == "ResourceNotFoundException"


def test_a_named_query_is_kept_changed_and_deleted(athena: Athena) -> None:
    client = athena.client
    token = "t" * 32
    query = {
        "Name": "all laps",
        "Database": "api_gold",
        "QueryString": "SELECT 1",
        "ClientRequestToken": token,
    }
    query_id = client.create_named_query(**query)["NamedQueryId"]
    assert client.create_named_query(**query)["NamedQueryId"] == query_id
    client.update_named_query(NamedQueryId=query_id, Name="laps", QueryString="SELECT 2", Description="all")
    (named,) = client.batch_get_named_query(NamedQueryIds=[query_id])["NamedQueries"]
    assert named == {
        "Name": "laps", "Database": "api_gold", "QueryString": "SELECT 2", "Description": "all",
        "NamedQueryId": query_id, "WorkGroup": "primary",
    }  # fmt: skip
    assert query_id in client.list_named_queries()["NamedQueryIds"]
    client.delete_named_query(NamedQueryId=query_id)
    (missing,) = client.batch_get_named_query(NamedQueryIds=[query_id])["UnprocessedNamedQueryIds"]
    assert missing["NamedQueryId"] == query_id
    with pytest.raises(ClientError):
        client.get_named_query(NamedQueryId=query_id)


def test_executions_come_in_pages(athena: Athena) -> None:
    started = [athena.run(f"SELECT {number}")["QueryExecutionId"] for number in range(3)]
    pages = _pages(athena, "list_query_executions", 2)
    ids = [query_id for page in pages for query_id in page["QueryExecutionIds"]]
    assert ids[:3] == started[::-1]
    assert len(ids) == len(set(ids))
    assert all(len(page["QueryExecutionIds"]) == 2 for page in pages[:-1])


def test_rows_come_in_pages_with_one_header(athena: Athena) -> None:
    query_id = athena.succeed("SELECT n FROM UNNEST(sequence(1, 5)) AS t(n)")["QueryExecutionId"]
    pages = _pages(athena, "get_query_results", 2, QueryExecutionId=query_id)
    texts = [[row["Data"][0]["VarCharValue"] for row in page["ResultSet"]["Rows"]] for page in pages]
    assert texts == [["n", "1"], ["2", "3"], ["4", "5"]]


@pytest.mark.parametrize("token", ["x", "1", "999999"])
def test_a_token_of_no_page_is_refused(athena: Athena, token: str) -> None:
    query_id = athena.succeed("SELECT 1 AS one")["QueryExecutionId"]
    with pytest.raises(ClientError) as error:
        athena.client.get_query_results(QueryExecutionId=query_id, NextToken=token)
    assert code_of(error) == "InvalidRequestException"


def test_the_columns_are_described_next_to_the_result(athena: Athena) -> None:
    execution = athena.succeed("SELECT CAST(1 AS decimal(6, 2)) AS points")
    content = athena.read(f"{execution['ResultConfiguration']['OutputLocation']}.metadata")
    column = b"\x0a\x04hive\x22\x06points\x2a\x06points\x32\x07decimal\x38\x06\x40\x02\x48\x03\x50\x00"
    assert content == b"\x22" + bytes([len(column)]) + column


def test_runtime_statistics_count_rows(athena: Athena) -> None:
    query_id = athena.succeed("SELECT * FROM (VALUES 1, 2, 3) t(n)")["QueryExecutionId"]
    statistics = athena.client.get_query_runtime_statistics(QueryExecutionId=query_id)[
        "QueryRuntimeStatistics"
    ]
    assert statistics["Rows"]["OutputRows"] == 3
    assert statistics["OutputStage"]["State"] == "FINISHED"
    with pytest.raises(ClientError):
        athena.client.get_query_runtime_statistics(QueryExecutionId="none")


@pytest.mark.parametrize(
    ("sql", "kinds"),
    [
        ("SELECT 1", ("DML", "SELECT")),
        ("/* first */ with a AS (SELECT 1) SELECT * FROM a", ("DML", "SELECT")),
        ("CREATE TABLE t AS SELECT 1", ("DDL", "CREATE_TABLE_AS_SELECT")),
        ("INSERT INTO t SELECT 1", ("DML", "INSERT")),
        ("UNLOAD (SELECT 1) TO 's3://a/b/' WITH (format = 'PARQUET')", ("DML", "UNLOAD")),
        ("EXPLAIN SELECT 1", ("UTILITY", "EXPLAIN")),
        ("SHOW TABLES", ("UTILITY", "SHOW_TABLES")),
    ],
)
def test_an_execution_names_its_kind_of_statement(athena: Athena, sql: str, kinds: tuple[str, str]) -> None:
    execution = athena.run(sql)
    assert (execution["StatementType"], execution["SubstatementType"]) == kinds


def _pages(athena: Athena, operation: str, size: int, **request: Any) -> list[dict[str, Any]]:
    paginator = athena.client.get_paginator(operation) if athena.client.can_paginate(operation) else None
    assert paginator is not None
    return list(paginator.paginate(**request, PaginationConfig={"PageSize": size}))
