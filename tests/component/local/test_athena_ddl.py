"""Databases, tables and partitions that statements of Athena's DDL create, change and drop in the catalog."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.athena import Athena
from support.served import Served

LAZY_SIMPLE = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"
DDL_TASK = "FAILED: Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask."


@pytest.fixture(scope="module")
def athena(server: Served) -> Iterator[Athena]:
    """Athena with an empty database `made`."""
    athena = Athena(server, "made-by-ddl", "made")
    athena.succeed("CREATE DATABASE made")
    yield athena
    athena.succeed("DROP DATABASE made CASCADE")


def create(athena: Athena, name: str, clauses: str = "") -> None:
    athena.succeed(f"DROP TABLE IF EXISTS {name}")
    athena.succeed(f"CREATE EXTERNAL TABLE {name} (id int) {clauses} LOCATION 's3://made-by-ddl/{name}/'")


def partitioned(athena: Athena, name: str) -> None:
    create(athena, name, "PARTITIONED BY (day string, n int)")
    athena.succeed(
        f"ALTER TABLE {name} ADD PARTITION (day = '1', n = 1) "
        f"PARTITION (day = '2', n = 2) LOCATION 's3://made-by-ddl/elsewhere/'"
    )


def test_a_database_has_its_comment_its_location_and_its_properties(athena: Athena) -> None:
    athena.succeed(
        "create schema if not exists `other` comment 'c' location 's3://made-by-ddl/other/' "
        "with dbproperties ('a' = 'b')"
    )
    athena.succeed("ALTER DATABASE other SET DBPROPERTIES ('x' = 'y')")
    database = athena.glue.get_database(Name="other")["Database"]
    assert (database["Description"], database["LocationUri"]) == ("c", "s3://made-by-ddl/other/")
    assert database["Parameters"] == {"a": "b", "x": "y"}
    assert ("other",) in athena.rows("SHOW DATABASES LIKE 'oth.*'")
    athena.succeed("DROP SCHEMA other RESTRICT")
    assert athena.rows("SHOW DATABASES LIKE 'other'") == []


def test_a_database_with_tables_is_dropped_by_cascade_only(athena: Athena) -> None:
    athena.succeed("CREATE DATABASE full")
    create(athena, "full.t")
    reason = "InvalidOperationException(message:Database full is not empty. One or more tables exist.)"
    assert athena.reason("DROP DATABASE full") == f"{DDL_TASK} {reason}"
    athena.succeed("DROP DATABASE full CASCADE")
    athena.succeed("DROP DATABASE IF EXISTS full")
    assert athena.reason("DROP DATABASE full").endswith("[Error 10072]: Database does not exist: full")


def test_an_existing_database_is_created_again_only_if_that_is_allowed(athena: Athena) -> None:
    athena.succeed("CREATE DATABASE IF NOT EXISTS made")
    assert athena.reason("CREATE DATABASE made") == f"{DDL_TASK} Database made already exists"


def test_a_table_is_kept_as_athena_keeps_it(athena: Athena) -> None:
    athena.succeed(
        r"""CREATE EXTERNAL TABLE IF NOT EXISTS awsdatacatalog.made.`kept` (
              id INT COMMENT 'the id', m map<string,array<int>>, s struct<a:int,`b`:string>, d decimal(10, 2)
            ) COMMENT 'a table' PARTITIONED BY (day string COMMENT 'of it')
            ROW FORMAT DELIMITED FIELDS TERMINATED BY '\t' ESCAPED BY '\\' NULL DEFINED AS ''
            STORED AS TEXTFILE LOCATION 's3://made-by-ddl/kept/' TBLPROPERTIES ('skip.header.line.count'='1')"""
    )
    table = athena.table("kept")
    stored = table["StorageDescriptor"]
    assert [(column["Name"], column["Type"]) for column in stored["Columns"]] == [
        ("id", "int"), ("m", "map<string,array<int>>"), ("s", "struct<a:int,b:string>"), ("d", "decimal(10,2)"),
    ]  # fmt: skip
    assert table["PartitionKeys"] == [{"Name": "day", "Type": "string", "Comment": "of it"}]
    assert table["TableType"] == "EXTERNAL_TABLE"
    assert table["Parameters"].items() >= {"EXTERNAL": "TRUE", "comment": "a table"}.items()
    assert stored["SerdeInfo"] == {
        "SerializationLibrary": LAZY_SIMPLE,
        "Parameters": {
            "field.delim": "\t", "serialization.format": "\t", "escape.delim": "\\", "serialization.null.format": "",
        },
    }  # fmt: skip


@pytest.mark.parametrize(
    ("stored", "serde"),
    [
        ("PARQUET", "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"),
        ("orc", "org.apache.hadoop.hive.ql.io.orc.OrcSerde"),
        ("INPUTFORMAT 'in' OUTPUTFORMAT 'out'", LAZY_SIMPLE),
    ],
)
def test_the_format_of_a_table_names_its_serde(athena: Athena, stored: str, serde: str) -> None:
    create(athena, "formatted_as", f"STORED AS {stored}")
    assert athena.table("formatted_as")["StorageDescriptor"]["SerdeInfo"]["SerializationLibrary"] == serde


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("(id int)", "REFUSED: No location was specified for table. An S3 location must be specified"),
        ("(id foo) LOCATION 's3://b/'", "FAILED: ParseException line 1:36 cannot recognize input near 'foo'"),
        ("(id varchar) LOCATION 's3://b/'", "FAILED: ParseException line 1:36 cannot recognize input near"),
        ("(id int) LOCATION 's3://b/' STORED", "REFUSED: line 1:61: mismatched input 'STORED'"),
        ("(id int, id int) LOCATION 's3://b/'", "FAILED: SemanticException [Error 10036]: Duplicate column name: id"),
        ("(id int) PARTITIONED BY (id int) LOCATION 's3://b/'", "FAILED: SemanticException [Error 10035]"),
        ("(id int) LOCATION '/tmp/x'", "INVALID_PROPERTY: '/tmp/x' is not a location on S3"),
        (
            "(id int) LOCATION 's3://b/' TBLPROPERTIES ('table_type'='ICEBERG')",
            "FAILED: External keyword not supported for table type ICEBERG",
        ),
    ],
)  # fmt: skip
def test_a_table_that_athena_does_not_create_is_refused_at_its_place(
    athena: Athena, sql: str, reason: str
) -> None:
    assert athena.reason(f"CREATE EXTERNAL TABLE wrong_tab {sql}").startswith(reason)
    assert ("wrong_tab",) not in athena.rows("SHOW TABLES")


def test_a_name_between_double_quotes_is_not_one_of_hive(athena: Athena) -> None:
    reason = athena.reason('DROP TABLE "t"')
    assert reason == "REFUSED: line 1:12: mismatched input '\"t\"'. Expecting: <identifier>"


def test_a_dropped_table_is_gone_and_its_files_stay(athena: Athena) -> None:
    create(athena, "dropped")
    athena.s3.put_object(Bucket="made-by-ddl", Key="dropped/a", Body=b"1")
    athena.succeed("DROP TABLE `made`.`dropped`")
    athena.succeed("DROP TABLE IF EXISTS dropped")
    assert athena.reason("DROP TABLE dropped") == (
        "FAILED: SemanticException [Error 10001]: Table not found made.dropped"
    )
    assert athena.keys("s3://made-by-ddl/dropped/") == ["dropped/a"]


def test_a_statement_has_the_types_and_the_result_that_athena_gives_it(athena: Athena) -> None:
    create(athena, "typed")
    kinds = {
        "DROP TABLE IF EXISTS nothing": ("DDL", "DROP_TABLE"),
        "ALTER TABLE typed SET TBLPROPERTIES ('a' = 'b')": ("DDL", "ALTER_TABLE_PROPERTIES"),
        "/* c */ SHOW TABLES": ("UTILITY", "SHOW_TABLES"),
        "DESC typed": ("UTILITY", "DESCRIBE_TABLE"),
        "SHOW TBLPROPERTIES typed": ("UTILITY", "SHOW_TABLE_PROPERTIES"),
        "MSCK REPAIR TABLE typed": ("DDL", "MSCK_REPAIR"),
    }
    for sql, kind in kinds.items():
        execution = athena.succeed(sql)
        assert (execution["StatementType"], execution["SubstatementType"]) == kind
        assert execution["ResultConfiguration"]["OutputLocation"].endswith(
            f"{execution['QueryExecutionId']}.txt"
        )


def test_columns_are_added_and_replaced(athena: Athena) -> None:
    create(athena, "wide", "PARTITIONED BY (day string)")
    athena.succeed("ALTER TABLE wide ADD COLUMNS (a string COMMENT 'c', b date)")
    assert athena.rows("SHOW COLUMNS IN wide") == [(name.ljust(20),) for name in ("id", "a", "b", "day")]
    for taken in ("id", "day"):
        reason = athena.reason(f"ALTER TABLE wide ADD COLUMNS ({taken} int)")
        assert reason.endswith(f"[Error 10036]: Duplicate column name: {taken}")
    athena.succeed("ALTER TABLE wide REPLACE COLUMNS (z bigint)")
    assert athena.rows("SHOW COLUMNS FROM wide FROM made") == [("z".ljust(20),), ("day".ljust(20),)]


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        ("RENAME TO other", "FAILED: Query type not supported by DDL engine."),
        ("CHANGE COLUMN id x int", "FAILED: Query type not supported by DDL engine."),
        ("DROP COLUMN id", "SYNTAX_ERROR: line 1:23: mismatched input 'COLUMN'. Expecting: 'PARTITION'"),
        ("ADD COLUMN x int", "SYNTAX_ERROR: line 1:22: mismatched input 'COLUMN'"),
    ],
)
def test_what_athena_changes_in_no_table_of_hive_s_is_refused(
    athena: Athena, action: str, reason: str
) -> None:
    create(athena, "stay")
    assert athena.reason(f"ALTER TABLE stay {action}").startswith(reason)


def test_alter_table_has_no_if_exists(athena: Athena) -> None:
    reason = athena.reason("ALTER TABLE IF EXISTS stay ADD COLUMNS (a int)")
    assert reason == "REFUSED: line 1:16: no viable alternative at input 'ALTER TABLE IF EXISTS'"


def test_properties_and_the_location_of_a_table_change(athena: Athena) -> None:
    create(athena, "moved")
    athena.succeed("ALTER TABLE moved SET TBLPROPERTIES ('a' = 'b')")
    athena.succeed("ALTER TABLE moved SET LOCATION 's3://made-by-ddl/there/'")
    table = athena.table("moved")
    assert table["Parameters"].items() >= {"a": "b", "EXTERNAL": "TRUE"}.items()
    assert table["StorageDescriptor"]["Location"] == "s3://made-by-ddl/there/"
    assert athena.rows("SHOW TBLPROPERTIES moved ('a')") == [("b",)]
    assert ("a\tb",) in athena.rows("SHOW TBLPROPERTIES moved")


def test_partitions_are_added_renamed_moved_and_dropped(athena: Athena) -> None:
    partitioned(athena, "parts")
    assert athena.rows("SHOW PARTITIONS parts") == [("day=1/n=1",), ("day=2/n=2",)]
    athena.succeed("ALTER TABLE parts PARTITION (day='1', n=1) RENAME TO PARTITION (day='a/b', n=3)")
    athena.succeed("ALTER TABLE parts PARTITION (day='2', n=2) SET LOCATION 's3://made-by-ddl/p/'")
    partitions = athena.glue.get_partitions(DatabaseName="made", TableName="parts")["Partitions"]
    assert {tuple(one["Values"]): one["StorageDescriptor"]["Location"] for one in partitions} == {
        ("a/b", "3"): "s3://made-by-ddl/parts/day=1/n=1",
        ("2", "2"): "s3://made-by-ddl/p/",
    }
    assert athena.rows("SHOW PARTITIONS parts") == [("day=2/n=2",), ("day=a%2Fb/n=3",)]
    athena.succeed("ALTER TABLE parts DROP PARTITION (day='2', n=2), PARTITION (n=3)")
    athena.succeed("ALTER TABLE parts DROP IF EXISTS PARTITION (n=3)")
    assert athena.rows("SHOW PARTITIONS parts") == []


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        (
            "ADD PARTITION (day='1', n=1)",
            f"{DDL_TASK} AlreadyExistsException(message:Partition already exists.)",
        ),
        (
            "ADD PARTITION (day='1')",
            "FAILED: SemanticException partition spec {day=1} doesn't contain all (2)",
        ),
        ("ADD PARTITION (q='1')", "FAILED: SemanticException [Error 10098]: Non-Partition column appears"),
        ("DROP PARTITION (n=9)", "FAILED: SemanticException [Error 10006]: Partition not found (n = '9')"),
    ],
)
def test_a_partition_that_does_not_fit_is_refused(athena: Athena, action: str, reason: str) -> None:
    partitioned(athena, "fitting")
    assert athena.reason(f"ALTER TABLE fitting {action}").startswith(reason)
    assert len(athena.rows("SHOW PARTITIONS fitting")) == 2
    athena.succeed("ALTER TABLE fitting ADD IF NOT EXISTS PARTITION (day='1', n=1)")


def test_a_repair_adds_the_folders_that_name_their_columns_and_no_other(athena: Athena) -> None:
    create(athena, "repaired", "PARTITIONED BY (day string)")
    assert athena.rows("MSCK REPAIR TABLE repaired") == [("Tables missing on filesystem:\trepaired",)]
    for folder in ("day=1", "day=a%3Ab", "2024", "_tmp/day=9"):
        athena.s3.put_object(Bucket="made-by-ddl", Key=f"repaired/{folder}/x", Body=b"1\n")
    assert athena.rows("MSCK REPAIR TABLE repaired") == [
        ("Partitions not in metastore:\trepaired:2024\trepaired:day=1\trepaired:day=a%3Ab",),
        ("Repair: Added partition to metastore repaired:day=1",),
        ("Repair: Added partition to metastore repaired:day=a%3Ab",),
    ]
    assert athena.rows("SELECT day FROM repaired ORDER BY 1") == [("1",), ("a:b",)]
    assert athena.rows("MSCK REPAIR TABLE nowhere") == [("Tables not in metastore:\tnowhere",)]
