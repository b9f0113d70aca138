"""CREATE TABLE AS over the wire: files, the catalog's description of the table, and what leaves no table behind."""

from __future__ import annotations

import gzip
import io
from typing import Any

import pyarrow.parquet as pq
import pytest

from support.athena import Athena
from support.served import Served

LAKE = "s3://ctas-lake"


@pytest.fixture(scope="module")
def athena(server: Served) -> Athena:
    athena = Athena(server, "ctas-results", "ctas_gold")
    athena.s3.create_bucket(Bucket="ctas-lake")
    athena.glue.create_database(DatabaseInput={"Name": "ctas_gold"})
    return athena


def has_table(athena: Athena, name: str) -> bool:
    tables = athena.glue.get_tables(DatabaseName="ctas_gold")["TableList"]
    return name in [table["Name"] for table in tables]


def test_the_table_has_the_rows_and_the_types_of_the_query(athena: Athena) -> None:
    sql = """
        CREATE TABLE typed AS
        SELECT 1 AS i, bigint '2' AS l, 1.5 AS d, 1e0 AS x, 'a' AS s, cast('b' AS varchar) AS v, true AS ok,
               date '2024-01-02' AS day, timestamp '2024-01-02 03:04:05.1239' AS at,
               ARRAY[1] AS list, MAP(ARRAY['k'], ARRAY[1]) AS m, CAST(ROW(1, 'z') AS row(n integer, t varchar)) AS r
    """
    execution = athena.succeed(sql)
    assert (execution["StatementType"], execution["SubstatementType"]) == ("DDL", "CREATE_TABLE_AS_SELECT")
    columns = {
        column["Name"]: column["Type"] for column in athena.table("typed")["StorageDescriptor"]["Columns"]
    }
    assert columns == {
        "i": "int", "l": "bigint", "d": "decimal(2,1)", "x": "double", "s": "varchar(1)", "v": "string",
        "ok": "boolean", "day": "date", "at": "timestamp", "list": "array<int>", "m": "map<string,int>",
        "r": "struct<n:int,t:string>",
    } | {"m": "map<varchar(1),int>"}  # fmt: skip
    assert athena.rows("SELECT i, l, d, x, s, v, ok, day, at, list, m, r.t FROM typed") == [
        (
            "1",
            "2",
            "1.5",
            "1.0",
            "a",
            "b",
            "true",
            "2024-01-02",
            "2024-01-02 03:04:05.124",
            "[1]",
            "{k=1}",
            "z",
        )
    ]


def test_the_table_lies_below_the_results_and_its_files_are_in_the_manifest(athena: Athena) -> None:
    execution = athena.succeed("CREATE TABLE placed AS SELECT 1 AS a")
    query_id = execution["QueryExecutionId"]
    location = f"s3://ctas-results/q/tables/{query_id}"
    assert execution["ResultConfiguration"]["OutputLocation"] == location
    assert execution["Statistics"]["DataManifestLocation"] == f"{location}-manifest.csv"
    assert athena.table("placed")["StorageDescriptor"]["Location"] == f"{location}/"
    (url,) = athena.manifest(execution)
    assert url.startswith(f"{location}/")
    assert athena.parquet(url).to_pylist() == [{"a": 1}]
    results = athena.client.get_query_results(QueryExecutionId=query_id)
    assert (results["UpdateCount"], results["ResultSet"]["Rows"]) == (1, [])


def test_external_location_is_where_the_table_lies(athena: Athena) -> None:
    athena.succeed(f"CREATE TABLE elsewhere WITH (external_location = '{LAKE}/elsewhere') AS SELECT 1 AS a")
    assert athena.table("elsewhere")["StorageDescriptor"]["Location"] == f"{LAKE}/elsewhere/"
    assert len(athena.keys(f"{LAKE}/elsewhere/")) == 1
    sql = f"CREATE TABLE again WITH (external_location = '{LAKE}/elsewhere/') AS SELECT 1 AS a"
    assert athena.reason(sql).startswith("HIVE_PATH_ALREADY_EXISTS: ")
    assert not has_table(athena, "again")


def test_a_workgroup_that_enforces_its_location_refuses_another(athena: Athena) -> None:
    configuration = {
        "ResultConfiguration": {"OutputLocation": "s3://ctas-results/central/"}, "EnforceWorkGroupConfiguration": True
    }  # fmt: skip
    athena.client.create_work_group(Name="central", Configuration=configuration)
    sql = f"CREATE TABLE outside WITH (external_location = '{LAKE}/outside/') AS SELECT 1 AS a"
    assert "enforces a centralized output location" in athena.reason(sql, WorkGroup="central")
    execution = athena.succeed("CREATE TABLE inside AS SELECT 1 AS a", WorkGroup="central")
    assert athena.table("inside")["StorageDescriptor"]["Location"] == (
        f"s3://ctas-results/central/tables/{execution['QueryExecutionId']}/"
    )


