"""A commit that comes between another statement's look at the catalog and its own commit, at the worst moment."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import duckdb
import pytest

from etltctl.local.kernel.data_catalog import Catalog
from etltctl.local.server.control_plane import ControlPlane
from etltctl.local.services.athena.dialect import QueryError
from etltctl.local.services.athena.statements import Execution, perform
from etltctl.local.services.athena.tables import Lake
from etltctl.local.services.s3.directory import S3Directory

pytest.importorskip("pyiceberg")


class Interrupted(Catalog):
    """The embedded Data Catalog, in which something happens just before the next UpdateTable."""

    happens: Callable[[], object] | None = None

    def call(self, target: str, body: dict[str, Any]) -> dict[str, Any]:
        if target == "AWSGlue.UpdateTable" and self.happens:
            happens, self.happens = self.happens, None
            happens()
        return super().call(target, body)


class Place:
    """The embedded Athena of one process, over a table `t` with the rows 1 and 2."""

    def __init__(self, folder: Path) -> None:
        self.catalog = Interrupted(ControlPlane(folder / "aws.json"))
        self.database = f"races_{uuid4().hex[:8]}"  # moto's records are those of the process
        self.catalog.call("AWSGlue.CreateDatabase", {"DatabaseInput": {"Name": self.database}})
        self.directory = S3Directory(folder / "s3", folder / "meta")
        self.directory.create_bucket("lake")
        self.run("CREATE TABLE t (id int) LOCATION 's3://lake/t/' TBLPROPERTIES ('table_type'='ICEBERG')")
        self.run("INSERT INTO t VALUES 1, 2")

    def run(self, sql: str) -> list[list[str | None]]:
        with duckdb.connect() as engine:
            return perform(Execution(sql, (), self.database, engine, Lake(self.catalog, self.directory))).rows

    def interrupt(self, sql: str) -> None:
        """Run a statement just before the next commit."""
        self.catalog.happens = partial(self.run, sql)

    def data(self) -> list[str]:
        return list(self.directory.list_keys("lake", "t/data/"))


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.mark.parametrize("change", ["UPDATE t SET id = 9 WHERE id = 1", "DELETE FROM t WHERE id = 1"])
def test_a_change_that_lost_the_race_fails_and_leaves_no_file(place: Place, change: str) -> None:
    place.interrupt("INSERT INTO t VALUES 3")
    with pytest.raises(QueryError) as lost:
        place.run(change)
    assert (lost.value.code, lost.value.message) == (
        "ICEBERG_COMMIT_ERROR",
        f"Failed to commit Iceberg update to table: {place.database}.t",
    )
    assert place.run("SELECT id FROM t ORDER BY id") == [["1"], ["2"], ["3"]]
    assert len(place.data()) == 2


def test_an_insert_that_lost_the_race_is_committed_after_the_other(place: Place) -> None:
    place.interrupt("INSERT INTO t VALUES 3")
    place.run("INSERT INTO t VALUES 4")
    assert place.run("SELECT id FROM t ORDER BY id") == [["1"], ["2"], ["3"], ["4"]]


def test_an_insert_survives_a_change_of_the_same_moment(place: Place) -> None:
    place.interrupt("DELETE FROM t WHERE id = 2")
    place.run("INSERT INTO t VALUES 4")
    assert place.run("SELECT id FROM t ORDER BY id") == [["1"], ["4"]]


def test_two_changes_of_one_row_are_not_both_made(place: Place) -> None:
    place.interrupt("UPDATE t SET id = id + 10 WHERE id = 1")
    with pytest.raises(QueryError, match="Failed to commit"):
        place.run("UPDATE t SET id = id + 100 WHERE id = 1")
    assert place.run("SELECT id FROM t ORDER BY id") == [["2"], ["11"]]


def test_a_column_that_lost_the_race_fails_and_the_rows_stay(place: Place) -> None:
    place.interrupt("INSERT INTO t VALUES 3")
    with pytest.raises(QueryError, match="Failed to commit"):
        place.run("ALTER TABLE t ADD COLUMNS (name string)")
    assert place.run("SELECT * FROM t ORDER BY id") == [["1"], ["2"], ["3"]]
