"""The embedded Athena: real answers from hand-written Parquet, errors in Athena's words, access to the lake only."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from etltctl.local.kernel.json_protocol import AwsError
from etltctl.local.services.athena.dialect import of_hive, rendered
from etltctl.local.services.athena.service import AthenaService
from etltctl.local.services.athena.types import duckdb_type
from etltctl.local.services.s3.directory import S3Directory
from support.served import wait_until

RESULTS = "s3://results/"


class OneCatalog:
    """A catalog in memory, in Glue's own shape."""

    def __init__(self) -> None:
        self.tables: dict[tuple[str, str], dict[str, Any]] = {}
        self.partitions: list[dict[str, Any]] = []

    def get_table(self, database: str, name: str) -> dict[str, Any] | None:
        return self.tables.get((database, name))

    def get_tables(self, database: str) -> list[dict[str, Any]]:
        return [table for (db, _), table in self.tables.items() if db == database]

    def get_databases(self) -> list[str]:
        return sorted({db for db, _ in self.tables})

    def get_database(self, name: str) -> dict[str, Any] | None:
        return {"Name": name} if name in self.get_databases() else None

    def get_partitions(self, *name: str) -> list[dict[str, Any]]:
        return self.partitions

    def get_workgroup(self, name: str) -> dict[str, Any] | None:
        configuration = {
            "ResultConfiguration": {"OutputLocation": RESULTS},
            "EnforceWorkGroupConfiguration": True,
        }
        return {"pi-m3": {"Name": name, "Configuration": configuration}, "bare": {"Name": name}}.get(name)

    def add(
        self,
        name: str,
        location: str,
        columns: dict[str, str],
        keys: dict[str, str] | None = None,
        **parameters: str,
    ) -> None:
        self.tables["gold", name] = {
            "Name": name,
            "StorageDescriptor": {
                "Location": location,
                "Columns": [{"Name": k, "Type": v} for k, v in columns.items()],
            },
            "PartitionKeys": [{"Name": k, "Type": v} for k, v in (keys or {}).items()],
            "Parameters": parameters,
        }


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The state folder of the module's service. One process for queries serves every test."""
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def directory(state: Path) -> S3Directory:
    s3_directory = S3Directory(state / "s3", state / "s3-meta")
    for bucket in ("lake", "results"):
        s3_directory.create_bucket(bucket)
    return s3_directory


def put(directory: S3Directory, key: str, **columns: Any) -> None:
    body = io.BytesIO()
    pq.write_table(pa.table(columns), body)
    directory.put_object("lake", key, body.getvalue())


@pytest.fixture(scope="module")
def days(directory: S3Directory) -> OneCatalog:
    """A catalog with the table `days`."""
    catalog = OneCatalog()
    put(
        directory,
        "days/v=1/part-0.parquet",
        city=pa.array(["a", "b", None]),
        n=pa.array([7, 2, None], pa.int32()),
        x=pa.array([1.5, 2.0, None]),
        day=pa.array([date(2026, 1, 2), None, None]),
        at=pa.array([datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), None, None], pa.timestamp("us", "UTC")),
        points=pa.array([Decimal("12.50"), None, None], pa.decimal128(6, 2)),
        tags=pa.array([["A", "B"], [], None]),
        ok=pa.array([True, False, None]),
    )
    directory.put_object("lake", "days/v=1/_SUCCESS", b"")
    columns = {
        "city": "string", "n": "bigint", "x": "double", "day": "date", "at": "timestamp",
        "points": "decimal(6,2)", "tags": "array<string>", "ok": "boolean", "absent": "string",
    }  # fmt: skip
    catalog.add("days", "s3://lake/days/v=1/", columns)
    return catalog


@pytest.fixture
def catalog(days: OneCatalog) -> Iterator[OneCatalog]:
    """The module's catalog; tables that a test adds are removed after it."""
    yield days
    days.tables = {("gold", "days"): days.tables["gold", "days"]}
    days.partitions = []


