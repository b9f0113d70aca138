"""Reads of the embedded Data Catalog through boto3: pages, segments, search, versions, and one region for all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from botocore.exceptions import ClientError

from support.served import Served, make_client

NAMES = ["delta", "alpha", "charlie", "bravo", "echo"]


@pytest.fixture(scope="module")
def glue(server: Served) -> Any:
    return server.client("glue")


@pytest.fixture(scope="module")
def database(glue: Any) -> Iterator[str]:
    """A database with five tables; the table alpha has seven partitions and three versions."""
    name = f"d{uuid4().hex[:10]}"
    glue.create_database(DatabaseInput={"Name": name})
    for table in NAMES:
        glue.create_table(DatabaseName=name, TableInput=described(name, table))
    for note in ("second", "third"):
        glue.update_table(DatabaseName=name, TableInput={**described(name, "alpha"), "Description": note})
    storage = {"Columns": [{"Name": "n", "Type": "int"}], "Location": "s3://b/k/"}
    inputs = [{"Values": [str(day)], "StorageDescriptor": storage} for day in range(7)]
    glue.batch_create_partition(DatabaseName=name, TableName="alpha", PartitionInputList=inputs)
    yield name
    glue.delete_database(Name=name)


def described(database: str, table: str) -> dict[str, Any]:
    columns = [{"Name": "n", "Type": "int", "Comment": f"Wind of {database}" if table == "echo" else ""}]
    return {
        "Name": table,
        "StorageDescriptor": {"Columns": columns, "Location": "s3://b/k/"},
        "PartitionKeys": [{"Name": "day", "Type": "string"}],
        "Parameters": {"classification": "parquet" if table < "c" else "csv", "of": database},
    }


def pages(glue: Any, operation: str, member: str, size: int, **parameters: Any) -> list[list[Any]]:
    paginator = glue.get_paginator(operation).paginate(**parameters, PaginationConfig={"PageSize": size})
    return [page[member] for page in paginator]


def names(tables: list[Any]) -> list[str]:
    return [table["Name"] for table in tables]


def test_tables_come_by_name_in_pages_of_the_size_that_was_asked(glue: Any, database: str) -> None:
    read = pages(glue, "get_tables", "TableList", 2, DatabaseName=database)
    assert [names(page) for page in read] == [["alpha", "bravo"], ["charlie", "delta"], ["echo"]]


def test_databases_come_in_pages(glue: Any, database: str) -> None:
    read = pages(glue, "get_databases", "DatabaseList", 1)
    assert all(len(page) == 1 for page in read)
    assert database in [page[0]["Name"] for page in read]


def test_partitions_come_in_pages(glue: Any, database: str) -> None:
    read = pages(glue, "get_partitions", "Partitions", 3, DatabaseName=database, TableName="alpha")
    assert [[one["Values"][0] for one in page] for page in read] == [["0", "1", "2"], ["3", "4", "5"], ["6"]]


def test_segments_hold_every_partition_once(glue: Any, database: str) -> None:
    read = [
        [
            one["Values"][0]
            for page in pages(
                glue, "get_partitions", "Partitions", 2, DatabaseName=database, TableName="alpha",
                Segment={"TotalSegments": 3, "SegmentNumber": number},
            )
            for one in page
        ]
        for number in range(3)
    ]  # fmt: skip
    assert sorted(day for segment in read for day in segment) == [str(day) for day in range(7)]
    assert all(read)


def test_columns_of_partitions_are_left_out_on_request(glue: Any, database: str) -> None:
    answer = glue.get_partitions(DatabaseName=database, TableName="alpha", ExcludeColumnSchema=True)
    assert all("Columns" not in one["StorageDescriptor"] for one in answer["Partitions"])


def test_versions_come_newest_first_and_in_pages(glue: Any, database: str) -> None:
    read = pages(glue, "get_table_versions", "TableVersions", 2, DatabaseName=database, TableName="alpha")
    assert [[one["Table"].get("Description") for one in page] for page in read] == [
        ["third", "second"],
        [None],
    ]


def test_an_old_version_is_deleted_and_the_current_one_is_not(glue: Any, database: str) -> None:
    place = {"DatabaseName": database, "TableName": "bravo"}
    glue.update_table(
        DatabaseName=database, TableInput={**described(database, "bravo"), "Description": "new"}
    )
    newest, oldest = [one["VersionId"] for one in glue.get_table_versions(**place)["TableVersions"]]
    answer = glue.batch_delete_table_version(**place, VersionIds=[newest, oldest, "99"])
    errors = {error["VersionId"]: error["ErrorDetail"]["ErrorCode"] for error in answer["Errors"]}
    assert errors == {newest: "InvalidInputException", "99": "EntityNotFoundException"}
    assert [one["VersionId"] for one in glue.get_table_versions(**place)["TableVersions"]] == [newest]


@pytest.mark.parametrize(
    ("search", "tables"),
    [
        ({"SearchText": "alph"}, ["alpha"]),
        ({"SearchText": "WIND"}, ["echo"]),
        ({"SearchText": '"wind of"'}, ["echo"]),
        ({"SearchText": '"of wind"'}, []),
        ({"SearchText": "third"}, ["alpha"]),
        ({"Filters": [{"Key": "classification", "Value": "parquet"}]}, ["alpha", "bravo"]),
        ({"Filters": [{"Key": "Name", "Value": "c", "Comparator": "GREATER_THAN"}]}, ["charlie", "delta", "echo"]),
        ({"SortCriteria": [{"FieldName": "Name", "Sort": "DESC"}]}, ["echo", "delta", "charlie", "bravo", "alpha"]),
    ],
)  # fmt: skip
def test_tables_are_searched_by_words_and_by_filters(
    glue: Any, database: str, search: dict[str, Any], tables: list[str]
) -> None:
    filters = [*search.get("Filters", []), {"Key": "of", "Value": database, "Comparator": "EQUALS"}]
    assert names(glue.search_tables(**{**search, "Filters": filters})["TableList"]) == tables


def test_a_search_has_pages(glue: Any, database: str) -> None:
    filters = [{"Key": "DatabaseName", "Value": database}]
    first = glue.search_tables(Filters=filters, MaxResults=4)
    second = glue.search_tables(Filters=filters, MaxResults=4, NextToken=first["NextToken"])
    assert names(first["TableList"] + second["TableList"]) == sorted(NAMES)
    assert "NextToken" not in second


def test_there_are_no_column_statistics(glue: Any, database: str) -> None:
    place = {"DatabaseName": database, "TableName": "alpha", "ColumnNames": ["n"]}
    assert glue.get_column_statistics_for_table(**place)["ColumnStatisticsList"] == []
    assert (
        glue.get_column_statistics_for_partition(**place, PartitionValues=["1"])["ColumnStatisticsList"] == []
    )
    with pytest.raises(ClientError, match="EntityNotFoundException"):
        glue.get_column_statistics_for_table(**{**place, "TableName": "nothing"})


@pytest.mark.parametrize(
    ("operation", "parameters", "code"),
    [
        ("get_tables", {"NextToken": "t"}, "InvalidInputException"),
        ("get_tables", {"NextToken": "YmVmb3JlIDM="}, "InvalidInputException"),
        ("get_table_versions", {"TableName": "nothing"}, "EntityNotFoundException"),
        ("delete_table_version", {"TableName": "alpha", "VersionId": "99"}, "EntityNotFoundException"),
        ("get_partitions", {"TableName": "alpha", "Segment": {"TotalSegments": 2, "SegmentNumber": 2}},
         "InvalidInputException"),
    ],
)  # fmt: skip
def test_a_wrong_request_is_refused_with_its_code(
    glue: Any, database: str, operation: str, parameters: dict[str, Any], code: str
) -> None:
    with pytest.raises(ClientError) as caught:
        getattr(glue, operation)(DatabaseName=database, **parameters)
    assert caught.value.response["Error"]["Code"] == code


def test_the_catalog_is_the_same_from_every_region(server: Served, database: str) -> None:
    elsewhere = make_client("glue", server.port, server.keys, region="eu-west-1")
    assert names(elsewhere.get_tables(DatabaseName=database)["TableList"]) == sorted(NAMES)
    assert elsewhere.get_table(DatabaseName=database, Name="echo")["Table"]["Name"] == "echo"
    elsewhere.create_table(DatabaseName=database, TableInput=described(database, "foxtrot"))
    server.client("glue").delete_table(DatabaseName=database, Name="foxtrot")
    server.client("athena").create_work_group(Name=database)
    groups = make_client("athena", server.port, server.keys, region="eu-west-1").list_work_groups()
    assert database in [group["Name"] for group in groups["WorkGroups"]]


def test_groups_that_callers_made_are_listed_in_pages(server: Served) -> None:
    logs = server.client("logs")
    groups = [f"/{uuid4().hex}" for _ in range(3)]
    for name in groups:
        logs.create_log_group(logGroupName=name)
    read = [group for page in pages(logs, "describe_log_groups", "logGroups", 1) for group in page]
    assert set(groups) <= {group["logGroupName"] for group in read}
    (group,) = logs.list_log_groups(logGroupNamePattern=f"^{groups[0][:20]}|^none")["logGroups"]
    assert group["logGroupName"] == groups[0]
