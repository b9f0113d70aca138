"""Third-party clients write tables of Iceberg with the embedded Athena, and read what they were."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.programs import PROGRAMS, Clients
from support.workplace import Workplace

pytestmark = [pytest.mark.e2e, pytest.mark.clients]
pytest.importorskip("pyiceberg")

DBT = Path(__file__).parents[3] / ".dbt" / "bin" / "dbt"
TIMEOUT_S = 900  # far longer than a build takes, even on a busy machine
WRANGLER = """
import json
import awswrangler as wr
import pandas as pd
ways = {"database": "ice", "workgroup": "primary", "s3_output": "s3://ice-clients/q/"}
place = {"temp_path": "s3://ice-clients/temp/", "table_location": "s3://ice-clients/wr/", "keep_files": False}
%s
"""
PYATHENA = """
import json
from pyathena import connect
cursor = connect(
    work_group="primary", s3_staging_dir="s3://ice-clients/q/", schema_name="ice", poll_interval=0.05
).cursor()
%s
"""


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clients]:
    """Yield the clients of an empty lake with the database `ice`."""
    if not PROGRAMS.is_dir():
        pytest.skip("the clients are not here: `make clients-test` brings them")
    place = Workplace(tmp_path_factory.mktemp("lake"))
    place.run("local", "up")
    try:
        clients = Clients(place, {**place.full_environ, **place.json("local", "env")["environ"]})
        clients.aws("s3", "mb", "s3://ice-clients")
        clients.python(PYATHENA % 'cursor.execute("create database ice"); print(json.dumps(None))')
        yield clients
    finally:
        place.run("local", "down")


def test_awswrangler_fills_merges_and_deletes(lake: Clients) -> None:
    script = """
def write(rows, **more):
    frame = pd.DataFrame(rows)
    wr.athena.to_iceberg(df=frame, table="drivers", **ways, **place, **more)
write({"id": [1, 2, 3], "name": ["a", "b", "c"]}, partition_cols=["bucket(2, id)"])
write({"id": [2, 4], "name": ["B", "d"]}, merge_cols=["id"])
write({"id": [5], "name": ["e"], "points": [1.5]}, schema_evolution=True)
wr.athena.delete_from_iceberg_table(
    df=pd.DataFrame({"id": [1]}), table="drivers", merge_cols=["id"], temp_path="s3://ice-clients/gone/", **ways
)
frame = wr.athena.read_sql_query("select * from drivers order by id", ctas_approach=False, **ways)
print(frame.to_json(orient="records"))
"""
    assert lake.python(WRANGLER % script) == [
        {"id": 2, "name": "B", "points": None},
        {"id": 3, "name": "c", "points": None},
        {"id": 4, "name": "d", "points": None},
        {"id": 5, "name": "e", "points": 1.5},
    ]


def test_pyathena_counts_changes_and_travels(lake: Clients) -> None:
    script = """
cursor.execute("create table laps (n int) location 's3://ice-clients/laps/' tblproperties ('table_type'='ICEBERG')")
counts = []
changes = "insert into laps values 1, 2, 3", "update laps set n = n + 10 where n > 1", "delete from laps where n = 1"
for sql in changes:
    counts.append(cursor.execute(sql).rowcount)
first = cursor.execute('select min_by(snapshot_id, committed_at) from "laps$snapshots"').fetchone()[0]
past = cursor.execute(f"select sum(n) from laps for version as of {first}").fetchone()[0]
print(json.dumps([counts, past, cursor.execute("select sum(n) from laps").fetchone()[0]]))
"""
    assert lake.python(PYATHENA % script) == [[3, 2, 1], 6, 25]


@pytest.fixture(scope="module")
def built(lake: Clients, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return dbt's project after two builds."""
    if not DBT.exists():
        pytest.skip("dbt is not here: `make clients-test` brings it")
    folder = tmp_path_factory.mktemp("dbt") / "project"
    shutil.copytree(Path(__file__).with_name("dbt_iceberg"), folder)
    (folder / "profiles.yml").write_text(lake.place.run("local", "env", "--dbt").stdout)
    for words in (("build",), ("build",), ("docs", "generate")):
        done = subprocess.run(
            [str(DBT), *words, "--no-use-colors"],
            cwd=folder,
            env={**lake.environ, "DBT_PROFILES_DIR": str(folder)},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return folder


def rows_of(lake: Clients, sql: str) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in lake.place.query(sql)]


def test_dbt_replaces_a_table_and_merges_into_another(lake: Clients, built: Path) -> None:
    laps = "select driver, count(*) as n, max(cast(at as varchar)) as at from pi_m3_dbt.laps group by 1 order by 1"
    assert rows_of(lake, laps) == [
        ("per", 1, "2024-03-02 15:00:00.000000"),
        ("ver", 2, "2024-03-02 15:00:00.000000"),
    ]
    fastest = "select driver, cast(seconds as double) as s from pi_m3_dbt.fastest order by 1"
    assert rows_of(lake, fastest) == [("nor", 92.5), ("per", 93.1), ("ver", 91.2)]


def test_dbt_keeps_what_a_row_was_before(lake: Clients, built: Path) -> None:
    history = "select driver, dbt_valid_to is null as is_now from pi_m3_dbt.fastest_history order by 1, 2"
    assert rows_of(lake, history) == [("nor", True), ("per", True), ("ver", False), ("ver", True)]


def test_the_docs_of_dbt_have_the_columns(built: Path) -> None:
    catalog = json.loads((built / "target" / "catalog.json").read_text("utf-8"))
    assert catalog["errors"] is None
    assert list(catalog["nodes"]["model.iceberg.laps"]["columns"]) == ["driver", "lap", "at"]
