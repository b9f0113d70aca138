"""What a change of a table of Iceberg touches, and what it leaves as it was."""

from __future__ import annotations

import pytest

from support.athena import Athena
from support.served import Served

pytest.importorskip("pyiceberg")
PLACE = "s3://ice-changes-lake"


@pytest.fixture(scope="module")
def athena(server: Served) -> Athena:
    athena = Athena(server, "ice-changes", "ice_changes")
    athena.s3.create_bucket(Bucket="ice-changes-lake")
    athena.glue.create_database(DatabaseInput={"Name": "ice_changes"})
    return athena


def created(athena: Athena, name: str, columns: str = "id int, name string", partitioned: str = "") -> None:
    clause = f"PARTITIONED BY ({partitioned})" if partitioned else ""
    athena.succeed(
        f"CREATE TABLE {name} ({columns}) {clause} LOCATION '{PLACE}/{name}/' TBLPROPERTIES ('table_type'='ICEBERG')"
    )


def files(athena: Athena, name: str) -> set[str]:
    return {str(row[0]) for row in athena.rows(f'SELECT file_path FROM "{name}$files"')}


def test_only_the_files_with_changed_rows_are_written_again(athena: Athena) -> None:
    created(athena, "few", partitioned="name")
    athena.succeed("INSERT INTO few VALUES (1, 'a'), (2, 'a'), (3, 'b'), (4, 'c')")
    before = files(athena, "few")
    athena.succeed("UPDATE few SET id = 9 WHERE id = 2")
    athena.succeed("DELETE FROM few WHERE name = 'c'")
    after = files(athena, "few")
    assert {path.split("/")[-2] for path in before & after} == {"name=b"}
    assert {path.split("/")[-2] for path in after - before} == {"name=a"}
    assert athena.rows("SELECT id FROM few ORDER BY id") == [("1",), ("3",), ("9",)]


def test_an_update_moves_a_row_to_another_partition(athena: Athena) -> None:
    created(athena, "moving", partitioned="name")
    athena.succeed("INSERT INTO moving VALUES (1, 'a'), (2, 'a')")
    athena.succeed("UPDATE moving SET name = 'b' WHERE id = 2")
    rows = athena.rows('SELECT partition.name, record_count FROM "moving$partitions" ORDER BY 1')
    assert rows == [("a", "1"), ("b", "1")]


def test_a_change_that_finds_no_row_commits_nothing(athena: Athena) -> None:
    created(athena, "still")
    athena.succeed("INSERT INTO still VALUES (1, 'a')")
    location = athena.table("still")["Parameters"]["metadata_location"]
    for sql in (
        "DELETE FROM still WHERE id = 7",
        "UPDATE still SET id = 8 WHERE id = 7",
        "MERGE INTO still t USING (VALUES 7) AS s (id) ON t.id = s.id WHEN MATCHED THEN DELETE",
        "INSERT INTO still SELECT * FROM still WHERE id = 7",
        "OPTIMIZE still REWRITE DATA USING BIN_PACK",
        "VACUUM still",
    ):
        athena.succeed(sql)
    assert athena.table("still")["Parameters"]["metadata_location"] == location


def test_changes_of_an_empty_table_find_no_row(athena: Athena) -> None:
    created(athena, "void")
    athena.succeed("DELETE FROM void")
    athena.succeed("UPDATE void SET id = 1")
    athena.succeed("OPTIMIZE void REWRITE DATA USING BIN_PACK")
    athena.succeed("VACUUM void")
    athena.succeed(
        "MERGE INTO void USING (VALUES (1, 'a')) AS s (i, n) ON void.id = s.i "
        "WHEN NOT MATCHED THEN INSERT VALUES (i, n)"
    )
    assert athena.rows("SELECT * FROM void") == [("1", "a")]
    assert athena.rows('SELECT count(*) FROM "void$partitions"') == [("1",)]


def test_values_of_parameters_and_subqueries_reach_a_change(athena: Athena) -> None:
    created(athena, "asked")
    athena.succeed("INSERT INTO asked VALUES (1, 'a'), (2, 'b'), (3, 'c')")
    athena.succeed("UPDATE asked SET name = ? WHERE id = ?", ExecutionParameters=["'z'", "2"])
    athena.succeed("DELETE FROM asked WHERE id = (SELECT max(id) FROM asked)")
    assert athena.rows("SELECT * FROM asked ORDER BY id") == [("1", "a"), ("2", "z")]


