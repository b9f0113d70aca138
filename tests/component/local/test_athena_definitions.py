"""SHOW and DESCRIBE: Athena's rows, with Hive's padding and order."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.athena import Athena
from support.served import Served

EMPTY = ("\t \t ",)
HEADER = ("# col_name          \tdata_type           \tcomment             ",)


def padded(*cells: str) -> tuple[str]:
    return ("\t".join(cell.ljust(20) for cell in cells),)


@pytest.fixture(scope="module")
def shown(server: Served) -> Iterator[Athena]:
    """Athena with a database `shown`, in it a table of two kinds of columns, a view and another table."""
    athena = Athena(server, "shown-by-ddl", "shown")
    athena.succeed("CREATE DATABASE shown")
    athena.succeed(
        r"""CREATE EXTERNAL TABLE zoo (id int COMMENT 'it\'s', name varchar(10), s struct<aa:int,bb:string>)
            COMMENT 'a zoo' PARTITIONED BY (day string)
            ROW FORMAT DELIMITED FIELDS TERMINATED BY '\001' ESCAPED BY '\\'
            LOCATION 's3://shown-by-ddl/zoo/' TBLPROPERTIES ('k' = 'a\\b')"""
    )
    athena.succeed(
        "CREATE EXTERNAL TABLE ant (id int) ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde' "
        "WITH SERDEPROPERTIES ('separatorChar' = ';') LOCATION 's3://shown-by-ddl/ant/'"
    )
    athena.succeed("CREATE VIEW bee AS SELECT 1 AS n, 'a' AS s, CAST(1 AS decimal(5, 2)) AS d")
    yield athena
    athena.succeed("DROP DATABASE shown CASCADE")


def test_tables_and_views_stand_in_the_order_of_their_names(shown: Athena) -> None:
    assert shown.rows("SHOW TABLES") == [("ant",), ("bee",), ("zoo",)]
    assert shown.rows("SHOW VIEWS IN shown") == [("bee",)]
    assert shown.rows("show views like 'x*'") == []


@pytest.mark.parametrize("pattern", ["'*o*'", "LIKE 'zo*'", "'zo.*'", "'q|zoo'", "LIKE 'ZOO'"])
def test_a_pattern_names_tables(shown: Athena, pattern: str) -> None:
    assert shown.rows(f"SHOW TABLES IN shown {pattern}") == [("zoo",)]


def test_a_missing_database_is_not_an_empty_one(shown: Athena) -> None:
    reason = "FAILED: SemanticException [Error 10072]: Database does not exist: nope"
    assert shown.reason("SHOW TABLES IN nope") == reason


@pytest.mark.parametrize("statement", ["DESCRIBE", "desc", "DESCRIBE "])
def test_a_table_is_described_by_padded_columns(shown: Athena, statement: str) -> None:
    day = padded("day", "string", "")
    columns = [padded("id", "int", "it's"), padded("name", "varchar(10)", "")]
    columns.append(padded("s", "struct<aa:int,bb:string>", ""))
    assert shown.rows(f"{statement} `shown`.`zoo`") == [
        *columns, day, EMPTY, ("# Partition Information\t \t ",), HEADER, EMPTY, day,
    ]  # fmt: skip


def test_columns_of_an_answer_are_named_and_typed_as_athena_s(shown: Athena) -> None:
    execution = shown.succeed("DESCRIBE ant")
    answer = shown.client.get_query_results(QueryExecutionId=execution["QueryExecutionId"])
    columns = answer["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]
    assert [(column["Name"], column["Type"]) for column in columns] == [
        ("col_name", "string"), ("data_type", "string"), ("comment", "string"),
    ]  # fmt: skip
    text = shown.read(execution["ResultConfiguration"]["OutputLocation"]).decode()
    assert text == padded("id", "int", "")[0]


def test_a_view_is_described_by_trino_s_types(shown: Athena) -> None:
    rows = [("n\tinteger",), ("s\tvarchar(1)",), ("d\tdecimal(5,2)",)]
    assert shown.rows("DESCRIBE bee") == shown.rows("SHOW COLUMNS IN bee") == rows
    assert shown.succeed("DESCRIBE bee")["SubstatementType"] == "DESC_VIEW"


def test_a_formatted_description_tells_how_the_files_are_kept(shown: Athena) -> None:
    rows = shown.rows("DESCRIBE FORMATTED ant")
    assert rows[:3] == [HEADER, EMPTY, padded("id", "int", "")]
    assert (f"{'Location:'.ljust(20)}\ts3://shown-by-ddl/ant/\t ",) in rows
    assert (f"\t{'separatorChar'.ljust(20)}\t{';'.ljust(20)}",) in rows
    last = shown.rows("DESCRIBE EXTENDED ant")[-1][0]
    assert last is not None
    assert last.startswith("Detailed Table Information\tTable(tableName:ant, dbName:shown, ")


def test_a_partition_is_described(shown: Athena) -> None:
    shown.succeed("ALTER TABLE zoo ADD IF NOT EXISTS PARTITION (day = '1')")
    rows = shown.rows("DESCRIBE FORMATTED zoo PARTITION (day = '1')")
    assert (f"{'Location:'.ljust(20)}\ts3://shown-by-ddl/zoo/day=1\t ",) in rows
    assert "Partition not found (day = '2')" in shown.reason("DESCRIBE zoo PARTITION (day = '2')")


@pytest.mark.parametrize("name", ["zoo", "ant"])
def test_the_statement_that_creates_a_table_creates_the_same_table_again(shown: Athena, name: str) -> None:
    before = shown.table(name)
    text = "\n".join(str(row[0]) for row in shown.rows(f"SHOW CREATE TABLE shown.{name}"))
    shown.succeed(f"DROP TABLE {name}")
    shown.succeed(text)
    after = shown.table(name)
    for part in ("StorageDescriptor", "PartitionKeys", "Parameters", "TableType"):
        assert after[part] == before[part]


def test_a_table_s_statement_is_written_as_athena_writes_it(shown: Athena) -> None:
    rows = shown.rows("SHOW CREATE TABLE ant")
    time = rows[-1]
    assert rows[:-1] == [
        ("CREATE EXTERNAL TABLE `ant`(",),
        ("  `id` int)",),
        ("ROW FORMAT SERDE ",),
        ("  'org.apache.hadoop.hive.serde2.OpenCSVSerde' ",),
        ("WITH SERDEPROPERTIES ( ",),
        ("  'separatorChar'=';') ",),
        ("STORED AS INPUTFORMAT ",),
        ("  'org.apache.hadoop.mapred.TextInputFormat' ",),
        ("OUTPUTFORMAT ",),
        ("  'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat'",),
        ("LOCATION",),
        ("  's3://shown-by-ddl/ant/'",),
        ("TBLPROPERTIES (",),
    ]
    assert str(time[0]).startswith("  'transient_lastDdlTime'='")


def test_the_statement_that_creates_a_view_answers_as_the_view(shown: Athena) -> None:
    text = "\n".join(str(row[0]) for row in shown.rows("SHOW CREATE VIEW bee"))
    shown.succeed("DROP VIEW bee")
    shown.succeed(text)
    assert shown.rows("SELECT * FROM bee") == [("1", "a", "1.00")]


@pytest.mark.parametrize("statement", ["DESCRIBE", "SHOW COLUMNS IN", "SHOW CREATE TABLE", "SHOW PARTITIONS"])
def test_a_missing_table_is_not_found(shown: Athena, statement: str) -> None:
    assert shown.reason(f"{statement} nothing").endswith("[Error 10001]: Table not found shown.nothing")


def test_one_column_is_described_alone(shown: Athena) -> None:
    assert shown.rows("DESCRIBE zoo id") == [padded("id", "int", "it's")]
    assert shown.rows("DESC shown.zoo `day`") == [padded("day", "string", "from deserializer")]
    reason = shown.reason("DESCRIBE zoo wings")
    assert reason.endswith("cannot find field wings from [0:id, 1:name, 2:s, 3:day]")
    for part in ("zoo s.aa", "FORMATTED zoo id", "EXTENDED zoo id"):
        assert shown.reason(f"DESCRIBE {part}").startswith("NOT_SUPPORTED: ")
    assert (
        shown.reason("DESCRIBE zoo id name")
        == "REFUSED: line 1:17: mismatched input 'name'. Expecting: <EOF>"
    )
