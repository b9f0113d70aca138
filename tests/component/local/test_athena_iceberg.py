"""Tables of Iceberg over the wire: they are created, filled, changed, and read as they were."""

from __future__ import annotations

import pytest

from support.athena import Athena
from support.served import Served

pytest.importorskip("pyiceberg")
PLACE = "s3://ice-lake"


@pytest.fixture(scope="module")
def athena(server: Served) -> Athena:
    athena = Athena(server, "ice-results", "ice_gold")
    athena.s3.create_bucket(Bucket="ice-lake")
    athena.glue.create_database(DatabaseInput={"Name": "ice_gold"})
    return athena


def created(athena: Athena, name: str, columns: str = "id int, name string", partitioned: str = "") -> None:
    clause = f"PARTITIONED BY ({partitioned})" if partitioned else ""
    athena.succeed(
        f"CREATE TABLE {name} ({columns}) {clause} LOCATION '{PLACE}/{name}/' TBLPROPERTIES ('table_type'='ICEBERG')"
    )


def test_a_table_is_created_empty_and_the_catalog_names_its_metadata(athena: Athena) -> None:
    created(athena, "empty_one", "id int, at timestamp, tags array<string>, p struct<x:double,y:double>")
    table = athena.table("empty_one")
    parameters = table["Parameters"]
    assert parameters["table_type"] == "ICEBERG"
    assert parameters["metadata_location"].startswith(f"{PLACE}/empty_one/metadata/00000-")
    assert [(c["Name"], c["Type"]) for c in table["StorageDescriptor"]["Columns"]] == [
        ("id", "int"), ("at", "timestamp"), ("tags", "array<string>"), ("p", "struct<x:double,y:double>"),
    ]  # fmt: skip
    assert athena.rows("SELECT * FROM empty_one") == []


def test_every_type_comes_back_as_it_was_inserted(athena: Athena) -> None:
    created(
        athena,
        "typed",
        "b boolean, i int, l bigint, f float, d double, m decimal(10,2), s string, y binary, day date, at timestamp, "
        "a array<int>, k map<string,int>, r struct<n:int,t:string>",
    )
    athena.succeed(
        "INSERT INTO typed VALUES (true, 1, 2, real '1.5', 2.5, 3.25, 'x', X'00ff', date '2024-01-02', "
        "timestamp '2024-01-02 03:04:05.123456', ARRAY[1, 2], MAP(ARRAY['k'], ARRAY[1]), "
        "CAST(ROW(1, 'z') AS row(n integer, t varchar)))"
    )
    athena.succeed("INSERT INTO typed (i) VALUES (7)")
    assert athena.rows("SELECT * FROM typed WHERE i = 1") == [
        ("true", "1", "2", "1.5", "2.5", "3.25", "x", "00 ff", "2024-01-02", "2024-01-02 03:04:05.123456",
         "[1, 2]", "{k=1}", "{n=1, t=z}"),
    ]  # fmt: skip
    assert athena.rows("SELECT count(*), count(l), count(k) FROM typed") == [("2", "1", "1")]


def test_an_insert_commits_one_snapshot_and_moves_the_catalog_on(athena: Athena) -> None:
    created(athena, "moved")
    before = athena.table("moved")["Parameters"]["metadata_location"]
    execution = athena.succeed("INSERT INTO moved VALUES (1, 'a'), (2, 'b')")
    assert (execution["StatementType"], execution["SubstatementType"]) == ("DML", "INSERT")
    parameters = athena.table("moved")["Parameters"]
    assert parameters["previous_metadata_location"] == before != parameters["metadata_location"]
    assert athena.rows('SELECT operation FROM "moved$snapshots"') == [("append",)]
    (path,) = athena.rows('SELECT DISTINCT "$path" FROM moved')
    assert str(path[0]).startswith(f"{PLACE}/moved/data/")