def test_optimize_packs_the_chosen_partitions_alone(athena: Athena) -> None:
    created(athena, "packed", partitioned="name")
    athena.succeed("ALTER TABLE packed SET TBLPROPERTIES ('optimize_rewrite_data_file_threshold'='2')")
    for number in range(2):
        athena.succeed(f"INSERT INTO packed VALUES ({number}, 'a'), ({number}, 'b')")
    athena.succeed("OPTIMIZE packed REWRITE DATA USING BIN_PACK WHERE name = 'a'")
    rows = athena.rows('SELECT partition.name, file_count, record_count FROM "packed$partitions" ORDER BY 1')
    assert rows == [("a", "1", "2"), ("b", "2", "2")]
    athena.succeed("ALTER TABLE packed UNSET TBLPROPERTIES ('optimize_rewrite_data_file_threshold')")
    properties = [row[0] for row in athena.rows("SHOW TBLPROPERTIES packed")]
    assert properties == ["table_type\ticeberg", "format\tparquet", "write_compression\tzstd"]


def test_a_table_that_is_there_already_is_left_as_it_is(athena: Athena) -> None:
    created(athena, "kept")
    athena.succeed("INSERT INTO kept VALUES (1, 'a')")
    athena.succeed(
        f"CREATE TABLE IF NOT EXISTS kept (x int) LOCATION '{PLACE}/kept/' TBLPROPERTIES ('table_type'='ICEBERG')"
    )
    options = f"table_type = 'ICEBERG', is_external = false, location = '{PLACE}/kept2/'"
    athena.succeed(f"CREATE TABLE IF NOT EXISTS kept WITH ({options}) AS SELECT 2 AS x")
    athena.succeed(f"CREATE TABLE bare WITH ({options}) AS SELECT 2 AS x WITH NO DATA")
    assert athena.rows("SELECT * FROM kept") == [("1", "a")]
    assert athena.rows("SELECT * FROM bare") == []


def test_the_information_schema_has_the_current_columns(athena: Athena) -> None:
    created(athena, "listed", "id int, at timestamp, old string")
    athena.succeed("ALTER TABLE listed DROP COLUMN old")
    rows = athena.rows(
        "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'listed' ORDER BY 1"
    )
    assert rows == [("at", "timestamp(6)"), ("id", "integer")]


def test_the_past_has_the_columns_of_the_past(athena: Athena) -> None:
    created(athena, "aged")
    athena.succeed("INSERT INTO aged VALUES (1, 'a')")
    (version,) = athena.rows('SELECT snapshot_id FROM "aged$refs"')[0]
    athena.succeed("ALTER TABLE aged DROP COLUMN name")
    athena.succeed("INSERT INTO aged VALUES 2")
    assert athena.rows(f"SELECT * FROM aged FOR VERSION AS OF {version}") == [("1", "a")]
    assert athena.rows("SELECT * FROM aged ORDER BY id") == [("1",), ("2",)]


def test_the_tables_that_describe_a_table_have_athena_s_columns(athena: Athena) -> None:
    created(athena, "inspected", "id int, score double", "bucket(2, id)")
    athena.succeed("INSERT INTO inspected VALUES (1, 0.5), (1, 1.5)")
    assert athena.rows(
        "SELECT content, file_format, record_count, null_value_counts[1], lower_bounds[2], upper_bounds[2] "
        'FROM "inspected$files"'
    ) == [("0", "PARQUET", "2", "0", "0.5", "1.5")]
    assert athena.rows(
        'SELECT partition.id_bucket, file_count, data.score.min, data.score.max FROM "inspected$partitions"'
    ) == [("0", "1", "0.5", "1.5")]
    assert athena.rows(
        "SELECT added_data_files_count, added_rows_count, cardinality(partition_summaries), "
        'partition_summaries[1].lower_bound FROM "inspected$manifests"'
    ) == [("1", "2", "1", "0")]
    assert athena.rows(
        "SELECT h.parent_id, h.is_current_ancestor, r.name, r.type, element_at(s.summary, 'added-records') "
        'FROM "inspected$history" h JOIN "inspected$refs" r ON h.snapshot_id = r.snapshot_id '
        'JOIN "inspected$snapshots" s ON s.snapshot_id = h.snapshot_id'
    ) == [(None, "true", "main", "BRANCH", "2")]
