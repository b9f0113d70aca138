"""Does once what the jobs do often, in a scratch folder, so that the JVM has compiled it before the first run."""

import shutil
import sys

from pyspark.sql import SparkSession, Window
from pyspark.sql import functions as F  # noqa: N812 - Spark's own idiom


def main(scratch: str) -> None:
    """Writes and reads Parquet with JSON, windows, joins and aggregates."""
    spark = SparkSession.builder.getOrCreate()
    rows = spark.range(400).select(
        F.col("id").cast("string").alias("key"),
        F.expr("""concat('{"a":', id, ',"b":["x","y"],"t":"2024-01-01T00:00:00Z"}')""").alias("document"),
    )
    parsed = rows.select("key", F.from_json("document", "a double, b array<string>, t timestamp").alias("d"))
    newest = Window.partitionBy("month").orderBy(F.col("a").desc())
    flat = (
        parsed.select("key", "d.a", F.explode("d.b").alias("b"), F.date_trunc("hour", "d.t").alias("t"))
        .withColumn("month", (F.col("a") % 3).cast("int"))
        .withColumn("n", F.row_number().over(newest))
    )
    flat.write.partitionBy("month").parquet(f"file://{scratch}/flat")
    back = spark.read.parquet(f"file://{scratch}/flat")
    totals = back.groupBy("month").agg(
        F.count("*").alias("rows"), F.avg("a"), F.max("t"), F.countDistinct("key")
    )
    totals.join(back.select("month", "key").dropDuplicates(), "month", "left").orderBy("key").write.parquet(
        f"file://{scratch}/totals"
    )
    shutil.rmtree(scratch, ignore_errors=True)


main(sys.argv[1])
