"""Small texts in the lake, read and written by Hadoop's file system, the one that Spark reads and writes tables with.

A Spark job for the same text would plan a query, start a task and commit its output.
"""

from typing import Any

from pyspark.sql import SparkSession


def read_text(spark: SparkSession, location: str) -> str | None:
    """Return the text of a file; None if there is no such file."""
    path, files = _located(spark, location)
    if not files.exists(path):
        return None
    stream = files.open(path)
    try:
        context: Any = spark.sparkContext
        text: str = context._jvm.org.apache.commons.io.IOUtils.toString(stream, "UTF-8")
        return text
    finally:
        stream.close()


def write_text(spark: SparkSession, location: str, text: str) -> None:
    """Write a text as a file, which is replaced if it exists."""
    path, files = _located(spark, location)
    stream = files.create(path)
    try:
        stream.write(text.encode())
    finally:
        stream.close()


def exists(spark: SparkSession, location: str) -> bool:
    """Return whether there is a file or a folder."""
    path, files = _located(spark, location)
    return bool(files.exists(path))


def _located(spark: SparkSession, location: str) -> tuple[Any, Any]:
    context: Any = spark.sparkContext
    path = context._jvm.org.apache.hadoop.fs.Path(location)
    return path, path.getFileSystem(context._jsc.hadoopConfiguration())
