"""Lake Formation applies to every statement: a role without rights gets no row."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from etltctl.errors import EtltctlError
from support.governed import PLACES, GovernedLake, arn, governed_lake

GRANT = """
[governance.filters."gold.weather_daily".one]
rows = "lat > 0"
[[governance.grants]]
principal = "role:analyst"
table = "gold.weather_daily"
filters = ["one"]
permissions = ["SELECT"]
"""
# {file} is a Parquet file of the table, {folder} the folder that the engine may read.
ATTEMPTS = (
    "select * from weather_daily",
    "select * from (select 1) t, lateral read_parquet('{file}')",
    "select * from (select 1) t cross join lateral read_parquet('{file}')",
    "select * from (values '{file}') t(f), lateral read_parquet(t.f)",
    "select * from (select 1) t, lateral query('select * from gold.weather_daily')",
    "select * from lateral query('select * from gold.weather_daily')",
    "select * from read_parquet('{file}')",
    "select * from table(read_parquet('{file}'))",
    "select * from parquet_scan('{file}')",
    "select * from parquet_metadata('{file}')",
    "select * from read_text('{file}')",
    "select * from read_blob('{folder}/*')",
    "select * from read_csv('{file}')",
    "select * from glob('{folder}/*')",
    "select * from query_table('weather_daily')",
    "select * from duckdb_settings()",
    "select * from duckdb_views()",
    "select * from (select 1) t, lateral duckdb_settings()",
    "select * from pragma_database_list()",
    "select * from sqlite_master",
    "select * from main.sqlite_master",
    "select * from pg_catalog.pg_class",
    "select * from duckdb_tables",
    "select * from \"{file}\"",
    "select * from '{file}'",
    "select * from \"{folder}/*\"",
    "select * from gold.\"{file}\"",
    "select * from awsdatacatalog.gold.weather_daily",
    "select * from memory.gold.weather_daily",
    "select * from \"gold\".\"weather_daily\"",
    "select current_setting('allowed_directories')",
    "select getenv('HOME')",
    "select getvariable('x')",
    "select read_text('{file}')",
    "select (select count(*) from weather_daily)",
    "select 1 where exists (select 1 from weather_daily)",
    "select 1 where 5 in (select lat from weather_daily)",
    "select 1 where 0 < any (select lat from weather_daily)",
    "with w as (select * from weather_daily) select * from w",
    "with weather_daily as (select * from weather_daily) select * from weather_daily",
    "with recursive w(n) as (select 1 union all select count(*) from weather_daily) select * from w",
    "select * from (select 1) a join weather_daily b on true",
    "select * from (select 1) a cross join lateral (select * from weather_daily) b",
    "select transform(array[1], x -> (select count(*) from weather_daily))",
    "select 1 union all select count(*) from weather_daily",
    "values (select count(*) from weather_daily)",
    "table weather_daily",
    "select * from weather_view",
    "select \"$path\" from weather_daily",
    "unload (select * from weather_daily) to 's3://pi-m3-athena-results/loot1/' with (format = 'PARQUET')",
    "unload (select * from (select 1) t, lateral read_parquet('{file}')) to 's3://pi-m3-athena-results/loot2/'"
    " with (format = 'PARQUET')",
    "create or replace view mine as select * from weather_daily",
    "copy weather_daily to '/tmp/loot.csv'",
    "attach '{file}' as x",
    "install httpfs",
    "load httpfs",
    "pragma show_tables",
    "set memory_limit = '10GB'",
    "call pragma_version()",
    "export database '/tmp/loot'",
    "import database '/tmp/loot'",
    "select 1; select * from weather_daily",
)  # fmt: skip


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GovernedLake]:
    with governed_lake(tmp_path_factory.mktemp("isolated"), os.environ) as governed:
        governed.ask("create view gold.weather_view as select * from gold.weather_daily")
        governed.apply(GRANT)
        yield governed


def file_of(lake: GovernedLake) -> Path:
    return next((lake.folder / "state").glob("**/pi-m3-gold/weather_daily/**/*.parquet"))


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_a_role_without_rights_gets_no_row(attempt: str, lake: GovernedLake) -> None:
    file = file_of(lake)
    sql = attempt.format(file=file, folder=file.parent)
    with pytest.raises(EtltctlError) as refusal:
        lake.ask(sql, "visitor")
    message = str(refusal.value)
    assert not any(place in message for place in PLACES)


def test_an_unload_that_is_refused_writes_nothing(lake: GovernedLake) -> None:
    listing = lake.client("s3").list_objects_v2(Bucket="pi-m3-athena-results", Prefix="loot")
    assert listing["KeyCount"] == 0


@pytest.mark.parametrize(
    "parameter",
    [
        "(select count(*) from weather_daily)",
        "1) union all select count(*) from weather_daily --",
        "(select count(*) from read_parquet('x'))",
        "current_setting('allowed_directories')",
    ],
)
def test_a_parameter_brings_no_table_with_it(parameter: str, lake: GovernedLake) -> None:
    role = lake.client("sts").assume_role(RoleArn=arn("visitor"), RoleSessionName="visit")["Credentials"]
    athena = boto3.client(
        "athena",
        endpoint_url=lake.environ["AWS_ENDPOINT_URL"],
        region_name="us-east-1",
        aws_access_key_id=role["AccessKeyId"],
        aws_secret_access_key=role["SecretAccessKey"],
        aws_session_token=role["SessionToken"],
    )
    query_id = athena.start_query_execution(
        QueryString="select ?",
        QueryExecutionContext={"Database": "gold"},
        ResultConfiguration={"OutputLocation": "s3://pi-m3-athena-results/q/"},
        ExecutionParameters=[parameter],
    )["QueryExecutionId"]
    while True:
        status = athena.get_query_execution(QueryExecutionId=query_id)["QueryExecution"]["Status"]
        if status["State"] not in ("QUEUED", "RUNNING"):
            break
        time.sleep(0.05)
    assert status["State"] == "FAILED"


@pytest.mark.parametrize(
    "rows",
    [
        "exists (select 1 from read_parquet(''x''))",
        "lat < (select max(lat) from silver.weather_observation)",
        "current_setting(''allowed_directories'') <> ''''",
        "true) or (true",
    ],
)
def test_a_row_filter_that_is_not_a_plain_condition_shows_nothing(rows: str, lake: GovernedLake) -> None:
    data = {
        "TableCatalogId": "123456789012",
        "DatabaseName": "gold",
        "TableName": "weather_daily",
        "Name": "evil",
        "RowFilter": {"FilterExpression": rows.replace("''", "'")},
        "ColumnWildcard": {},
    }
    client = lake.client("lakeformation")
    resource = {
        "DataCellsFilter": {key: data[key] for key in ("TableCatalogId", "DatabaseName", "TableName", "Name")}
    }
    visitor = {"DataLakePrincipalIdentifier": "arn:aws:iam::123456789012:role/visitor"}
    try:
        client.create_data_cells_filter(TableData=data)
        client.grant_permissions(Principal=visitor, Resource=resource, Permissions=["SELECT"])
    except client.exceptions.ClientError:
        return  # refused at its creation
    try:
        with pytest.raises(EtltctlError):
            lake.ask("select * from weather_daily", "visitor")
    finally:
        client.revoke_permissions(Principal=visitor, Resource=resource, Permissions=["SELECT"])
        client.delete_data_cells_filter(**resource["DataCellsFilter"])


def test_a_role_with_rights_still_sees_its_rows(lake: GovernedLake) -> None:
    assert len(lake.ask("select city_key from weather_daily", "analyst")) == 4