@pytest.fixture(scope="module")
def athena(state: Path, directory: S3Directory, days: OneCatalog) -> Iterator[AthenaService]:
    service = AthenaService(state, directory, days)
    yield service
    service.close()


def start(athena: AthenaService, sql: str, **request: Any) -> str:
    body = {
        "QueryString": sql,
        "WorkGroup": "pi-m3",
        "QueryExecutionContext": {"Database": "gold"},
        **request,
    }
    return str(athena.operations()["AmazonAthena.StartQueryExecution"](body)["QueryExecutionId"])


def state_of(athena: AthenaService, query_id: str) -> str:
    return str(athena.get({"QueryExecutionId": query_id})["QueryExecution"]["Status"]["State"])


def ended(athena: AthenaService, query_id: str) -> dict[str, Any]:
    wait_until(lambda: state_of(athena, query_id) not in ("QUEUED", "RUNNING"))
    return dict(athena.get({"QueryExecutionId": query_id})["QueryExecution"])


def rows(athena: AthenaService, sql: str, **request: Any) -> list[tuple[str | None, ...]]:
    query_id = start(athena, sql, **request)
    execution = ended(athena, query_id)
    assert execution["Status"]["State"] == "SUCCEEDED", execution["Status"]
    result_rows = athena.results({"QueryExecutionId": query_id})["ResultSet"]["Rows"]
    return [tuple(cell.get("VarCharValue") for cell in row["Data"]) for row in result_rows][1:]


def reason(athena: AthenaService, sql: str) -> str:
    execution = ended(athena, start(athena, sql))
    assert execution["Status"]["State"] == "FAILED", execution
    return str(execution["Status"]["StateChangeReason"])


def test_every_type_is_written_as_athena_writes_it(athena: AthenaService) -> None:
    assert rows(athena, "select * from days where city = 'a'") == [
        ("a", "7", "1.5", "2026-01-02", "2026-01-02 03:04:05.000", "12.50", "[A, B]", "true", None)
    ]


def test_columns_carry_athena_s_type_names(athena: AthenaService) -> None:
    query_id = start(athena, "select * from days")
    ended(athena, query_id)
    infos = athena.results({"QueryExecutionId": query_id})["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
    assert [info["Type"] for info in infos] == [
        "varchar", "bigint", "double", "date", "timestamp", "decimal", "array", "boolean", "varchar",
    ]  # fmt: skip
    assert (infos[5]["Precision"], infos[5]["Scale"]) == (6, 2)


@pytest.mark.parametrize(
    ("sql", "answer"),
    [
        ("select 1/2, -7/2, 7/2.0", ("0", "-3", "3.5")),
        ("select n/2 from days where city='a'", ("3",)),
        ("select sum(n)/count(n) from days", ("4",)),
        ("select try(1/0)", (None,)),
        ("select date_format(at, '%Y-%m') from days where n=7", ("2026-01",)),
        ("select date_trunc('month', day) from days where n=7", ("2026-01-01",)),
        (
            "select cardinality(tags), contains(tags, 'B'), element_at(tags, 1) from days where n=7",
            ("2", "true", "A"),
        ),
        ("select count_if(n > 1), arbitrary(city) from days where city is not null and n > 2", ("1", "a")),
        ("select max_by(city, n), min_by(city, n) from days", ("a", "b")),
        ("select try_cast('x' as integer), cast('7' as integer) + 1", (None, "8")),
        ("select json_extract_scalar('{\"a\": {\"b\": 3}}', '$.a.b')", ("3",)),
        ("select approx_distinct(city) from days", ("2",)),
        ("select 'a' || 'b', concat('a', 'b'), coalesce(null, 'c'), nullif(1, 1)", ("ab", "ab", "c", None)),
        ("select year(day), month(day), day_of_week(day) from days where n=7", ("2026", "1", "5")),
        ("with d as (select * from days) select count(*) from d", ("3",)),
        ("select t from days cross join unnest(tags) as u(t) where n=7 order by 1 desc limit 1", ("B",)),
        ("select count(*) from awsdatacatalog.gold.days", ("3",)),
        ("select sum(x) over (order by n) from days where n=7", ("1.5",)),
    ],
)
def test_a_typical_query_returns_its_rows(
    athena: AthenaService, sql: str, answer: tuple[str | None, ...]
) -> None:
    assert rows(athena, sql) == [answer]


def test_nulls_sort_last_in_both_directions(athena: AthenaService) -> None:
    assert [row[0] for row in rows(athena, "select n from days order by n")] == ["2", "7", None]
    assert [row[0] for row in rows(athena, "select n from days order by n desc")] == ["7", "2", None]


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("select * from gold.nothing", "TABLE_NOT_FOUND: line 1:"),
        ("select nope from days", "COLUMN_NOT_FOUND: line 1:8: Column 'nope' cannot be resolved"),
        ("select d.nope from days d", "COLUMN_NOT_FOUND"),
        ("selec 1", "SYNTAX_ERROR"),
        ("select 1; select 2", "Only one sql statement is allowed"),
        ("select cast('x' as integer)", "INVALID_CAST_ARGUMENT"),
        ("select nofunction(1)", "FUNCTION_NOT_FOUND"),
        (
            "select st_point(1, 2)",
            "NOT_SUPPORTED: the embedded Athena does not support the function st_point",
        ),
        (
            "optimize days rewrite data using bin_pack",
            "NOT_SUPPORTED: the embedded Athena does not model OPTIMIZE",
        ),
        ("vacuum days", "NOT_SUPPORTED: the embedded Athena does not model VACUUM"),
    ],
)
def test_a_query_that_cannot_run_fails_in_athena_s_words(athena: AthenaService, sql: str, words: str) -> None:
    assert words in reason(athena, sql)


