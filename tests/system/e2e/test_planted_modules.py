"""Modules in the user's folder with the name of a Python or dependency module: they are never executed."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.sample_settings import on_sample
from support.workplace import Workplace

pytestmark = pytest.mark.e2e

# Modules of Python and of packages that the server, MongoDB's process and a Glue job's process import.
NAMES = (
    "secrets", "queue", "typing", "json", "socket", "threading", "ssl", "logging", "tempfile", "subprocess", "struct",
    "werkzeug", "flask", "moto", "duckdb", "sqlglot", "pymongo", "bson", "secantus", "pyspark", "py4j", "botocore",
    "boto3", "pyarrow", "httpx", "sitecustomize", "usercustomize", "awsglue",
)  # fmt: skip
ONLY_THE_SERVER_IMPORTS = ("flask", "moto", "secantus", "py4j", "werkzeug")
SETTINGS = """
[glue.jobs.tiny]
script = "jobs/tiny.py"
"""
SCRIPT = """
import json, queue, secrets, typing
from awsglue.utils import getResolvedOptions
from pyspark.sql import SparkSession
spark = SparkSession.builder.getOrCreate()
print("counted", spark.sparkContext.parallelize(range(10)).map(lambda n: n + 1).sum())
"""


def plant(folder: Path, names: tuple[str, ...]) -> None:
    folder.mkdir(exist_ok=True)
    for name in names:
        text = f"open({str(folder / 'executed')!r}, 'a').write('{name} ')\nraise ImportError('planted')\n"
        (folder / f"{name}.py").write_text(text)


@pytest.mark.spark
def test_server_sync_and_job_import_nothing_from_the_working_folder(workplace: Workplace) -> None:
    folder = workplace.folder
    plant(folder, NAMES)
    plant(folder / "named", ONLY_THE_SERVER_IMPORTS)
    (folder / "jobs").mkdir()
    (folder / "jobs" / "tiny.py").write_text(SCRIPT)
    (folder / "etltctl.toml").write_text(on_sample(SETTINGS))
    environ = {
        "PYTHONPATH": str(folder / "named"),
        "PYTHONSTARTUP": str(folder / "secrets.py"),
        "PYTHONWARNINGS": "error::DeprecationWarning:planted",
    }
    workplace.run("local", "up", **environ)
    workplace.run("sync", "mongodb", **environ)
    workplace.run("run-glue", "tiny", "--wait", "--run-id", "tiny", **environ)
    assert "counted 55" in workplace.run("runs", "logs", "tiny").stdout
    assert not (folder / "executed").exists()
    assert not (folder / "named" / "executed").exists()
