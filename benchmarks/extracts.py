"""The time in which a table of 200,000 rows becomes a Hyper extract, compared with Tableau's engine alone.

The engine alone reads one local Parquet file and casts nothing: this is the lower bound. etltctl unloads the table with
Athena (the embedded one, over the wire), fetches the files, gives every column its type and counts the rows at every
stage. Needs the extra `tableau`: `make tableau-test`.
"""

from __future__ import annotations

import io
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from etltctl.extracting import Selection, write_table
from etltctl.local.client import endpoints
from etltctl.pipeline.services import Services
from etltctl.settings import load_settings

ROWS = 200_000
LIMIT_S = 5.0
REPEATS = 5


def sample() -> pa.Table:
    """Return weather-like rows: keys, text, instants, whole and fractional numbers, some of them missing."""
    random = np.random.default_rng(7)
    hours = np.datetime64("2020-01-01T00", "us") + np.arange(ROWS) * np.timedelta64(3_600_000_000, "us")
    numbers = {f"measure_{n:02d}": random.normal(size=ROWS) for n in range(12)}
    missing = random.random(ROWS) < 0.1
    return pa.table(
        {
            "city_key": pa.array([f"city_{n % 20}" for n in range(ROWS)]),
            "condition": pa.array([f"condition {n % 37}" for n in range(ROWS)]),
            "at": pa.array(hours, pa.timestamp("us", "UTC")),
            "day": pa.array(hours.astype("datetime64[D]"), pa.date32()),
            "hour": pa.array(np.arange(ROWS) % 24, pa.int32()),
            "observations": pa.array(random.integers(0, 1 << 40, ROWS), pa.int64()),
            "is_day": pa.array(np.arange(ROWS) % 24 > 6),
            **{name: pa.array(values, mask=missing) for name, values in numbers.items()},
        }
    )


def hyper_alone(parquet: Path, file: Path) -> int:
    """Measure Tableau's engine alone on the same rows."""
    from tableauhyperapi import Connection, CreateMode, HyperProcess, Telemetry

    parameters = {"log_dir": str(file.parent)}
    with (
        HyperProcess(Telemetry.DO_NOT_SEND_USAGE_DATA_TO_TABLEAU, parameters=parameters) as hyper,
        Connection(hyper.endpoint, str(file), CreateMode.CREATE_AND_REPLACE) as connection,
    ):
        connection.execute_command('CREATE SCHEMA "Extract"')
        source = f"external('{parquet}', FORMAT => 'parquet')"
        return int(
            connection.execute_command(f'CREATE TABLE "Extract"."Extract" AS SELECT * FROM {source}') or 0
        )


def timed(run: Callable[[], object]) -> float:
    """Return the median of some repetitions, in seconds."""
    times = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        run()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def main() -> None:
    """Measure both, and print a line for each and the ratio."""
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        settings = load_settings(
            flags={"state": str(folder / "state")}, env="local", environ={}, directory=folder
        )
        with endpoints(settings, {}) as server:
            environ = server.apply_to(os.environ)
            os.environ.clear()
            os.environ.update(environ)
            services = Services(settings)
            body = io.BytesIO()
            pq.write_table(sample(), body)
            (folder / "sample.parquet").write_bytes(body.getvalue())
            location = services.lake.version_location("gold.bench", "1")
            bucket, _, key = f"{location}part-0.parquet".removeprefix("s3://").partition("/")
            services.aws.client("s3").put_object(Bucket=bucket, Key=key, Body=body.getvalue())
            services.lake.publish({"gold.bench": location})
            alone = timed(lambda: hyper_alone(folder / "sample.parquet", folder / "alone.hyper"))
            ours = timed(lambda: write_table(Selection("gold.bench"), folder / "ours.hyper", settings))
    print(f"{ROWS:,} rows, {len(sample().column_names)} columns, median of {REPEATS}")
    print(f"  Hyper alone, local file     {alone:6.2f} s")
    print(
        f"  tableau export              {ours:6.2f} s   {ours / alone:.1f} times as long   limit {LIMIT_S:.0f} s"
    )


if __name__ == "__main__":
    main()
