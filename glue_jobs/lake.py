"""What every Spark script of the lake shares: its arguments, its session, reading a stream and writing a table."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any
from urllib.parse import unquote

from py4j.protocol import Py4JJavaError
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from hadoop_files import exists, write_text

GENERATION = "_airbyte_generation_id"
CANNOT_MERGE = "CANNOT_MERGE"  # begins the name of Spark's error for two types of a column
ROW_ORDER = ("source_file", "source_row")
PARTITIONS_A_CORE = 8
SUCCESS_FILE = (
    "mapreduce.fileoutputcommitter.marksuccessfuljobs"  # an empty object that some readers take for data
)
_PARTITIONS = "spark.sql.shuffle.partitions"
_LISTING = "spark.sql.sources.parallelPartitionDiscovery.parallelism"
_ADAPTIVE = "spark.sql.adaptive.enabled"

_SESSION_OPTIONS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.ansi.enabled": "false",
    # Java never compiles a longer method, so a stage in one such method is interpreted; in pieces it is not.
    "spark.sql.codegen.hugeMethodLimit": "8000",
    # What follows from every column's expression for every filter: minutes of planning with columns as many as here.
    "spark.sql.constraintPropagation.enabled": "false",
    # This rule drops the observations below an empty shuffle: their reader would wait for ever.
    "spark.sql.adaptive.optimizer.excludedRules": (
        "org.apache.spark.sql.execution.adaptive.AQEPropagateEmptyRelation"
    ),
    "spark.sql.parquet.compression.codec": "snappy",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.sources.partitionOverwriteMode": "static",
}


class QualityError(RuntimeError):
    """The rows do not pass a check of the job; what the run wrote must not be published."""


@dataclass(frozen=True)
class JobArguments:
    """The arguments of one job run; `inputs`, `outputs` and `audits` map table names to locations.

    `changes` is the location of what is new for an incremental job; other jobs have none.
    """

    run_id: str
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    config: Mapping[str, Any]
    audits: Mapping[str, str] = field(default_factory=dict)
    changes: str | None = None

    def audit_location(self, table: str) -> str:
        """Return where the table's audit is written: next to the versions, where no reader of the table looks.

        A script that is run by hand gets no such place. Its audit lies in the version until that is published.
        """
        return self.audits.get(table) or self.outputs[table].rstrip("/") + "/_audit"


def arguments(argv: Sequence[str]) -> JobArguments:
    """Parse the `--name value` arguments Glue passes; `--config` (JSON), `--audits` and `--changes` may be absent."""
    from awsglue.utils import getResolvedOptions  # only on Glue and in the embedded endpoint's runs

    names = ["run_id", "inputs", "outputs"]
    names += [name for name in ("config", "audits", "changes") if f"--{name}" in argv]
    options = getResolvedOptions(list(argv), names)
    return JobArguments(
        run_id=options["run_id"],
        inputs=json.loads(options["inputs"]),
        outputs=json.loads(options["outputs"]),
        config=json.loads(options.get("config") or "{}"),
        audits=json.loads(options.get("audits") or "{}"),
        changes=options.get("changes") or None,
    )


def spark_session(name: str, is_small: bool = False) -> SparkSession:
    """Return the session of a job: UTC, ANSI off, Snappy Parquet with microseconds.

    Spark's 200 partitions are for larger clusters. Adaptive execution joins small ones, but not those of a table
    that is kept in memory, so their number follows the cores unless it is set.

    Args:
        name: The name of the application.
        is_small: Whether every table is one small task. Then a shuffle has one partition, and Spark does not plan
            each query again after every stage. Either would cost a tenth of the job's time.
    """
    session = SparkSession.builder.appName(name).getOrCreate()
    context = session.sparkContext
    if is_small:
        session.conf.set(_PARTITIONS, 1)
    elif not context.getConf().contains(_PARTITIONS):
        session.conf.set(_PARTITIONS, PARTITIONS_A_CORE * context.defaultParallelism)
    # A table's folders are listed in as many tasks, not in one task for each folder.
    session.conf.set(_LISTING, PARTITIONS_A_CORE * context.defaultParallelism)
    for option, value in {**_SESSION_OPTIONS, _ADAPTIVE: str(not is_small).lower()}.items():
        session.conf.set(option, value)
    return session


def read_stream(
    spark: SparkSession,
    location: str | Sequence[str],
    schema: StructType,
    numbers: Iterable[str] = (),
    optional: StructType | None = None,
) -> DataFrame:
    """Read the newest generation of a bronze stream, a folder or files, as `select_stream` says.

    An overwrite leaves files of older generations in place until it has succeeded, so rows below the highest
    `_airbyte_generation_id` are not data.
    """
    files = newest_generation(read_files(spark, location))
    return select_stream(files, schema, numbers, optional)


def select_stream(
    files: DataFrame, schema: StructType, numbers: Iterable[str] = (), optional: StructType | None = None
) -> DataFrame:
    """Return exactly the columns of `schema` and the row order of a stream's files.

    Columns the files lack become null; others are cast. `source_file` and `source_row` (position in the file) are
    added. Of the columns `numbers`, those the files hold as double stay so. Columns of `optional` are read only
    where the files have them.
    """
    present = set(files.columns)
    kept = {name for name, kind in files.dtypes if kind == "double"} & set(numbers)
    fields = [*schema.fields, *(field for field in optional or () if field.name in present)]
    columns = [
        F.col(field.name) if field.name in kept else _column(field.name, field.dataType, present)
        for field in fields
    ]
    lineage = [
        F.col("_metadata.file_path").alias("source_file"),
        F.col("_metadata.row_index").alias("source_row"),
    ]
    return files.select(*columns, *lineage)


def read_files(spark: SparkSession, location: str | Sequence[str]) -> DataFrame:
    """Read a stream's files. If a field has two types, read only those that hold the newest generation.

    Between a sync that failed and the next success, files of two generations lie next to each other, and the source
    may have changed the type of a field meanwhile. To look for the newest first would cost every job a Spark job.
    """
    reader = spark.read.option("mergeSchema", "true")
    locations = [location] if isinstance(location, str) else location
    try:
        return reader.parquet(*locations)
    except Py4JJavaError as error:
        if CANNOT_MERGE not in str(error):
            raise
        generations = spark.read.schema(f"{GENERATION} bigint").parquet(*locations)
        of_files = generations.groupBy("_metadata.file_path").agg(F.max(GENERATION).alias("newest")).collect()
        newest = max((row["newest"] or 0 for row in of_files), default=0)
        # Spark shows a path as part of a URL, and takes a plain one.
        paths = [unquote(row["file_path"]) for row in of_files if (row["newest"] or 0) == newest]
        if len(paths) == len(of_files):
            raise
        return reader.parquet(*paths)


def _column(name: str, data_type: Any, present: set[str]) -> Column:
    value = F.col(f"`{name}`") if name in present else F.lit(None)
    return value.cast(data_type).alias(name)


def newest_generation(files: DataFrame) -> DataFrame:
    """Return the rows of the highest `_airbyte_generation_id`; all rows if the files have no such column."""
    if GENERATION not in files.columns:
        return files
    newest = files.agg(F.max(GENERATION).alias("_newest_generation"))
    return files.join(F.broadcast(newest), files[GENERATION] == newest["_newest_generation"], "left_semi")


def write_table(df: DataFrame, location: str, partitions: Iterable[str] = ()) -> None:
    """Write a table once to a location that must not exist yet, as Snappy Parquet and nothing else."""
    writer = df.write.mode("error").option("compression", "snappy").option(SUCCESS_FILE, "false")
    writer.partitionBy(*partitions).parquet(location)


def write_audit(
    spark: SparkSession, location: str, audit: Mapping[str, Any], descriptions: ModuleType | None = None
) -> None:
    """Write a table's row counts and descriptions as one line of JSON to a folder that must not exist yet.

    `descriptions` is the module that describes the job's tables; a project may have only the one of its pipeline.

    Raises:
        FileExistsError: The folder exists.
    """
    if exists(spark, location):
        raise FileExistsError(f"{location} exists: an audit is written once")
    described = {**describe_table(audit.get("table", ""), descriptions), **audit}
    write_text(spark, f"{location.rstrip('/')}/part-00000.txt", f"{json.dumps(described, sort_keys=True)}\n")


def describe_table(table: str, descriptions: ModuleType | None) -> dict[str, Any]:
    """Return what the catalog is to say of a table: its `description`, and the `comments` of its columns by name.

    Returns:
        Nothing for a table that the module does not describe: a missing text must not fail a job.
    """
    if descriptions is None or table not in descriptions.TABLES:
        return {}
    description, names = descriptions.TABLES[table]
    texts = {**descriptions.COLUMNS, **descriptions.OWN_COLUMNS.get(table, {})}
    comments = {name: texts[name] for name in names.split() if name in texts}
    return {"description": description, "comments": comments}
