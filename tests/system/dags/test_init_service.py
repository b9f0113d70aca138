"""The service `init` of deploy/airflow: it succeeds only if the tables and the first user exist."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.airflow

PROJECT = Path(__file__).parents[3]
COMPOSE = yaml.safe_load((PROJECT / "deploy" / "airflow" / "compose.yaml").read_text())


def init(home: Path) -> subprocess.CompletedProcess[str]:
    """Run the service's command as the image's entrypoint does, with the database file in this folder."""
    programs = PROJECT / ".airflow3" / "bin"
    if not programs.exists():
        pytest.skip(".airflow3 is not here: make airflow-e2e")
    words = [str(word).replace("$$", "$") for word in COMPOSE["services"]["init"]["command"]]
    manager = "AIRFLOW__CORE__AUTH_MANAGER"
    environ = {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(home),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW_ADMIN_PASSWORD": "-secret",  # new-env.sh creates such passwords too
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        manager: COMPOSE["x-airflow"]["environment"][manager],
    }
    program = words if words[0] in {"bash", "python"} else ["airflow", *words]
    return subprocess.run(program, env=environ, capture_output=True, text=True, check=False, cwd=home)


def test_init_creates_the_tables_and_the_first_user_and_can_run_again(tmp_path: Path) -> None:
    for _ in range(2):
        done = init(tmp_path)
        assert done.returncode == 0, done.stderr
    with sqlite3.connect(tmp_path / "airflow.db") as database:
        assert database.execute("select username from ab_user").fetchall() == [("admin",)]
        assert database.execute("select count(*) from alembic_version").fetchone() == (1,)


def test_a_database_of_an_unknown_version_fails_init(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "airflow.db") as database:
        database.execute("create table alembic_version (version_num varchar(32) not null)")
        database.execute("insert into alembic_version values ('ffffffffffff')")
    done = init(tmp_path)
    assert done.returncode != 0
    assert "ffffffffffff" in done.stdout + done.stderr


def test_a_damaged_database_fails_init(tmp_path: Path) -> None:
    (tmp_path / "airflow.db").write_bytes(b"this is not a database" * 100)
    assert init(tmp_path).returncode != 0
