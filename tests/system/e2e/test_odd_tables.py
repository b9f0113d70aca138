"""A plain Spark job with odd partition values and names: queries and other readers read what it wrote."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow.dataset as ds
import pytest

from support.sample_settings import on_sample
from support.workplace import Workplace

pytestmark = pytest.mark.spark

VALUES = [
    "plain", "a:b", "x=y", "50%", "New York", "São Paulo", "O'Brien", "a/b", "comma,here", "", "%3A", "A", "a", "null",
    "東京", 'q"t', "back\\slash", "2024-01-01 00:00", "*", "#h", "a|b", None,
]  # fmt: skip
SCRIPT = f"""
import json, sys
from awsglue.utils import getResolvedOptions
from pyspark.sql import SparkSession
target = json.loads(getResolvedOptions(sys.argv, ["outputs"])["outputs"])["gold.odd_parts"]
spark = SparkSession.builder.getOrCreate()
rows = spark.createDataFrame(list(enumerate({VALUES!r})), "n int, place string")
rows = rows.selectExpr("n", "named_struct('1h', 0.5D, 'order', 'x', 'group', n) as rain", "n as `a;b`", "place")
rows.write.partitionBy("place").parquet(target.replace("s3://", "s3a://"))
"""
SETTINGS = """
[glue.jobs.parts]
script = "parts.py"
writes = ["gold.odd_parts"]
"""


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Workplace]:
    """Yield a folder with the job `parts`."""
    (tmp_path / "parts.py").write_text(SCRIPT)
    (tmp_path / "etltctl.toml").write_text(on_sample(SETTINGS))
    place = Workplace(tmp_path)
    try:
        place.run("local", "up")
        yield place
    finally:
        place.run("local", "down")


def test_published_rows_equal_counted_rows_and_written_values(lake: Workplace) -> None:
    for run in ("first", "second"):
        assert "22 rows" in lake.run("run-glue", "parts", "--wait", "--run-id", run).stderr
        assert lake.query("select count(*) as n from pi_m3_gold.odd_parts") == [{"n": 22}]
    rows = lake.query("select * from pi_m3_gold.odd_parts order by n")
    assert [row["place"] for row in rows] == [value or None for value in VALUES]
    assert [row["a;b"] for row in rows] == list(range(22))
    assert lake.query(
        'select rain."1h" as h, rain."order" as o from pi_m3_gold.odd_parts where place = \'a:b\''
    ) == [{"h": 0.5, "o": "x"}]
    (folder,) = lake.folder.glob(".etltctl/s3/*/odd_parts/v=second*")
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".parquet"}
    assert ds.dataset(folder, format="parquet", partitioning="hive", ignore_prefixes=[]).count_rows() == 22
    lake.run("rollback", "gold.odd_parts")
    assert lake.query("select count(*) as n from pi_m3_gold.odd_parts") == [{"n": 22}]