@pytest.mark.parametrize(
    "sql",
    [
        "select * from read_csv('/etc/passwd')",
        "select * from read_text('/etc/hostname')",
        "select * from '/etc/passwd'",
        "copy days to '/tmp/x.csv'",
        "install httpfs",
        "attach '/tmp/x.db'",
    ],
)
def test_nothing_but_the_lake_can_be_read_or_written(athena: AthenaService, sql: str) -> None:
    assert reason(athena, sql)


def test_a_partitioned_table_with_projection_reads_only_projected_partitions(
    athena: AthenaService, catalog: OneCatalog, directory: S3Directory
) -> None:
    for city, year in (("a", 2023), ("a", 2024), ("b", 2024), ("c", 2024)):
        put(directory, f"obs/v=1/city={city}/year={year}/part.parquet", n=pa.array([year]))
    put(directory, "obs/v=0/city=a/year=2024/part.parquet", n=pa.array([0]))
    catalog.add(
        "obs",
        "s3://lake/obs/v=1/",
        {"n": "bigint"},
        {"city": "string", "year": "int"},
        **{
            "projection.enabled": "true",
            "projection.city.type": "enum",
            "projection.city.values": "a,b",
            "projection.year.type": "integer",
            "projection.year.range": "2023,2024",
            "storage.location.template": "s3://lake/obs/v=1/city=${city}/year=${year}/",
        },
    )
    sums = rows(athena, "select city, year, sum(n) from obs group by 1, 2 order by 1, 2")
    assert sums == [("a", "2023", "2023"), ("a", "2024", "2024"), ("b", "2024", "2024")]


def test_a_partitioned_table_reads_its_registered_partitions_only(
    athena: AthenaService, catalog: OneCatalog, directory: S3Directory
) -> None:
    put(directory, "p/one/part.parquet", n=pa.array([1]))
    put(directory, "p/two/part.parquet", n=pa.array([2]))
    catalog.add("p", "s3://lake/p/", {"n": "bigint"}, {"k": "string"})
    catalog.partitions = [{"Values": ["x"], "StorageDescriptor": {"Location": "s3://lake/p/two/"}}]
    assert rows(athena, "select k, n from p") == [("x", "2")]


