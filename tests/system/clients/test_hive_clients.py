"""Third-party clients create tables of text in the embedded Athena, and read their definitions and their rows."""

from __future__ import annotations

import pytest

from support.programs import Clients

pytestmark = [pytest.mark.e2e, pytest.mark.clients]

WRANGLER = """
import json
import awswrangler as wr
import pandas as pd
ways = {"s3_output": "s3://client-results/hive/wr/", "workgroup": "primary"}
def read(table):
    frame = wr.athena.read_sql_query(f"select * from {table} order by 1", "hive", ctas_approach=False, **ways)
    return json.loads(frame.to_json(orient="values"))
%s
"""
PYATHENA = """
import json
from pyathena import connect
cursor = connect(
    work_group="primary", s3_staging_dir="s3://client-results/hive/q/", schema_name="hive", poll_interval=0.05
).cursor()
%s
"""


@pytest.fixture(scope="module", autouse=True)
def _database(lake: Clients) -> None:
    """Create the empty database `hive` with PyAthena."""
    script = "cursor.execute('CREATE DATABASE IF NOT EXISTS hive'); print(json.dumps(cursor.fetchall()))"
    assert lake.python(PYATHENA % script) == []


@pytest.mark.parametrize("form", ["csv", "json"])
@pytest.mark.client("awswrangler")
def test_what_awswrangler_writes_as_text_is_read_back(lake: Clients, form: str) -> None:
    options = "index=False, sep='|'" if form == "csv" else "orient='records', lines=True, index=False"
    script = f"""
frame = pd.DataFrame({{"n": [1, 2], "t": ["x|y", "z"], "d": ["p", "q"]}})
wr.s3.to_{form}(
    frame, "s3://client-results/hive/{form}/", dataset=True, database="hive", table="as_{form}", partition_cols=["d"],
    {options},
)
print(json.dumps(read("as_{form}")))
"""
    assert lake.python(WRANGLER % script) == [[1, "x|y", "p"], [2, "z", "q"]]


@pytest.mark.client("awswrangler")
def test_awswrangler_repairs_and_describes_a_table(lake: Clients) -> None:
    script = """
wr.athena.start_query_execution(
    "CREATE EXTERNAL TABLE repaired (id int COMMENT 'c') PARTITIONED BY (day string) LOCATION 's3://client-results/hive/r/'",
    "hive", wait=True, **ways)
wr.s3.to_csv(pd.DataFrame({"id": [7]}), "s3://client-results/hive/r/day=1/a.csv", index=False, header=False)
state = wr.athena.repair_table("repaired", "hive", **ways)
described = wr.athena.describe_table("repaired", "hive", **ways).values.tolist()
created = wr.athena.show_create_table("repaired", "hive", **ways)
print(json.dumps([state, described, created[:52], read("repaired")]))
"""
    assert lake.python(WRANGLER % script) == [
        "SUCCEEDED",
        [["id", "int", False, "c"], ["day", "string", True, ""]],
        "CREATE EXTERNAL TABLE `repaired`( `id` int COMMENT '",
        [[7, "1"]],
    ]


@pytest.mark.client("PyAthena")
def test_pyathena_lists_what_it_created(lake: Clients) -> None:
    script = """
cursor.execute("CREATE EXTERNAL TABLE listed (id int) PARTITIONED BY (d date) LOCATION 's3://client-results/hive/l/'")
cursor.execute("ALTER TABLE listed ADD IF NOT EXISTS PARTITION (d = '2024-01-01')")
answers = []
for words in ("PARTITIONS listed", "TABLES 'lis*'", "COLUMNS IN listed", "TBLPROPERTIES listed('EXTERNAL')"):
    answers.append([list(row) for row in cursor.execute(f"SHOW {words}").fetchall()])
cursor.execute("SELECT table_name FROM information_schema.tables WHERE table_name = 'listed'")
print(json.dumps([*answers, cursor.fetchall()]))
"""
    assert lake.python(PYATHENA % script) == [
        [["d=2024-01-01"]], [["listed"]], [["id".ljust(20)], ["d".ljust(20)]], [["TRUE"]], [["listed"]],
    ]  # fmt: skip


@pytest.mark.client("SQLAlchemy")
def test_sqlalchemy_creates_and_drops_a_table_of_hive_s(lake: Clients) -> None:
    script = """
import sqlalchemy as sa
engine = sa.create_engine(
    "awsathena+rest://@athena.us-east-1.amazonaws.com:443/hive?s3_staging_dir=s3://client-results/hive/q/&poll_interval=0.05"
)
metadata = sa.MetaData()
table = sa.Table(
    "made", metadata,
    sa.Column("n", sa.Integer, comment="it's"), sa.Column("d", sa.String, awsathena_partition=True),
    awsathena_location="s3://client-results/hive/made/", awsathena_file_format="PARQUET", comment="a table",
)
metadata.create_all(engine)
columns = [column["name"] for column in sa.inspect(engine).get_columns("made")]
comment = sa.inspect(engine).get_table_comment("made")["text"]
with engine.connect() as connection:
    rows = connection.execute(sa.select(table)).all()
metadata.drop_all(engine)
print(json.dumps([columns, comment, len(rows), sa.inspect(engine).has_table("made")]))
"""
    assert lake.python(PYATHENA % script) == [["n", "d"], "a table", 0, False]
