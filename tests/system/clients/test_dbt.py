"""dbt on the embedded lake: seeds, views, tables, both incremental strategies, snapshots, tests and docs."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.programs import Clients

pytestmark = [pytest.mark.e2e, pytest.mark.clients, pytest.mark.client("dbt")]

DBT = Path(__file__).parents[3] / ".dbt" / "bin" / "dbt"
TIMEOUT_S = 900  # far longer than a build takes, even on a busy machine
FIRST, SECOND = '{"first_round": 1, "last_round": 1}', '{"first_round": 2, "last_round": 2}'


@dataclass(frozen=True)
class Project:
    """The project in a temporary folder, whose profile is the one that `etltctl local env --dbt` prints."""

    clients: Clients
    folder: Path

    def dbt(self, *words: str) -> None:
        """Run dbt, which must succeed."""
        done = subprocess.run(
            [str(DBT), *words, "--no-use-colors"],
            cwd=self.folder,
            env={**self.clients.environ, "DBT_PROFILES_DIR": str(self.folder)},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of etltctl's own query."""
        return [tuple(row.values()) for row in self.clients.place.query(sql)]


@pytest.fixture(scope="module")
def project(clients: Clients, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Return the project after a first build, and a second one of the next round with a changed seed."""
    if not DBT.exists():
        pytest.skip("dbt is not here: `make clients-test` brings it")
    folder = tmp_path_factory.mktemp("dbt") / "project"
    shutil.copytree(Path(__file__).with_name("dbt"), folder)
    (folder / "profiles.yml").write_text(clients.place.run("local", "env", "--dbt").stdout)
    project = Project(clients, folder)
    project.dbt("build", "--vars", FIRST)
    seed = folder / "seeds" / "rivals.csv"
    seed.write_text(seed.read_text("utf-8").replace("12.5", "20.25"), "utf-8")
    project.dbt("build", "--vars", SECOND)
    return project


def test_a_seed_is_loaded_with_its_types_and_replaced(project: Project) -> None:
    rows = project.rows(
        "select driver_id, cast(since as varchar), points, is_rookie from pi_m3_dbt.rivals order by 1"
    )
    assert rows == [("müller", "2023-12-01", None, False), ("o'hara", "2024-01-31", 20.25, True)]


def test_a_table_is_made_from_a_view_of_gold(project: Project) -> None:
    first = "select driver_id, cast(points as double), wins from f1_driver_championship where position <= 3 order by 1"
    rows = project.rows("select driver_id, points, wins from pi_m3_dbt.podium order by 1")
    assert rows == project.rows(first)
    assert len(rows) == 3


@pytest.mark.parametrize(
    ("table", "writers"), [("rounds_by_append", ""), ("rounds_by_partition", "written_by")]
)
def test_an_incremental_model_keeps_the_round_before(project: Project, table: str, writers: str) -> None:
    rows = project.rows(f"select round, count(*) as n from pi_m3_dbt.{table} group by 1 order by 1")
    assert rows == [(1, 20), (2, 20)]
    if writers:
        assert project.rows(f"select count(distinct {writers}) as n from pi_m3_dbt.{table}") == [(2,)]


def test_a_snapshot_keeps_what_a_row_was_before(project: Project) -> None:
    rows = project.rows(
        "select driver_id, points, dbt_valid_to is null as is_now from pi_m3_dbt.rivals_history order by 1, 2"
    )
    assert rows == [("müller", None, True), ("o'hara", 12.5, False), ("o'hara", 20.25, True)]


def test_the_docs_have_the_lake_s_comments(project: Project) -> None:
    project.dbt("docs", "generate")
    catalog = json.loads((project.folder / "target" / "catalog.json").read_text("utf-8"))
    assert catalog["errors"] is None
    source = catalog["sources"]["source.lake.gold.f1_driver_championship"]
    assert source["columns"]["driver_id"]["comment"] == "Key of the driver in the API"
    assert {"model.lake.podium", "seed.lake.rivals", "snapshot.lake.rivals_history"} <= set(catalog["nodes"])