def test_partitions_are_folders_that_the_catalog_knows(athena: Athena) -> None:
    athena.succeed(f"""
        CREATE TABLE parted WITH (partitioned_by = ARRAY['year', 'kind'], external_location = '{LAKE}/parted/') AS
        SELECT * FROM (VALUES (1, 2023, 'a/b'), (2, 2024, 'c'), (3, 2024, null)) t(n, year, kind)
    """)
    assert [column["Name"] for column in athena.table("parted")["PartitionKeys"]] == ["year", "kind"]
    partitions = athena.glue.get_partitions(DatabaseName="ctas_gold", TableName="parted")["Partitions"]
    assert {tuple(one["Values"]): one["StorageDescriptor"]["Location"] for one in partitions} == {
        ("2023", "a/b"): f"{LAKE}/parted/year=2023/kind=a%2Fb/",
        ("2024", "c"): f"{LAKE}/parted/year=2024/kind=c/",
        ("2024", "__HIVE_DEFAULT_PARTITION__"): f"{LAKE}/parted/year=2024/kind=__HIVE_DEFAULT_PARTITION__/",
    }
    assert athena.rows("SELECT n, year, kind FROM parted ORDER BY n") == [
        ("1", "2023", "a/b"), ("2", "2024", "c"), ("3", "2024", None)
    ]  # fmt: skip


def test_more_than_a_hundred_partitions_are_refused(athena: Athena) -> None:
    sql = "CREATE TABLE many WITH (partitioned_by = ARRAY['p']) AS SELECT 1 AS a, p FROM UNNEST(sequence(1, {})) t(p)"
    assert athena.reason(sql.format(101)).startswith("HIVE_TOO_MANY_OPEN_PARTITIONS: Exceeded limit of 100 ")
    assert not has_table(athena, "many")
    athena.succeed(sql.format(100))


@pytest.mark.parametrize("codec", ["SNAPPY", "GZIP", "ZSTD"])
def test_the_compression_of_parquet_is_a_property(athena: Athena, codec: str) -> None:
    name = "parquet_compression" if codec == "SNAPPY" else "write_compression"
    execution = athena.succeed(
        f"CREATE TABLE c_{codec} WITH (format = 'parquet', {name} = '{codec}') AS SELECT 1 AS a"
    )
    body = athena.read(athena.manifest(execution)[0])
    assert pq.ParquetFile(io.BytesIO(body)).metadata.row_group(0).column(0).compression == codec


def test_text_has_hive_s_delimiters_and_nulls(athena: Athena) -> None:
    sql = """CREATE TABLE text WITH (format = 'TEXTFILE', field_delimiter = '|') AS
             SELECT 1 AS a, cast(null AS varchar) AS b, ARRAY['x', 'y'] AS c, 0.5e0 AS d"""
    (url,) = athena.manifest(athena.succeed(sql))
    assert url.endswith(".gz")
    assert gzip.decompress(athena.read(url)) == b"1|\\N|x\x02y|0.5\n"
    serde = athena.table("text")["StorageDescriptor"]["SerdeInfo"]
    assert serde["SerializationLibrary"].endswith("LazySimpleSerDe")
    assert serde["Parameters"]["field.delim"] == "|"


def test_json_has_an_object_a_line(athena: Athena) -> None:
    sql = """CREATE TABLE jsons WITH (format = 'JSON', write_compression = 'NONE') AS
             SELECT 1 AS a, date '2024-01-02' AS b, MAP(ARRAY['k'], ARRAY[true]) AS c, cast(null AS bigint) AS d"""
    (url,) = athena.manifest(athena.succeed(sql))
    assert athena.read(url) == b'{"a": 1, "b": "2024-01-02", "c": {"k": true}, "d": null}\n'


def test_rows_are_divided_into_buckets_by_hive_s_hash(athena: Athena) -> None:
    sql = """CREATE TABLE bucketed WITH (bucketed_by = ARRAY['n'], bucket_count = 4) AS
             SELECT n FROM UNNEST(sequence(1, 10)) t(n)"""
    urls = athena.manifest(athena.succeed(sql))
    assert [athena.parquet(url)["n"].to_pylist() for url in urls] == [[4, 8], [1, 5, 9], [2, 6, 10], [3, 7]]
    storage = athena.table("bucketed")["StorageDescriptor"]
    assert (storage["NumberOfBuckets"], storage["BucketColumns"]) == (4, ["n"])
    assert athena.rows("SELECT sum(n) FROM bucketed") == [("55",)]


def test_with_no_data_makes_an_empty_table(athena: Athena) -> None:
    execution = athena.succeed("CREATE TABLE empty AS SELECT 1 AS a, 'x' AS b WITH NO DATA")
    assert athena.manifest(execution) == []
    assert athena.rows("SELECT * FROM empty") == []
    assert [column["Type"] for column in athena.table("empty")["StorageDescriptor"]["Columns"]] == [
        "int",
        "varchar(1)",
    ]


