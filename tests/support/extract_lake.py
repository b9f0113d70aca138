"""A lake with one published table on the embedded server."""

from __future__ import annotations

import io
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from etltctl.pipeline.services import Services
from etltctl.settings import Settings

ROWS = 1000
COLUMNS = {
    "city": pa.array([None if n % 7 == 0 else f"city {n % 5} ü" for n in range(ROWS)]),
    "n": pa.array([None if n % 11 == 0 else n for n in range(ROWS)], pa.int64()),
    "small": pa.array([n % 100 for n in range(ROWS)], pa.int32()),
    "speed": pa.array([n / 3 for n in range(ROWS)]),
    "day": pa.array([date(2024, 1, 1 + n % 28) for n in range(ROWS)]),
    "at": pa.array(
        [datetime(2024, 1, 1, n % 24, n % 60, tzinfo=UTC) for n in range(ROWS)], pa.timestamp("us", "UTC")
    ),
    "points": pa.array([Decimal(n) / 4 for n in range(ROWS)], pa.decimal128(8, 2)),
    "ok": pa.array([n % 2 == 0 for n in range(ROWS)]),
}


@dataclass(frozen=True)
class Lake:
    """The settings of a lake on the embedded server, and the actions of the tests on it."""

    settings: Settings
    services: Services

    def publish(self, table: str, columns: dict[str, Any], version: str = "1", **partition: str) -> None:
        location = self.services.lake.version_location(table, version)
        folder = "".join(f"{name}={value}/" for name, value in partition.items())
        body = io.BytesIO()
        pq.write_table(pa.table(columns), body)
        bucket, _, key = f"{location}{folder}part-0.parquet".removeprefix("s3://").partition("/")
        self.services.aws.client("s3").put_object(Bucket=bucket, Key=key, Body=body.getvalue())
        self.services.lake.publish({table: location})