def test_a_location_without_files_gives_no_rows(athena: AthenaService, catalog: OneCatalog) -> None:
    catalog.add("empty", "s3://lake/nothing/", {"n": "bigint"})
    assert rows(athena, "select * from empty") == []


def test_files_that_disagree_in_order_and_width_are_read_by_name(
    athena: AthenaService, catalog: OneCatalog, directory: S3Directory
) -> None:
    put(directory, "mixed/1.parquet", a=pa.array([1], pa.int32()), B=pa.array(["x"]))
    put(directory, "mixed/2.parquet", B=pa.array(["y"]), a=pa.array([2], pa.int64()))
    catalog.add("mixed", "s3://lake/mixed/", {"a": "bigint", "b": "string"})
    assert rows(athena, "select a, b from mixed order by a") == [("1", "x"), ("2", "y")]


def test_the_result_is_a_csv_on_s3_with_everything_quoted(
    athena: AthenaService, directory: S3Directory
) -> None:
    query_id = start(athena, "select city, x from days order by city nulls last")
    execution = ended(athena, query_id)
    assert execution["ResultConfiguration"]["OutputLocation"] == f"{RESULTS}{query_id}.csv"
    body = directory.get_object("results", f"{query_id}.csv")
    assert body == b'"city","x"\n"a","1.5"\n"b","2.0"\n,\n'
    assert execution["Statistics"]["DataScannedInBytes"] > 0


def test_results_have_pages(athena: AthenaService) -> None:
    query_id = start(athena, "select n from days order by n")
    ended(athena, query_id)
    first = athena.results({"QueryExecutionId": query_id, "MaxResults": 2})
    second = athena.results({"QueryExecutionId": query_id, "MaxResults": 2, "NextToken": first["NextToken"]})
    assert [len(page["ResultSet"]["Rows"]) for page in (first, second)] == [2, 2]
    assert "NextToken" not in second


def test_the_same_token_gives_the_same_execution(athena: AthenaService) -> None:
    token = "t" * 32
    assert start(athena, "select 1", ClientRequestToken=token) == start(
        athena, "select 1", ClientRequestToken=token
    )
    with pytest.raises(AwsError, match="Idempotent parameters do not match"):
        start(athena, "select 2", ClientRequestToken=token)


def test_parameters_are_literals(athena: AthenaService) -> None:
    assert rows(
        athena, "select city from days where n = ? and city = ?", ExecutionParameters=["7", "'a'"]
    ) == [("a",)]
    assert "INVALID_PARAMETER" in reason(athena, "select ?")
    query_id = start(athena, "select ?", ExecutionParameters=["it's"])
    assert "INVALID_PARAMETER" in ended(athena, query_id)["Status"]["StateChangeReason"]


def test_a_long_query_can_be_cancelled(athena: AthenaService) -> None:
    many = "unnest(sequence(1, 10000))"
    sql = (
        f"select count(*) from {many} a(x) cross join {many} b(y) cross join {many} c(z) where x * y * z = 7"
    )
    query_id = start(athena, sql)
    wait_until(lambda: state_of(athena, query_id) == "RUNNING")
    athena.stop({"QueryExecutionId": query_id})
    assert ended(athena, query_id)["Status"]["State"] == "CANCELLED"


def test_an_unknown_workgroup_or_no_output_location_is_refused(athena: AthenaService) -> None:
    with pytest.raises(AwsError, match="WorkGroup nowhere is not found"):
        start(athena, "select 1", WorkGroup="nowhere")
    with pytest.raises(AwsError, match="No output location provided"):
        start(athena, "select 1", WorkGroup="bare")


