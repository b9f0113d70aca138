"""A table of Iceberg among those of the lake: etltctl says what it is, and leaves it as it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pytest

from etltctl.aws import Aws
from etltctl.errors import BlockedError
from etltctl.querying import describe_table, list_tables
from support.lakes import SmallLake
from support.served import Served


@pytest.fixture
def lake(server: Served, aws: Aws, tmp_path: Path) -> SmallLake:
    """A lake whose bronze.events is a table of Iceberg in the catalog, with a dropped column."""
    name = f"t{uuid4().hex[:10]}"
    own = f'[athena.databases]\nbronze = "{name}"\n[tables."bronze.events"]\nlocation = "s3://pi-m3-bronze/{name}/"\n'
    lake = SmallLake(server, aws, tmp_path, own)
    glue = aws.client("glue")
    glue.create_database(DatabaseInput={"Name": name})
    current = {"iceberg.field.current": "true", "iceberg.field.id": "1"}
    columns = [
        {"Name": "id", "Type": "int", "Comment": "the key", "Parameters": current},
        {"Name": "gone", "Type": "string", "Parameters": {**current, "iceberg.field.current": "false"}},
    ]
    place = lake.lake.places.fixed("bronze.events")
    glue.create_table(
        DatabaseName=name,
        TableInput={
            "Name": "events",
            "TableType": "EXTERNAL_TABLE",
            "StorageDescriptor": {"Columns": columns, "Location": str(place).rstrip("/")},
            "Parameters": {"table_type": "ICEBERG", "metadata_location": f"{place}metadata/0.metadata.json"},
        },
    )
    lake.put(f"{place}data/part-0.parquet", pa.table({"id": pa.array([1], pa.int32())}))
    return lake


def described(lake: SmallLake) -> Any:
    return {
        key: lake.described("bronze.events")[key] for key in ("StorageDescriptor", "Parameters", "VersionId")
    }


def test_a_refresh_refuses_to_describe_it_as_plain_parquet(lake: SmallLake) -> None:
    before = described(lake)
    with pytest.raises(BlockedError, match="is a table of Iceberg in the catalog") as refusal:
        lake.another().refresh(["bronze.events"])
    assert "Nothing was changed" in str(refusal.value)
    assert described(lake) == before


def test_describe_names_the_format_and_leaves_dropped_columns_out(lake: SmallLake) -> None:
    rows = describe_table("bronze.events", lake.settings)
    metadata = lake.described("bronze.events")["Parameters"]["metadata_location"]
    assert rows == [("format", "iceberg", "", metadata), ("column", "id", "int", "the key")]


def test_it_is_listed_without_a_version(lake: SmallLake) -> None:
    (row,) = [row for row in list_tables(lake.settings) if row[0] == "bronze"]
    assert (row[1], row[2], row[3]) == ("events", None, "")
