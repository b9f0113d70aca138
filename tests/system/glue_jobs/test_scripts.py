"""Rules for every file of the Glue scripts: nothing runs at import, nothing overwrites, no Python runs on rows."""

import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

FOLDER = Path(__file__).parents[3] / "glue_jobs"
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


@pytest.mark.spark
def test_rows_are_exchanged_once_for_silver_and_once_for_gold(spark: "SparkSession", tmp_path: Path) -> None:
    """The text of a document, which only a rejected one needs, is not made for accepted ones."""
    from pyspark.sql import functions as F

    from bronze_to_silver import observe_weather, screen_documents
    from job_config import WEATHER, read_config
    from silver_to_gold import TABLES
    from weather_counts import count_screened
    from weather_documents import BRONZE
    from weather_hours import OBSERVATIONS, hours_of

    config = read_config(WEATHER, {})
    stream = (
        spark.read.schema(BRONZE).parquet(str(tmp_path)).selectExpr("*", "'f' source_file", "1L source_row")
    )
    lineage = {"run_id": F.lit("r"), "config_hash": F.lit("c")}
    silver = observe_weather(count_screened(screen_documents(stream, config))[0], config, lineage)
    hours = hours_of(spark.read.schema(OBSERVATIONS).parquet(str(tmp_path)), config)
    exchanges = {name: _plan(TABLES[name](hours, config)).count("Exchange ") for name in TABLES}
    assert _plan(silver).count("Exchange ") == 1
    assert "to_json" not in _plan(silver)
    # All years of a month are combined once more; conditions and rankings are compared within their place.
    assert {name for name, count in exchanges.items() if count == 1} == {
        "gold.weather_daily", "gold.weather_monthly", "gold.wind_rose_monthly",
    }  # fmt: skip
    assert exchanges["gold.potential_hour_month"] == 2


def _plan(rows: "DataFrame") -> str:
    return str(rows._jdf.queryExecution().executedPlan().toString())
