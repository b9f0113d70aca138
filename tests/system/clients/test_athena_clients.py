"""Third-party clients write tables with the embedded Athena, unload from it and read its catalog."""

from __future__ import annotations

from typing import Any

import pytest

from support.programs import Clients

pytestmark = [pytest.mark.e2e, pytest.mark.clients]

ROWS = [{"id": 1, "name": "a", "gap": 0.5}, {"id": 2, "name": "b", "gap": None}]
SQL = "select id, name, gap from laps order by id"
PYATHENA = """
import json
from pyathena import connect
connection = connect(
    work_group="primary", s3_staging_dir="s3://client-results/q/", schema_name="clients", poll_interval=0.05
)
%s
"""
WRANGLER = """
import awswrangler as wr
import uuid
ways = {"s3_output": f"s3://client-results/wr/{uuid.uuid4()}/", "workgroup": "primary"}
%s
"""
ENGINE = """
import json
import pandas as pd
import sqlalchemy as sa
url = "awsathena+rest://@athena.us-east-1.amazonaws.com:443/clients"
engine = sa.create_engine(url + "?s3_staging_dir=s3://client-results/q/&poll_interval=0.05")
inspector = sa.inspect(engine)
%s
"""


@pytest.fixture(scope="module", autouse=True)
def _laps(lake: Clients) -> None:
    """Make one small table with PyAthena."""
    script = """
cursor = connection.cursor()
cursor.execute("create database clients")
cursor.execute("create table laps as select 1 as id, cast('a' as varchar) as name, 0.5e0 as gap")
counts = [cursor.rowcount]
cursor.execute("insert into laps values (2, 'b', null)")
print(json.dumps([*counts, cursor.rowcount]))
"""
    assert lake.python(PYATHENA % script) == [1, 1]


@pytest.mark.parametrize(
    ("cursor", "rows"),
    [
        (
            "pandas.cursor import PandasCursor",
            "json.loads(cursor.execute(SQL).as_pandas().to_json(orient='records'))",
        ),
        ("arrow.cursor import ArrowCursor", "cursor.execute(SQL).as_arrow().to_pylist()"),
    ],
    ids=["pandas", "arrow"],
)
@pytest.mark.parametrize("unload", [False, True], ids=["results", "unload"])
@pytest.mark.client("PyAthena")
def test_pyathena_reads_results_and_unloads(lake: Clients, cursor: str, rows: str, unload: bool) -> None:
    module, _, name = cursor.partition(" import ")
    # pyarrow's own S3 client does not read AWS_ENDPOINT_URL, and PyAthena hands it no endpoint.
    script = f"""
import functools, os
from pyarrow import fs
fs.S3FileSystem = functools.partial(fs.S3FileSystem, endpoint_override=os.environ["AWS_ENDPOINT_URL"])
from pyathena.{module} import {name}
SQL = {SQL!r}
cursor = connection.cursor({name}, unload={unload})
print(json.dumps({rows}))
"""
    assert lake.python(PYATHENA % script) == ROWS


@pytest.mark.parametrize("approach", ["ctas", "unload", "neither"])
@pytest.mark.client("awswrangler")
def test_awswrangler_reads_a_query_in_each_of_its_ways(lake: Clients, approach: str) -> None:
    ways = f"ctas_approach={approach == 'ctas'}, unload_approach={approach == 'unload'}"
    script = f"""
frame = wr.athena.read_sql_query({SQL!r}, "clients", {ways}, **ways)
print(frame.sort_values("id").to_json(orient="records"))
"""
    assert lake.python(WRANGLER % script) == ROWS


@pytest.mark.client("awswrangler")
def test_awswrangler_makes_a_table_and_unloads(lake: Clients) -> None:
    script = """
made = wr.athena.create_ctas_table(
    "select id, name from laps", "clients", ctas_table="copied", ctas_database="clients", storage_format="orc",
    partitioning_info=["name"], wait=True, **ways,
)
place = "s3://client-results/unloaded/"
unloaded = wr.athena.unload("select * from laps", place, "clients", workgroup="primary")
own = [f"{unloaded.output_location}.metadata", unloaded.manifest_location]
frame = wr.s3.read_parquet([path for path in wr.s3.list_objects(place) if path not in own])
tables = [table["Name"] for table in wr.catalog.get_tables(database="clients")]
types = wr.catalog.get_table_types("clients", "copied")
described = wr.athena.describe_table("copied", "clients", **ways)["Column Name"].tolist()
import json
print(json.dumps({"types": types, "described": described, "rows": len(frame), "is there": "copied" in tables}))
"""
    assert lake.python(WRANGLER % script) == {
        "types": {"id": "int", "name": "string"}, "described": ["id", "name"], "rows": 2, "is there": True
    }  # fmt: skip


@pytest.mark.client("awswrangler")
def test_awswrangler_starts_and_prepares_statements(lake: Clients) -> None:
    script = """
wr.athena.create_prepared_statement("select id from laps where name = ?", "by_name", workgroup="primary")
names = [one["StatementName"] for one in wr.athena.list_prepared_statements(workgroup="primary")]
frame = wr.athena.read_sql_query("execute by_name using 'b'", "clients", ctas_approach=False, **ways)
wr.athena.delete_prepared_statement("by_name", workgroup="primary")
import json
print(json.dumps([names, frame["id"].tolist()]))
"""
    assert lake.python(WRANGLER % script) == [["by_name"], [2]]


@pytest.mark.client("SQLAlchemy")
def test_sqlalchemy_inspects_the_catalog(lake: Clients) -> None:
    script = """
columns = [(column["name"], str(column["type"])) for column in inspector.get_columns("laps")]
print(json.dumps({
    "schemas": "clients" in inspector.get_schema_names(), "tables": "laps" in inspector.get_table_names(),
    "views": inspector.get_view_names(), "has": [inspector.has_table(name) for name in ("laps", "nothing")],
    "columns": columns,
}))
"""
    answer: dict[str, Any] = lake.python(ENGINE % script)
    assert answer == {
        "schemas": True, "tables": True, "views": [], "has": [True, False],
        "columns": [["id", "INTEGER"], ["name", "VARCHAR"], ["gap", "DOUBLE"]],
    }  # fmt: skip


@pytest.mark.client("SQLAlchemy")
def test_sqlalchemy_reflects_a_table_that_pandas_wrote(lake: Clients) -> None:
    script = """
frame = pd.DataFrame({"n": [1, 2], "t": ["x", "y"]})
where = {"location": "s3://client-results/pandas/"}
url = "awsathena+rest://@athena.us-east-1.amazonaws.com:443/clients?s3_staging_dir=s3://client-results/q/"
engine = sa.create_engine(url + "&poll_interval=0.05&location=s3://client-results/pandas/")
frame.to_sql("written", engine, index=False, if_exists="fail", method="multi")
table = sa.Table("written", sa.MetaData(), autoload_with=engine)
with engine.connect() as connection:
    rows = connection.execute(sa.select(table).order_by(table.c.n)).all()
print(json.dumps([list(row) for row in rows]))
"""
    assert lake.python(ENGINE % script) == [[1, "x"], [2, "y"]]
