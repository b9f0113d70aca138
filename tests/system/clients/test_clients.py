"""Third-party clients on the embedded lake: each reads the rows that `etltctl athena query` returns."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from support.programs import Clients

pytestmark = [pytest.mark.e2e, pytest.mark.clients]

TABLE = "f1_driver_championship"
SQL = f"select driver_id, wins, cast(points as double) as points from {TABLE} order by driver_id"
AWSWRANGLER = """
import awswrangler as wr
ways = {"ctas_approach": False, "workgroup": "pi-m3"}
%s
"""
PYATHENA = """
import json
from pyathena import connect
from pyathena.cursor import DictCursor
connection = connect(work_group="pi-m3", schema_name="pi_m3_gold", poll_interval=0.05)
%s
"""


@pytest.fixture(scope="module")
def rows(clients: Clients) -> list[dict[str, Any]]:
    """Return the table's rows as etltctl's query returns them."""
    records = clients.place.query(SQL)
    assert len(records) == 20  # drivers of the invented season
    return records


@pytest.mark.client("AWS CLI")
def test_the_aws_cli_lists_and_copies_objects_of_any_size(clients: Clients) -> None:
    big = clients.place.folder / "big.bin"
    big.write_bytes(bytes(range(256)) * 65_536)  # 16 MB: the client sends and fetches it in parts
    clients.aws("s3", "cp", "big.bin", "s3://pi-m3-bronze/copies/big.bin")
    clients.aws("s3", "cp", "s3://pi-m3-bronze/copies/big.bin", "s3://pi-m3-bronze/copies/again.bin")
    clients.aws("s3", "cp", "s3://pi-m3-bronze/copies/again.bin", "back.bin")
    assert (clients.place.folder / "back.bin").read_bytes() == big.read_bytes()
    output = clients.aws("s3", "ls", "s3://pi-m3-bronze/copies/")
    assert [line.split()[2:] for line in output.splitlines()] == [
        ["16777216", "again.bin"],
        ["16777216", "big.bin"],
    ]
    clients.aws("s3", "rm", "--recursive", "s3://pi-m3-bronze/copies/")
    listing = ["list-objects-v2", "--bucket", "pi-m3-bronze", "--prefix", "copies/", "--query", "Contents"]
    assert json.loads(clients.aws("s3api", *listing)) is None


@pytest.mark.client("AWS CLI")
def test_the_aws_cli_queries_athena(clients: Clients, rows: list[dict[str, Any]]) -> None:
    start = ["athena", "start-query-execution", "--work-group", "pi-m3", "--query-string", SQL]
    started = json.loads(clients.aws(*start, "--query-execution-context", "Database=pi_m3_gold"))
    execution = ["--query-execution-id", started["QueryExecutionId"]]
    deadline = time.monotonic() + 60
    state = ""
    while state not in ("SUCCEEDED", "FAILED"):
        assert time.monotonic() < deadline, state
        answer = json.loads(clients.aws("athena", "get-query-execution", *execution))
        state = answer["QueryExecution"]["Status"]["State"]
    answer = json.loads(clients.aws("athena", "get-query-results", *execution))
    texts = [[cell.get("VarCharValue") for cell in row["Data"]] for row in answer["ResultSet"]["Rows"]]
    assert texts[0] == ["driver_id", "wins", "points"]
    assert [(name, int(wins), float(points)) for name, wins, points in texts[1:]] == [
        tuple(row.values()) for row in rows
    ]


@pytest.mark.client("AWS CLI")
def test_the_aws_cli_reads_the_catalog(clients: Clients) -> None:
    command = ["get-tables", "--database-name", "pi_m3_gold", "--query", "TableList[].Name"]
    names = json.loads(clients.aws("glue", *command))
    tables = clients.place.json("athena", "tables")["rows"]
    assert sorted(names) == sorted(table["table"] for table in tables if table["layer"] == "gold")


@pytest.mark.parametrize("unloads", [False, True], ids=["results", "unload"])
@pytest.mark.client("awswrangler")
def test_awswrangler_queries_athena(clients: Clients, rows: list[dict[str, Any]], unloads: bool) -> None:
    more = f", unload_approach={unloads}" + (
        ', s3_output="s3://pi-m3-athena-results/frames/"' if unloads else ""
    )
    script = f'print(wr.athena.read_sql_query({SQL!r}, "pi_m3_gold", **ways{more}).to_json(orient="records"))'
    assert clients.python(AWSWRANGLER % script) == rows


@pytest.mark.client("awswrangler")
def test_awswrangler_reads_only_the_table_s_files(clients: Clients, rows: list[dict[str, Any]]) -> None:
    script = (
        f'frame = wr.s3.read_parquet_table(database="pi_m3_gold", table="{TABLE}")\n'
        'columns = frame[["driver_id", "wins", "points"]].astype({"points": float}).sort_values("driver_id")\n'
        'print(columns.to_json(orient="records"))'
    )
    assert clients.python(AWSWRANGLER % script) == rows


@pytest.mark.client("awswrangler")
def test_awswrangler_reads_a_table_s_folder_without_any_filter(
    clients: Clients, rows: list[dict[str, Any]]
) -> None:
    script = f"""
