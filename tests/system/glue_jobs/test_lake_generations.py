"""A stream whose field changed its type between the old generation and the one that overwrote it."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from py4j.protocol import Py4JJavaError
from pyspark.sql import SparkSession
from pyspark.sql.types import DoubleType, StringType, StructField, StructType

from lake import read_stream

SCHEMA = StructType([StructField("id", StringType()), StructField("value", DoubleType())])


def write(folder: Path, name: str, generation: int, values: list[Any]) -> None:
    folder.mkdir(exist_ok=True)
    columns = {
        "_airbyte_generation_id": [generation] * len(values),
        "id": list("abc")[: len(values)],
        "value": values,
    }
    pq.write_table(pa.table(columns), folder / name)


def test_only_files_of_the_newest_generation_have_to_agree_on_types(
    spark: SparkSession, tmp_path: Path
) -> None:
    stream = tmp_path / "of weather"
    write(stream, "2026_01_01_1_0.parquet", 3, [1.5, 2.5])
    write(stream, "2026_01_02_2_0.parquet", 4, ["7", "8.5"])
    write(stream, "2026_01_02_2_1.parquet", 4, ["9"])
    rows = read_stream(spark, str(stream), SCHEMA).orderBy("source_file", "source_row").collect()
    assert [(row["id"], row["value"]) for row in rows] == [("a", 7.0), ("b", 8.5), ("a", 9.0)]
    assert {row["source_row"] for row in rows} == {0, 1}


def test_types_that_differ_within_a_generation_stay_an_error(spark: SparkSession, tmp_path: Path) -> None:
    write(tmp_path / "s", "2026_01_02_2_0.parquet", 4, [1.5])
    write(tmp_path / "s", "2026_01_02_2_1.parquet", 4, ["x"])
    with pytest.raises(Py4JJavaError, match="CANNOT_MERGE"):
        read_stream(spark, str(tmp_path / "s"), SCHEMA).collect()
