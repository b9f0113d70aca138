"""The database of a real Airflow: PostgreSQL in a separate folder if it is installed, else SQLite."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.ports import free_port

PROGRAMS = Path("/usr/lib/postgresql")


@contextmanager
def database(folder: Path) -> Iterator[str]:
    """Yield the SQLAlchemy URL of an empty database, which exists only within the block."""
    programs = _programs()
    if programs is None:
        yield f"sqlite:///{folder / 'airflow.db'}"
        return
    data, port = folder / "postgres", free_port()
    data.mkdir()
    _give_away(data)
    initdb = ["initdb", "-D", str(data), "-U", "airflow", "--auth=trust", "--encoding=UTF8", "--no-sync"]
    _run(programs, *initdb)
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={data} -c fsync=off"
    _run(programs, "pg_ctl", "-D", str(data), "-w", "-l", str(data / "log"), "-o", options, "start")
    try:
        _run(programs, "createdb", "-h", "127.0.0.1", "-p", str(port), "-U", "airflow", "airflow")
        yield f"postgresql+psycopg2://airflow@127.0.0.1:{port}/airflow"
    finally:
        _run(programs, "pg_ctl", "-D", str(data), "-m", "immediate", "stop")


def _programs() -> Path | None:
    """Return the folder of PostgreSQL's programs, of the newest version."""
    programs = sorted(PROGRAMS.glob("*/bin/initdb"), reverse=True)
    is_usable = os.getuid() != 0 or (shutil.which("setpriv") and _has_user("postgres"))
    return programs[0].parent if programs and is_usable else None


def _has_user(name: str) -> bool:
    return any(entry.pw_name == name for entry in pwd.getpwall())


def _give_away(folder: Path) -> None:
    """Give the folder to the user that PostgreSQL's package created: PostgreSQL refuses to run as root."""
    if os.getuid() == 0:
        shutil.chown(folder, "postgres", "postgres")


def _run(programs: Path, name: str, *arguments: str) -> None:
    user = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups"]
    command = [*(user if os.getuid() == 0 else []), str(programs / name), *arguments]
    subprocess.run(command, check=True, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