def test_rows_are_deleted_updated_and_merged(athena: Athena) -> None:
    created(athena, "changed")
    athena.succeed("INSERT INTO changed VALUES (1, 'a'), (2, 'b'), (3, 'c')")
    deleted = athena.succeed("DELETE FROM changed WHERE id = 2")
    assert deleted["SubstatementType"] == "DELETE"
    athena.succeed("UPDATE changed SET name = upper(name) || cast(id AS varchar) WHERE id > 1")
    assert athena.rows("SELECT * FROM changed ORDER BY id") == [("1", "a"), ("3", "C3")]
    athena.succeed(
        """MERGE INTO changed AS t USING (VALUES (1, 'gone'), (3, 'new'), (4, 'added'), (5, 'skipped')) AS s (id, name)
        ON t.id = s.id
        WHEN MATCHED AND s.name = 'gone' THEN DELETE
        WHEN MATCHED THEN UPDATE SET name = s.name
        WHEN NOT MATCHED AND s.name <> 'skipped' THEN INSERT (id, name) VALUES (s.id, s.name)"""
    )
    assert athena.rows("SELECT * FROM changed ORDER BY id") == [("3", "new"), ("4", "added")]


def test_a_merge_that_changes_a_row_twice_is_refused_and_changes_nothing(athena: Athena) -> None:
    created(athena, "twice")
    athena.succeed("INSERT INTO twice VALUES (1, 'a')")
    reason = athena.reason(
        "MERGE INTO twice t USING (VALUES 1, 1) AS s (id) ON t.id = s.id WHEN MATCHED THEN UPDATE SET name = 'b'"
    )
    assert reason.startswith("MERGE_TARGET_ROW_MULTIPLE_MATCHES")
    assert athena.rows("SELECT name FROM twice") == [("a",)]


def test_a_query_reads_the_table_as_it_was(athena: Athena) -> None:
    created(athena, "past")
    athena.succeed("INSERT INTO past VALUES (1, 'a')")
    first, committed_at = athena.rows('SELECT snapshot_id, committed_at FROM "past$snapshots"')[0]
    athena.succeed("INSERT INTO past VALUES (2, 'b')")
    assert athena.rows(f"SELECT past.id FROM past FOR VERSION AS OF {first}") == [("1",)]
    assert athena.rows(
        f"""SELECT new.id FROM past new LEFT JOIN past FOR VERSION AS OF {first} AS old ON new.id = old.id
        WHERE old.id IS NULL"""
    ) == [("2",)]
    assert athena.rows(f"SELECT id FROM past FOR TIMESTAMP AS OF timestamp '{committed_at}'") == [("1",)]
    assert athena.rows(
        "SELECT count(*) FROM past FOR TIMESTAMP AS OF (current_timestamp + interval '1' day)"
    ) == [("2",)]
    reason = athena.reason("SELECT * FROM past FOR TIMESTAMP AS OF timestamp '2001-01-01 00:00:00 UTC'")
    assert reason.startswith("INVALID_ARGUMENTS")
    assert athena.reason("SELECT * FROM past FOR VERSION AS OF 7").startswith("INVALID_ARGUMENTS")


def test_rows_lie_in_the_partitions_of_every_transform(athena: Athena) -> None:
    created(
        athena, "parted", "id int, s string, at timestamp, d date",
        "s, bucket(4, id), truncate(2, s), hour(at), year(d)",
    )  # fmt: skip
    athena.succeed(
        "INSERT INTO parted VALUES (1, 'abc', timestamp '2024-01-02 03:00:00', date '2024-05-01'), "
        "(2, 'abd', timestamp '2024-01-02 03:30:00', date '2025-05-01'), (3, NULL, NULL, NULL)"
    )
    partitions = athena.rows(
        'SELECT partition.s, partition.s_trunc, partition.d_year, record_count FROM "parted$partitions" ORDER BY 1'
    )
    assert partitions == [("abc", "ab", "54", "1"), ("abd", "ab", "55", "1"), (None, None, None, "1")]
    assert athena.rows("SELECT id FROM parted WHERE s = 'abd'") == [("2",)]


