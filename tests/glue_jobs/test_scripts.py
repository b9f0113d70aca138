"""What holds for every file of the Glue scripts: nothing runs at import, nothing overwrites, no Python in the rows."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "glue_jobs"
FILES = sorted(FOLDER.glob("*.py"))
SLOW_OR_UNSAFE = re.compile(
    r"""mode\(["']overwrite|\budf\(|pandas_udf|\.rdd\b|toPandas|partitionOverwriteMode["'], ?["']dynamic"""
)


def test_nothing_runs_at_import() -> None:
    pytest.importorskip("pyspark")
    names = ", ".join(file.stem for file in FILES if file.name != "__init__.py")
    code = f"import {names}; from pyspark.sql import SparkSession as s; assert s.getActiveSession() is None"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=FOLDER, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("file", FILES, ids=[file.name for file in FILES])
def test_a_script_neither_overwrites_nor_runs_python_on_rows(file: Path) -> None:
    assert SLOW_OR_UNSAFE.findall(file.read_text("utf-8")) == []


@pytest.mark.parametrize("file", FILES, ids=[file.name for file in FILES])
def test_a_script_does_not_know_the_orchestrator(file: Path) -> None:
    assert not re.search(r"^\s*(import|from) etltctl", file.read_text("utf-8"), re.MULTILINE)