place = wr.catalog.get_table_location("pi_m3_gold", "{TABLE}")
types, partitions = wr.s3.read_parquet_metadata(place, dataset=True)
assert {{"driver_id", "wins", "points"}} <= types.keys(), types
frame = wr.s3.read_parquet(place, dataset=True)
columns = frame[["driver_id", "wins", "points"]].astype({{"points": float}}).sort_values("driver_id")
print(columns.to_json(orient="records"))
"""
    assert clients.python(AWSWRANGLER % script) == rows


@pytest.mark.client("awswrangler")
def test_awswrangler_writes_objects_that_it_reads_back(clients: Clients) -> None:
    script = """
import pandas as pd
frame = pd.DataFrame({"n": [1, 2, 3], "year": ["2024", "2024", "2025"]})
place = "s3://pi-m3-bronze/frames/"
wr.s3.to_parquet(frame, place, dataset=True, partition_cols=["year"], mode="overwrite")
print(wr.s3.read_parquet(place, dataset=True).astype({"year": str}).to_json(orient="records"))
"""
    assert clients.python(AWSWRANGLER % script) == [
        {"n": 1, "year": "2024"}, {"n": 2, "year": "2024"}, {"n": 3, "year": "2025"}
    ]  # fmt: skip


@pytest.mark.client("PyAthena")
def test_pyathena_queries_with_parameters_and_types(clients: Clients, rows: list[dict[str, Any]]) -> None:
    sql = SQL.replace("order by", "where driver_id = %(name)s order by")
    script = f"""
cursor = connection.cursor(DictCursor)
cursor.execute({sql!r}, {{"name": {rows[3]["driver_id"]!r}}})
print(json.dumps(cursor.fetchall()))
"""
    assert clients.python(PYATHENA % script) == [rows[3]]


@pytest.mark.client("SQLAlchemy")
def test_pandas_reads_through_sqlalchemy(clients: Clients, rows: list[dict[str, Any]]) -> None:
    script = f"""
import pandas as pd
from sqlalchemy import create_engine
engine = create_engine("awsathena+rest://athena.us-east-1.amazonaws.com:443/pi_m3_gold?work_group=pi-m3&poll_interval=0.05")
print(pd.read_sql({SQL!r}, engine).to_json(orient="records"))
"""
    assert clients.python(PYATHENA % script) == rows


@pytest.mark.client("s3fs and pyarrow")
def test_s3fs_and_pyarrow_read_a_table_s_location(clients: Clients, rows: list[dict[str, Any]]) -> None:
    location = clients.aws(
        "glue", "get-table", "--database-name", "pi_m3_gold", "--name", TABLE,
        "--query", "Table.StorageDescriptor.Location", "--output", "text",
    ).strip()  # fmt: skip
    # Seen once: pyarrow's threads, which still hold the Python filesystem, abort the interpreter as it shuts down.
    script = f"""
import json, os, pyarrow.dataset as ds, s3fs
table = ds.dataset({location.removeprefix("s3://")!r}, filesystem=s3fs.S3FileSystem(), partitioning="hive").to_table()
rows = table.select(["driver_id", "wins", "points"]).sort_by("driver_id").to_pylist()
print(json.dumps([{{**row, "points": float(row["points"])}} for row in rows]), flush=True)
os._exit(0)
"""
    assert clients.python(script) == rows