def test_create_table_as_makes_the_table_with_its_rows_in_one_commit(athena: Athena) -> None:
    execution = athena.succeed(
        f"""CREATE TABLE made WITH (table_type = 'ICEBERG', is_external = false, location = '{PLACE}/made/',
        format = 'PARQUET', partitioning = ARRAY['bucket(id, 2)', 'day(at)']) AS
        SELECT id, cast(timestamp '2024-01-02 00:00:00' AS timestamp(6)) AS at FROM (VALUES 1, 2, 3) AS v (id)"""
    )
    assert execution["SubstatementType"] == "CREATE_TABLE_AS_SELECT"
    assert athena.rows("SELECT count(*), min(at) FROM made") == [("3", "2024-01-02 00:00:00.000000")]
    assert athena.rows('SELECT count(*) FROM "made$history"') == [("1",)]


def test_columns_are_added_dropped_changed_and_renamed_without_touching_files(athena: Athena) -> None:
    created(athena, "evolved")
    athena.succeed("INSERT INTO evolved VALUES (1, 'a')")
    athena.succeed("ALTER TABLE evolved ADD COLUMNS (score float COMMENT 'of the race')")
    athena.succeed("ALTER TABLE evolved CHANGE COLUMN id number bigint FIRST")
    athena.succeed("ALTER TABLE evolved CHANGE score points double AFTER number")
    athena.succeed("ALTER TABLE evolved DROP COLUMN name")
    athena.succeed("INSERT INTO evolved VALUES (9000000000, 1.5)")
    assert athena.rows("SELECT * FROM evolved ORDER BY 1") == [("1", None), ("9000000000", "1.5")]
    assert [str(row[0]).strip() for row in athena.rows("SHOW COLUMNS IN evolved")] == ["number", "points"]
    athena.succeed("ALTER TABLE evolved RENAME TO renamed")
    assert athena.rows("SELECT count(*) FROM renamed") == [("2",)]


def test_a_table_is_described_and_its_statement_creates_it_again(athena: Athena) -> None:
    created(athena, "shown", "id int COMMENT 'the key', at timestamp", "bucket(16, id), day(at)")
    properties = "'vacuum_min_snapshots_to_keep'='3', 'write_compression'='snappy'"
    athena.succeed(f"ALTER TABLE shown SET TBLPROPERTIES ({properties})")
    lines = [str(row[0]) for row in athena.rows("DESCRIBE shown")]
    assert lines[:3] == ["# Table schema:\t\t", "# col_name\tdata_type\tcomment", "id\tint\tthe key"]
    assert lines[-2:] == ["id_bucket\tbucket[16]\tid", "at_day\tday\tat"]
    statement = "\n".join(str(row[0]) for row in athena.rows("SHOW CREATE TABLE shown"))
    athena.succeed("DROP TABLE shown")
    athena.succeed(statement)
    assert "\n".join(str(row[0]) for row in athena.rows("SHOW CREATE TABLE shown")) == statement
    assert ("write_compression\tsnappy",) in athena.rows("SHOW TBLPROPERTIES shown")


def test_dropping_a_table_deletes_its_files(athena: Athena) -> None:
    created(athena, "dropped")
    athena.succeed("INSERT INTO dropped VALUES (1, 'a')")
    assert athena.keys(f"{PLACE}/dropped/")
    athena.succeed("DROP TABLE dropped")
    assert athena.keys(f"{PLACE}/dropped/") == []
    assert athena.reason("SELECT * FROM dropped").startswith("TABLE_NOT_FOUND")


def test_optimize_makes_one_file_of_many_and_vacuum_deletes_the_old_ones(athena: Athena) -> None:
    created(athena, "kept_up")
    for number in range(5):
        athena.succeed(f"INSERT INTO kept_up VALUES ({number}, 'x')")
    athena.succeed("OPTIMIZE kept_up REWRITE DATA USING BIN_PACK")
    assert athena.rows('SELECT count(*), sum(record_count) FROM "kept_up$files"') == [("1", "5")]
    assert athena.rows("SELECT count(DISTINCT id) FROM kept_up") == [("5",)]
    athena.succeed("ALTER TABLE kept_up SET TBLPROPERTIES ('vacuum_max_snapshot_age_seconds'='0')")
    athena.succeed("VACUUM kept_up")
    assert athena.rows('SELECT count(*) FROM "kept_up$snapshots"') == [("1",)]
    assert len(athena.keys(f"{PLACE}/kept_up/data/")) == 1
    assert athena.rows("SELECT count(DISTINCT id) FROM kept_up") == [("5",)]