def test_executions_survive_the_server_and_unfinished_ones_have_failed(
    state: Path, directory: S3Directory, catalog: OneCatalog, athena: AthenaService
) -> None:
    query_id = start(athena, "select 1")
    ended(athena, query_id)
    again = AthenaService(state, directory, catalog)
    assert again.get({"QueryExecutionId": query_id})["QueryExecution"]["Status"]["State"] == "SUCCEEDED"
    again.close()


@pytest.mark.parametrize(
    ("hive", "duckdb"),
    [
        ("string", "VARCHAR"),
        ("decimal(6,2)", "DECIMAL(6,2)"),
        ("array<struct<a:int,b:array<string>>>", 'STRUCT("a" INTEGER, "b" VARCHAR[])[]'),
        ("map<string,decimal(6,2)>", "MAP(VARCHAR, DECIMAL(6,2))"),
    ],
)
def test_hive_types_may_be_nested(hive: str, duckdb: str) -> None:
    assert duckdb_type(hive) == duckdb


def test_nested_values_are_written_as_athena_writes_them() -> None:
    kind = of_hive("struct<a:int,b:array<string>>")
    assert rendered({"a": 1, "b": [None, "x"]}, kind) == "{a=1, b=[null, x]}"


def test_unload_writes_the_rows_as_parquet_and_returns_none(
    athena: AthenaService, directory: S3Directory
) -> None:
    inner = "SELECT city, n, points, sum(n) OVER () AS total FROM days WHERE n > 1"
    sql = f"UNLOAD ({inner}) TO 's3://lake/unloaded/' WITH (format='PARQUET', compression='SNAPPY')"
    assert rows(athena, sql) == []
    (written,) = directory.list_objects("lake", "unloaded/")
    table = pq.read_table(directory.path("lake", written.key))
    assert table.to_pylist() == [
        {"city": "a", "n": 7, "points": Decimal("12.50"), "total": 9},
        {"city": "b", "n": 2, "points": None, "total": 9},
    ]
    assert str(table.schema.field("total").type) == "int64"


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("UNLOAD (SELECT 1 AS a) TO 's3://lake/days/' WITH (format='PARQUET')", "HIVE_PATH_ALREADY_EXISTS"),
        ("UNLOAD (SELECT 1 AS a) TO 's3://lake/out/' WITH (format='AVRO')", "not AVRO"),
        (
            "UNLOAD (SELECT 1 AS a) TO 's3://lake/out/' WITH (format='PARQUET', partitioned_by='a')",
            "partitioned_by takes ARRAY",
        ),
        ("UNLOAD (SELECT nothing FROM days) TO 's3://lake/out/' WITH (format='PARQUET')", "'nothing'"),
        ("UNLOAD SELECT 1", "SYNTAX_ERROR"),
        ("UNLOAD (SELECT 1 AS a) TO '/tmp/out' WITH (format='PARQUET')", "SYNTAX_ERROR"),
        ("UNLOAD (SELECT 1 AS a) TO 's3://nowhere/x/' WITH (format='PARQUET')", "NoSuchBucket"),
        (
            "UNLOAD (SELECT 1 AS a) TO 's3://lake//tmp/out/' WITH (format='PARQUET')",
            "has a part that is empty, '.' or '..'",
        ),
        (
            "UNLOAD (SELECT 1 AS a) TO 's3://lake/../out/' WITH (format='PARQUET')",
            "has a part that is empty, '.' or '..'",
        ),
    ],
)
def test_an_impossible_unload_fails_in_athenas_words(athena: AthenaService, sql: str, says: str) -> None:
    assert says in reason(athena, sql)


@pytest.mark.parametrize(
    "table",
    ["read_parquet('s3/lake/**/*.parquet')", "read_text('/etc/passwd')", "duckdb_settings()", "range(3)"],
)
def test_no_table_function_reads_past_the_catalog(athena: AthenaService, table: str) -> None:
    assert "FUNCTION_NOT_FOUND" in reason(athena, f"select * from {table}")
    assert "FUNCTION_NOT_FOUND" in reason(athena, f"with t as (select * from {table}) select count(*) from t")
