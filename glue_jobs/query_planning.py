"""How Spark plans the queries of an incremental run, whose rows are few next to those of a full run."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pyspark.sql import DataFrame, SparkSession

FEW_BYTES = 32 << 20
# Spark compiles every query. For some ten thousand rows that takes longer than to interpret it.
_INTERPRETED = {"spark.sql.codegen.wholeStage": "false", "spark.sql.codegen.factoryMode": "NO_CODEGEN"}
_PARTITIONS = "spark.sql.shuffle.partitions"


@contextmanager
def planned_for(spark: SparkSession, *files: DataFrame) -> Iterator[None]:
    """Within the block, interpret queries, and shuffle into one partition a core, if the files are small.

    The values are the same either way.

    Args:
        spark: The session.
        files: What the queries read, as it comes from the reader: Spark knows the size of the files.
    """
    if sum(map(_bytes, files)) > FEW_BYTES:
        yield
        return
    options = {**_INTERPRETED, _PARTITIONS: str(spark.sparkContext.defaultParallelism)}
    before = {option: spark.conf.get(option) for option in options}
    for option, value in options.items():
        spark.conf.set(option, value)
    try:
        yield
    finally:
        for option, value in before.items():
            spark.conf.set(option, value)


def _bytes(files: DataFrame) -> int:
    plan: Any = files._jdf.queryExecution().optimizedPlan()
    return int(str(plan.stats().sizeInBytes()))