def test_a_table_that_exists_is_refused_or_left(athena: Athena) -> None:
    athena.succeed("CREATE TABLE twice AS SELECT 1 AS a")
    reason = athena.reason("CREATE TABLE ctas_gold.twice AS SELECT 2 AS a")
    assert reason == "TABLE_ALREADY_EXISTS: line 1:14: Table 'awsdatacatalog.ctas_gold.twice' already exists"
    athena.succeed("CREATE TABLE IF NOT EXISTS twice AS SELECT 2 AS a")
    assert athena.rows("SELECT a FROM twice") == [("1",)]


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("CREATE TABLE bad AS SELECT nope FROM twice", "COLUMN_NOT_FOUND: line 1:28: "),
        ("CREATE TABLE bad AS SELECT 1", "MISSING_COLUMN_NAME: "),
        ("CREATE TABLE bad AS SELECT 1 AS a, 2 AS A", "DUPLICATE_COLUMN_NAME: "),
        ("CREATE TABLE bad AS SELECT null AS a", "NOT_SUPPORTED: Unsupported Hive type: unknown"),
        ("CREATE TABLE bad AS SELECT row(1) AS a", "NOT_SUPPORTED: Anonymous row type"),
        ("CREATE TABLE bad AS SELECT 1 / 0 AS a", "DIVISION_BY_ZERO"),
        ("CREATE TABLE bad AS", "REFUSED: line 1:20: mismatched input '<EOF>'"),
        ("CREATE TABLE bad (a int)", "REFUSED: No location was specified for table"),
        ("CREATE TABLE bad WITH (format = 'AVRO') AS SELECT 1 AS a", "NOT_SUPPORTED: "),
        ("CREATE TABLE bad WITH (format = 'XML') AS SELECT 1 AS a", "INVALID_TABLE_PROPERTY: "),
        ("CREATE TABLE bad WITH (FORMAT = 'JSON') AS SELECT 1 AS a", "INVALID_TABLE_PROPERTY: "),
        ("CREATE TABLE bad WITH (colour = 'red') AS SELECT 1 AS a", "INVALID_TABLE_PROPERTY: "),
        ("CREATE TABLE bad WITH (bucketed_by = ARRAY['a']) AS SELECT 1 AS a", "INVALID_TABLE_PROPERTY: "),
        (
            "CREATE TABLE bad WITH (partitioned_by = ARRAY['a']) AS SELECT 1 AS a, 2 AS b",
            "HIVE_COLUMN_ORDER_MISMATCH: ",
        ),
        ("CREATE TABLE bad WITH (table_type = 'ICEBERG') AS SELECT 1 AS a", "INVALID_TABLE_PROPERTY: "),
        (
            "CREATE TABLE nowhere.bad AS SELECT 1 AS a",
            "SCHEMA_NOT_FOUND: line 1:14: Schema nowhere not found",
        ),
    ],
)
def test_a_statement_that_fails_leaves_no_table(athena: Athena, sql: str, reason: str) -> None:
    assert athena.reason(sql).startswith(reason)
    assert not has_table(athena, "bad")


def test_parameters_views_and_common_tables_are_sources(athena: Athena) -> None:
    athena.succeed("CREATE OR REPLACE VIEW numbers AS SELECT n FROM UNNEST(sequence(1, 9)) t(n)")
    request: dict[str, Any] = {"ExecutionParameters": ["7"]}
    query = "WITH w AS (SELECT * FROM numbers) SELECT n FROM w WHERE n > ?"
    sql = f"CREATE TABLE from_view (number) COMMENT 'some' AS ({query})"
    athena.succeed(sql, **request)
    assert athena.rows("SELECT number FROM from_view ORDER BY 1") == [("8",), ("9",)]
    assert athena.table("from_view")["Description"] == "some"


@pytest.mark.parametrize("form", ["PARQUET", "ORC", "JSON", "TEXTFILE"])
def test_a_table_of_any_format_is_read_back_and_added_to(athena: Athena, form: str) -> None:
    query = """
        SELECT i, 1.50 AS d, 0.1e0 AS x, s, i = 1 AS ok, date '2024-01-02' AS day,
               timestamp '2024-01-02 03:04:05.678' AS at, ARRAY[i, null] AS list, MAP(ARRAY['k'], ARRAY[i]) AS m,
               CAST(ROW(i, 'z') AS row(n integer, t varchar)) AS r
        FROM (VALUES (1, cast('a' AS varchar)), (2, null)) t(i, s)
    """
    rows = athena.rows(f"{query} ORDER BY i")
    athena.succeed(f"CREATE TABLE of_{form} WITH (format = '{form}') AS {query}")
    assert athena.rows(f"SELECT * FROM of_{form} ORDER BY i") == rows
    athena.succeed(f"INSERT INTO of_{form} SELECT * FROM of_{form} WHERE i = 2")
    assert athena.rows(f"SELECT * FROM of_{form} ORDER BY i") == [rows[0], rows[1], rows[1]]
