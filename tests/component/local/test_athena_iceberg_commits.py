"""Commits to one table at once, and commits of pyiceberg itself, through Glue's API: no row is lost."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from support.athena import Athena
from support.served import Served

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog

pytest.importorskip("pyiceberg")
PLACE = "s3://ice-commits-lake"


@pytest.fixture(scope="module")
def athena(server: Served) -> Athena:
    athena = Athena(server, "ice-commits", "ice_commits")
    athena.s3.create_bucket(Bucket="ice-commits-lake")
    athena.glue.create_database(DatabaseInput={"Name": "ice_commits"})
    return athena


def created(athena: Athena, name: str, partitioned: str = "") -> None:
    clause = f"PARTITIONED BY ({partitioned})" if partitioned else ""
    athena.succeed(
        f"CREATE TABLE {name} (id int, name string) {clause} LOCATION '{PLACE}/{name}/' "
        "TBLPROPERTIES ('table_type'='ICEBERG')"
    )


@pytest.fixture(scope="module")
def outside(server: Served) -> Catalog:
    """The catalog of Glue of a client that knows nothing of etltctl but its endpoint and its keys."""
    from pyiceberg.catalog import load_catalog

    return load_catalog("lake", **properties_of(server))


def properties_of(server: Served) -> dict[str, Any]:
    keys = server.keys
    return {
        "type": "glue",
        "glue.endpoint": server.environ["AWS_ENDPOINT_URL"],
        "glue.region": "us-east-1",
        "glue.access-key-id": keys.access_key_id,
        "glue.secret-access-key": keys.secret_access_key,
        "s3.endpoint": server.environ["AWS_ENDPOINT_URL"],
        "s3.region": "us-east-1",
        "s3.access-key-id": keys.access_key_id,
        "s3.secret-access-key": keys.secret_access_key,
        "py-io-impl": "pyiceberg.io.pyarrow.PyArrowFileIO",
    }


def test_another_client_reads_what_athena_wrote(athena: Athena, outside: Catalog) -> None:
    created(athena, "read_outside", "bucket(4, id)")
    athena.succeed("INSERT INTO read_outside VALUES (1, 'a'), (2, 'b'), (3, 'c')")
    athena.succeed("UPDATE read_outside SET name = 'z' WHERE id = 2")
    athena.succeed("DELETE FROM read_outside WHERE id = 3")
    rows = outside.load_table("ice_commits.read_outside").scan().to_arrow().sort_by("id")
    assert rows.to_pylist() == [{"id": 1, "name": "a"}, {"id": 2, "name": "z"}]


def test_athena_reads_and_changes_what_another_client_wrote(athena: Athena, outside: Catalog) -> None:
    import pyarrow as pa

    schema = pa.schema(
        [("id", pa.int32()), ("at", pa.timestamp("us", "UTC")), ("kinds", pa.list_(pa.string()))]
    )
    table = outside.create_table("ice_commits.written_outside", schema, f"{PLACE}/written_outside")
    table.append(pa.table({"id": [1, 2], "at": [0, None], "kinds": [["x"], None]}, schema))
    athena.succeed("UPDATE written_outside SET kinds = ARRAY['y', 'z'] WHERE id = 2")
    assert athena.rows("SELECT * FROM written_outside ORDER BY id") == [
        ("1", "1970-01-01 00:00:00.000000 UTC", "[x]"),
        ("2", None, "[y, z]"),
    ]
    athena.succeed("INSERT INTO written_outside (id, at) VALUES (3, timestamp '2024-01-01 02:00:00 +02:00')")
    table.refresh()
    assert [row["at"] for row in table.scan(row_filter="id = 3").to_arrow().to_pylist()] == [
        row["at"]
        for row in pa.table({"at": pa.array([1704067200000000], pa.timestamp("us", "UTC"))}).to_pylist()
    ]


def test_a_commit_on_an_old_version_of_the_table_is_refused_by_glue(athena: Athena, outside: Catalog) -> None:
    created(athena, "locked")
    table = athena.glue.get_table(DatabaseName="ice_commits", Name="locked")["Table"]
    athena.succeed("INSERT INTO locked VALUES (1, 'a')")
    update = {key: table[key] for key in ("Name", "StorageDescriptor", "Parameters", "TableType")}
    with pytest.raises(athena.glue.exceptions.ConcurrentModificationException):
        athena.glue.update_table(
            DatabaseName="ice_commits", TableInput=update, SkipArchive=True, VersionId=table["VersionId"]
        )
    assert athena.rows("SELECT id FROM locked") == [("1",)]


def test_inserts_at_once_all_arrive_or_fail_with_a_commit_error(athena: Athena) -> None:
    created(athena, "raced")
    with ThreadPoolExecutor(4) as pool:
        ends = list(pool.map(lambda n: athena.run(f"INSERT INTO raced VALUES ({n}, 'x')"), range(4)))
    failed = [end["Status"] for end in ends if end["Status"]["State"] != "SUCCEEDED"]
    assert all(status["StateChangeReason"].startswith("ICEBERG_COMMIT_ERROR") for status in failed)
    assert athena.rows("SELECT count(*), count(DISTINCT id) FROM raced") == [(str(4 - len(failed)),) * 2]


def test_updates_at_once_lose_no_increment(athena: Athena) -> None:
    created(athena, "counted")
    athena.succeed("INSERT INTO counted VALUES (0, 'x')")
    with ThreadPoolExecutor(4) as pool:
        ends = list(pool.map(lambda _: athena.run("UPDATE counted SET id = id + 1"), range(4)))
    states = [end["Status"]["State"] for end in ends]
    reasons = {end["Status"]["StateChangeReason"] for end in ends if end["Status"]["State"] == "FAILED"}
    assert reasons <= {"ICEBERG_COMMIT_ERROR: Failed to commit Iceberg update to table: ice_commits.counted"}
    assert athena.rows("SELECT id FROM counted") == [(str(states.count("SUCCEEDED")),)]
    assert "SUCCEEDED" in states


def test_a_change_that_lost_the_race_leaves_no_file_behind(athena: Athena) -> None:
    created(athena, "beaten")
    athena.succeed("INSERT INTO beaten VALUES (1, 'a')")
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: athena.run("UPDATE beaten SET id = id + 1"), range(3)))
    files = {str(row[0]) for row in athena.rows('SELECT file_path FROM "beaten$files"')}
    snapshots = int(str(athena.rows('SELECT count(*) FROM "beaten$snapshots"')[0][0]))
    # Each snapshot wrote one data file. The earlier ones are kept for time travel.
    assert len(athena.keys(f"{PLACE}/beaten/data/")) == snapshots
    assert len(files) == 1
