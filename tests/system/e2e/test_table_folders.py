"""After both pipelines, the folder of every table holds Parquet files and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from etltctl.values import S3Location
from support.served import make_client
from support.workplace import Workplace

pytestmark = pytest.mark.e2e


def versioned_tables(glue: Any) -> list[dict[str, Any]]:
    """Return the tables that jobs write: each points to a version."""
    return [
        table
        for database in glue.get_databases()["DatabaseList"]
        for table in glue.get_tables(DatabaseName=database["Name"])["TableList"]
        if "/v=" in table["StorageDescriptor"]["Location"]
    ]


def test_the_folder_of_every_table_holds_parquet_alone(sample_lake: Workplace) -> None:
    endpoint = json.loads((sample_lake.folder / ".etltctl" / "server" / "endpoint.json").read_text())
    glue, s3 = (make_client(service, endpoint["port"], sample_lake.keys) for service in ("glue", "s3"))
    tables = versioned_tables(glue)
    assert len(tables) > 10  # of silver and gold, of both pipelines
    for table in tables:
        place = S3Location.parse(table["StorageDescriptor"]["Location"])
        root = place.key.rpartition("v=")[0]  # the folder of all versions
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=place.bucket, Prefix=root)
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        assert keys
        assert [key for key in keys if not key.endswith(".parquet")] == []
        read = [s3.get_object(Bucket=place.bucket, Key=key, Range="bytes=0-3") for key in keys]
        assert {answer["Body"].read() for answer in read} == {b"PAR1"}
